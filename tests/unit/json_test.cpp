#include "common/json.hpp"

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;

namespace {

Result<api::PingRequest> ping_request(std::string_view text) {
    auto value = json::parse(text);
    if (!value) return value.error();
    return json::decode<api::PingRequest>(*value);
}

}  // namespace

TEST_CASE("json: an absent member keeps its default", "[unit]") {
    const auto request = ping_request(R"({"from":"co1","to":"co2"})");
    REQUIRE(request);
    CHECK(request->count == 4);
    CHECK(request->interval_ms == 1000);
    CHECK_FALSE(request->family);
}

TEST_CASE("json: an unknown member is refused with the nearest name", "[unit]") {
    const auto request = ping_request(R"({"from":"co1","to":"co2","cuont":1})");
    REQUIRE_FALSE(request);
    CHECK(request.error().code == errc::unknown_field);
    CHECK(request.error().message == "unknown field 'cuont'");
    CHECK(request.error().hint == "did you mean count?");
}

TEST_CASE("json: a number out of range is refused with the range", "[unit]") {
    const auto request = ping_request(R"({"from":"co1","to":"co2","count":-1})");
    REQUIRE_FALSE(request);
    CHECK(request.error().message == "field 'count': expected a whole number from 0 to 4294967295, got -1");
}

TEST_CASE("json: a word that is no enumerator is refused", "[unit]") {
    const auto request = ping_request(R"({"from":"co1","to":"co2","family":"ipv5"})");
    REQUIRE_FALSE(request);
    CHECK(request.error().hint == "did you mean ipv4 or ipv6?");
}

TEST_CASE("json: a word is an enumerator as a whole, and as the documentation writes it", "[unit]") {
    CHECK(ping_request(R"({"from":"co1","to":"co2","family":"ipv4"})"));
    for (const char* word : {R"(ipv4\u0000)", R"(ipv4\u0000x)", "IPv4", "ipv4 ", ""}) {
        INFO(word);
        CHECK_FALSE(ping_request(R"({"from":"co1","to":"co2","family":")" + std::string(word) + R"("})"));
    }
    // An enumerator whose name C++ has taken ends in an underscore, which is no part of the word.
    CHECK(json::decode<api::SocketsRequest>(*json::parse(R"({"kinds":["unix"]})")));
    CHECK_FALSE(json::decode<api::SocketsRequest>(*json::parse(R"({"kinds":["unix_"]})")));
}

TEST_CASE("json: null is no value of any member", "[unit]") {
    CHECK_FALSE(ping_request(R"({"from":"co1","to":"co2","family":null})"));
    CHECK_FALSE(ping_request(R"({"from":"co1","to":"co2","count":null})"));
}

TEST_CASE("json: a request that has a member twice is refused, however it is written", "[unit]") {
    for (const char* text : {R"({"from":"co1","from":"co2"})", R"({"from":"co1","\u0066rom":"co1"})",
                             R"([{"a":{"b":1,"c":[],"b":2}}])", R"({"a":{"a":1},"b":[{"a":1}],"a":1})"}) {
        INFO(text);
        const auto value = json::parse_request(text);
        REQUIRE_FALSE(value);
        CHECK(value.error().code == errc::bad_request);
    }
    const auto twice = json::parse_request(R"({"from":"co1","from":"co2"})");
    CHECK(twice.error().message == "the member 'from' is there twice");
    CHECK(json::parse_request(
        R"({"a":{"a":1,"b":1},"b":[{"a":1},{"a":1}],"c":null,"d":-1.5e3,"e":18446744073709551615})"));
    CHECK_FALSE(json::parse_request("{"));
    CHECK_FALSE(json::parse_request(R"({"a":1} x)"));
    CHECK_FALSE(json::parse_request(std::string(33, '[') + std::string(33, ']')));
}

TEST_CASE("json: what is not one JSON value is refused", "[unit]") {
    for (const char* text : {"", "{", "nonsense", "{} {}", "{\"a\":1,}", "\xff"}) {
        INFO(text);
        const auto value = json::parse(text);
        REQUIRE_FALSE(value);
        CHECK(value.error().code == errc::bad_request);
    }
    CHECK_FALSE(json::parse(std::string(33, '[') + std::string(33, ']')));
}

TEST_CASE("json: numbers are written as a person writes them, and strings as valid UTF-8", "[unit]") {
    api::PingReply reply;
    reply.seq = 1;
    reply.rtt_us = 45.5;
    CHECK(json::write(reply) == R"({"type":"reply","seq":1,"from":"0.0.0.0","bytes":0,"rtt_us":45.5})");
    api::Target target;
    target.name = "a\xff\x1b[1m";
    CHECK(json::write(target).find(R"("name":"a)"
                                   "\xEF\xBF\xBD"
                                   R"(\u001b[1m")") == 1);
}

TEST_CASE("binary: an order survives the way to a worker", "[unit]") {
    api::Order<api::PingRequest> order;
    order.request.from = "co1";
    order.request.to = std::string("a\0b", 3);
    order.request.family = Family::ipv6;
    auto& target = order.context.targets.emplace_back();
    target.name = "co1";
    target.namespace_ = api::Namespace{4, 4026532000, {"x"}};
    target.networks.emplace_back().addresses.push_back(*IpPrefix::parse("172.18.0.2/16"));
    const auto bytes = binary::encode(order);
    const auto back = binary::decode<api::Order<api::PingRequest>>(bytes);
    REQUIRE(back);
    CHECK(back->request == order.request);
    CHECK(back->context == order.context);
}

TEST_CASE("binary: every truncation and every longer message is refused", "[unit]") {
    api::PingRequest request;
    request.from = "co1";
    auto bytes = binary::encode(request);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CHECK_FALSE(binary::decode<api::PingRequest>(std::span(bytes).first(length)));
    }
    bytes.push_back(std::byte{0});
    CHECK_FALSE(binary::decode<api::PingRequest>(bytes));
}
