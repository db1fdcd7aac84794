#include "daemon/operations/dns_question.hpp"

#include "tests/support/catch.hpp"

#include <random>

using namespace netlab;
using namespace netlab::operations;

namespace {

std::vector<std::byte> bytes(std::initializer_list<int> numbers) {
    std::vector<std::byte> out;
    for (const int number : numbers)
        out.push_back(static_cast<std::byte>(number));
    return out;
}

/// The answer to a query of ours with nothing in it.
std::vector<std::byte> answer_to(std::vector<std::byte> query, int rcode) {
    query[2] |= std::byte{0x80};
    query[3] = static_cast<std::byte>(0x80 | rcode);
    return query;
}

}  // namespace

TEST_CASE("dns question: a query as RFC 1035 has it", "[unit]") {
    CHECK(dns_query(0x1234, {"", dns_type_ns}) ==
          bytes({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}));
    CHECK(dns_query(1, {"a.bc", dns_type_ptr}) ==
          bytes({0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 2, 'b', 'c', 0, 0, 12, 0, 1}));
    CHECK(DnsQuestion{"", dns_type_ns}.to_string() == ". NS");
    CHECK(DnsQuestion{"a.arpa", dns_type_ptr}.to_string() == "a.arpa PTR");
    CHECK(DnsQuestion{"a", 99}.to_string() == "a TYPE99");
}

TEST_CASE("dns question: addresses as DNS names them", "[unit]") {
    CHECK(reverse_name(*IpAddress::parse("172.18.0.2")) == "2.0.18.172.in-addr.arpa");
    CHECK(reverse_name(*IpAddress::parse("2001:db8::567:89ab")) ==
          "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

TEST_CASE("dns question: only an answer to the question is one", "[unit]") {
    const DnsQuestion question{"a.bc", dns_type_ptr};
    const auto query = dns_query(7, question);
    const auto good = answer_to(query, 3);
    CHECK(dns_answer_rcode(good, 7, question) == 3);
    CHECK(dns_answer_rcode(good, 8, question) == std::nullopt);
    CHECK(dns_answer_rcode(query, 7, question) == std::nullopt);  // no response
    CHECK(dns_answer_rcode(good, 7, {"a.bd", dns_type_ptr}) == std::nullopt);
    CHECK(dns_answer_rcode(good, 7, {"a.bc", dns_type_ns}) == std::nullopt);
    auto upper = good;
    upper[13] = std::byte{'A'};
    CHECK(dns_answer_rcode(upper, 7, question) == 3);
    auto two = good;
    two[5] = std::byte{2};
    CHECK(dns_answer_rcode(two, 7, question) == std::nullopt);
}

TEST_CASE("dns question: a server that refuses the query may leave the question out", "[unit]") {
    const DnsQuestion question{"", dns_type_ns};
    auto short_one = answer_to(dns_query(7, question), 1);
    short_one.resize(12);
    short_one[5] = std::byte{0};
    CHECK(dns_answer_rcode(short_one, 7, question) == 1);
    short_one[3] = std::byte{0};
    CHECK(dns_answer_rcode(short_one, 7, question) == std::nullopt);
}

TEST_CASE("dns question: cut and random messages are no answers", "[unit]") {
    const DnsQuestion question{"a.bc", dns_type_ptr};
    const auto good = answer_to(dns_query(7, question), 0);
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK(dns_answer_rcode(std::span(good).first(size), 7, question) == std::nullopt);
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::byte> message(random() % 64);
        for (auto& byte : message)
            byte = static_cast<std::byte>(random());
        (void)dns_answer_rcode(message, 7, question);
    }
}

TEST_CASE("dns question: rcodes have their names", "[unit]") {
    CHECK(rcode_name(0) == "NOERROR");
    CHECK(rcode_name(2) == "SERVFAIL");
    CHECK(rcode_name(5) == "REFUSED");
    CHECK(rcode_name(15) == "RCODE15");
}
