#include "daemon/operations/dns_message.hpp"

#include "daemon/operations/dns_client.hpp"
#include "daemon/operations/dns_datagram.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dns_bytes.hpp"

#include <ctime>
#include <random>

using namespace netlab;
using namespace netlab::operations;
using test::DnsBytes;

namespace {

using Data = std::vector<std::uint8_t>;

Data joined(std::initializer_list<Data> parts) {
    Data all;
    for (const auto& part : parts)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

Data string(std::string_view text) {
    Data data{static_cast<std::uint8_t>(text.size())};
    data.insert(data.end(), text.begin(), text.end());
    return data;
}

/// The data of one record of that type, as it is shown; "-" where the message is refused.
std::string shown(std::uint16_t type, const Data& data) {
    const auto message = parse_dns_message(DnsBytes().question("x.test", type).answer(type, data).bytes);
    return message ? message->answers.at(0).data : "-";
}

bool is_message(const Data& bytes) {
    return parse_dns_message(bytes).has_value();
}

double cpu_milliseconds(const std::function<void()>& body) {
    const auto begin = std::clock();
    body();
    return 1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("dns message: header, question and records of all sections", "[unit]") {
    const auto bytes = DnsBytes(0xBEEF, 0x85B3)
                           .question("www.Example.com", dns_type::a)
                           .answer(dns_type::a, {192, 0, 2, 7}, 300)
                           .record(8, "example.com", dns_type::ns, 60, DnsBytes::encoded("ns.example.com"))
                           .record(10, "ns.example.com", dns_type::aaaa, 60,
                                   {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
                           .record(10, "", 41, 0, {})
                           .bytes;
    const auto message = parse_dns_message(bytes);
    REQUIRE(message);
    CHECK(message->id == 0xBEEF);
    CHECK(message->response);
    CHECK(message->rcode == dns_rcode::no_such_name);
    CHECK(message->flags == api::DnsFlags{true, false, true, true, true});
    CHECK(message->question == "www.Example.com.");
    CHECK(message->question_type == dns_type::a);
    REQUIRE(message->answers.size() == 1);
    CHECK(message->answers[0] ==
          DnsResource{"www.Example.com.", dns_type::a, 300, "192.0.2.7", *IpAddress::parse("192.0.2.7")});
    REQUIRE(message->authority.size() == 1);
    CHECK(message->authority[0].data == "ns.example.com.");
    REQUIRE(message->additional.size() == 1);  // OPT is none of the zone's
    CHECK(message->additional[0].address == *IpAddress::parse("2001:db8::1"));
    CHECK(message->size == bytes.size());
}

TEST_CASE("dns message: what follows a whole message does not count, and another class is no answer",
          "[unit]") {
    auto bytes = DnsBytes().question("x.test", 1).answer(1, {10, 0, 0, 1}).bytes;
    bytes.insert(bytes.end(), {'j', 'u', 'n', 'k'});
    const auto message = parse_dns_message(bytes);
    REQUIRE(message);
    CHECK(message->extra_bytes == 4);
    CHECK(message->size == bytes.size());
    CHECK(outcome_of(*message, "x.test", 1) == NameOutcome::resolved);
    auto chaos = DnsBytes().question("x.test", 1).answer(1, {10, 0, 0, 1}).bytes;
    chaos[chaos.size() - 11] = 3;  // of the class' two bytes the second
    const auto other = parse_dns_message(chaos);
    REQUIRE(other);
    CHECK(other->answers[0].data == "\\# 4 0A000001");
    CHECK(!other->answers[0].address);
    CHECK(shown_record(other->answers[0]).dns_class == "CH");
    CHECK(outcome_of(*other, "x.test", 1) == NameOutcome::no_data);
}

TEST_CASE("dns message: names are the same whatever way their bytes are written", "[unit]") {
    CHECK(same_dns_name("a b", "A\\032b."));
    CHECK(same_dns_name("\xc3\xbc.x", "\\195\\188.x."));
    CHECK(same_dns_name("$(id)", "\\$\\(id\\)."));
    CHECK(!same_dns_name("a\\.b", "a.b"));
    CHECK(shown_dns_name("a b.x") == "a\\032b.x.");
    CHECK(shown_dns_name("") == ".");
    CHECK(dns_wire_name("a\\.b.x")->size() == 7);
    for (const auto* none : {"a..b", ".a", "a\\300", "a\\1"})
        CHECK(!dns_wire_name(none));
    CHECK(is_absolute_dns_name("a."));
    CHECK(!is_absolute_dns_name("a\\."));
    CHECK(is_absolute_dns_name("a\\\\."));
    CHECK(!is_dns_name("."));
}

TEST_CASE("dns message: data as in a zone file, type by type", "[unit]") {
    using E = DnsBytes;
    CHECK(shown(1, {10, 0, 0, 1}) == "10.0.0.1");
    CHECK(shown(5, E::encoded("a.b")) == "a.b.");
    CHECK(shown(2, E::encoded("")) == ".");
    CHECK(shown(12, {0xC0, 0x0C}) == "x.test.");  // by a pointer
    CHECK(shown(15, joined({{0, 10}, E::encoded("mail.test")})) == "10 mail.test.");
    CHECK(shown(33, joined({{0, 1, 0, 2, 0x1F, 0x90}, E::encoded("s.test")})) == "1 2 8080 s.test.");
    CHECK(shown(6, joined({E::encoded("ns.test"),
                           E::encoded("me.test"),
                           {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 255, 255, 255, 255}})) ==
          "ns.test. me.test. 1 2 3 4 4294967295");
    CHECK(shown(16, joined({string("v=spf1 -all"), string("a\"b\\c\x01")})) ==
          "\"v=spf1 -all\" \"a\\\"b\\\\c\\001\"");
    CHECK(shown(13, joined({string("RFC8482"), string("")})) == "\"RFC8482\" \"\"");
    CHECK(shown(257, joined({{0}, string("issue"), {'c', 'a', '.', 't'}})) == "0 issue \"ca.t\"");
    CHECK(shown(43, {0x12, 0x34, 8, 2, 0xAB, 0xCD}) == "4660 8 2 ABCD");
    CHECK(shown(65280, {1, 2, 0xFF}) == "\\# 3 0102FF");
    CHECK(shown(65280, {}) == "\\# 0");
    // Bytes that could be taken for something else.
    CHECK(shown(5, {3, 'a', '.', 7, 0}) == "a\\.\\007.");
}

TEST_CASE("dns message: data that is not what its type says is refused", "[unit]") {
    CHECK(shown(1, {10, 0, 0}) == "-");
    CHECK(shown(1, {10, 0, 0, 1, 2}) == "-");
    CHECK(shown(28, {10, 0, 0, 1}) == "-");
    CHECK(shown(15, {0}) == "-");
    CHECK(shown(15, {0, 10}) == "-");
    CHECK(shown(16, {}) == "-");
    CHECK(shown(16, {5, 'a'}) == "-");
    CHECK(shown(5, {1, 'a', 0, 0}) == "-");
    CHECK(shown(6, DnsBytes::encoded("ns.test")) == "-");
    CHECK(shown(257, {0, 9, 'x'}) == "-");
    CHECK(shown(5, {0xC0, 0x00 + 12, 1}) == "-");
}

TEST_CASE("dns message: what is none is refused, whatever it is", "[unit]") {
    CHECK(!is_message({}));
    CHECK(!is_message({1, 2, 3}));
    CHECK(!is_message(Data(11, 0xFF)));
    // 65,535 records in each section, and nothing behind.
    CHECK(!is_message(Data(12, 0xFF)));
    auto counts = DnsBytes().question("x.test", 1).bytes;
    counts[6] = counts[7] = 0xFF;
    CHECK(!is_message(counts));
    // A name that points to itself, and two that point to each other.
    auto loop = DnsBytes().question("x.test", 1).bytes;
    loop.insert(loop.end(), {0xC0, static_cast<std::uint8_t>(loop.size()), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0});
    loop[7] = 1;
    CHECK(!is_message(loop));
    // A label that is no length, and one that leaves the message.
    CHECK(shown(5, {0x40, 0}) == "-");
    CHECK(shown(5, {0xFF, 0xFF}) == "-");
}

TEST_CASE("dns message: the largest and worst cost little", "[unit]") {
    // 64 KiB of records, each with a name that is read through thousands of pointers.
    DnsBytes bomb;
    bomb.number(0x003F, 2);
    while (bomb.bytes.size() < 16'000)
        bomb.number(0xC000 | (bomb.bytes.size() - 2), 2);
    Data hidden(bomb.bytes.begin() + 12, bomb.bytes.end());
    DnsBytes message;
    message.record(6, "", 65280, 0, hidden);
    const auto last = message.bytes.size() - 2;
    while (message.bytes.size() < 65'000) {
        message.number(0xC000 | last, 2);
        message.number(5, 2);
        message.number(1, 2);
        message.number(0, 4);
        message.number(2, 2);
        message.number(0xC000 | last, 2);
        if (++message.bytes[7] == 0) ++message.bytes[6];
    }
    CHECK(cpu_milliseconds([&] { (void)parse_dns_message(message.bytes); }) < 50);
    // As many records as fit: those beyond the limit are counted.
    DnsBytes many;
    many.question("x.test", 1);
    for (int i = 0; i < 4000; ++i)
        many.answer(1, {10, 0, 0, 1});
    std::optional<DnsMessage> parsed;
    CHECK(cpu_milliseconds([&] { parsed = parse_dns_message(many.bytes).value(); }) < 50);
    CHECK(parsed->answers.size() == DnsMessage::most_records);
    CHECK(parsed->more_records == 4000 - DnsMessage::most_records);
}

TEST_CASE("dns message: random bytes and bitten messages do no harm", "[unit]") {
    std::mt19937 random(4242);
    const auto good = DnsBytes()
                          .question("www.example.com", 1)
                          .answer(5, DnsBytes::encoded("a.example.com"))
                          .record(6, "a.example.com", 1, 60, {10, 0, 0, 1})
                          .record(8, "example.com", 6, 60, Data(40, 0))
                          .bytes;
    for (int i = 0; i < 20'000; ++i) {
        auto bytes = good;
        for (int bites = static_cast<int>(random() % 4); bites >= 0; --bites)
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        bytes.resize(random() % (bytes.size() + 1));
        (void)parse_dns_message(bytes);
    }
}

TEST_CASE("dns message: aliases lead to the records", "[unit]") {
    const auto message = parse_dns_message(DnsBytes()
                                               .question("www.test", 1)
                                               .answer(5, DnsBytes::encoded("A.test"))
                                               .record(6, "a.test", 5, 60, DnsBytes::encoded("b.test"))
                                               .record(6, "b.test", 1, 60, {10, 0, 0, 1})
                                               .record(6, "stranger.test", 1, 60, {10, 0, 0, 2})
                                               .bytes)
                             .value();
    CHECK(records_of(message, "WWW.test.", 1).size() == 3);
    CHECK(records_of(message, "www.test", 28).size() == 2);
    CHECK(records_of(message, "www.test", 5).size() == 1);
    CHECK(records_of(message, "other.test", 1).empty());
    CHECK(outcome_of(message, "www.test", 1) == NameOutcome::resolved);
    CHECK(outcome_of(message, "www.test", 28) == NameOutcome::no_data);
}

TEST_CASE("dns message: what a response code means", "[unit]") {
    const auto outcome = [](std::uint16_t flags) {
        return outcome_of(parse_dns_message(DnsBytes(1, flags).question("x.test", 1).bytes).value(), "x.test",
                          1);
    };
    CHECK(outcome(0x8180) == NameOutcome::no_data);
    CHECK(outcome(0x8183) == NameOutcome::no_such_name);
    CHECK(outcome(0x8182) == NameOutcome::server_failure);
    CHECK(outcome(0x8185) == NameOutcome::refused);
    CHECK(outcome(0x8181) == NameOutcome::refused);
    CHECK(outcome(0x8100) == NameOutcome::refused);  // lame
    CHECK(outcome(0x8500) == NameOutcome::no_data);
}

TEST_CASE("dns datagram: what is no answer to a question", "[unit]") {
    using Outcome = api::DnsAttemptOutcome;
    const auto query = DnsBytes(0x1234, 0x0100).question("Www.test", 1).bytes;
    const auto reply = [](std::uint16_t id, std::uint16_t flags, std::string_view name, std::uint16_t type) {
        return DnsBytes(id, flags).question(name, type).bytes;
    };
    CHECK(!why_no_answer(query, reply(0x1234, 0x8180, "www.TEST", 1)));
    CHECK(why_no_answer(query, {}) == Outcome::malformed);
    CHECK(why_no_answer(query, Data(11, 0x80)) == Outcome::malformed);
    CHECK(why_no_answer(query, query) == Outcome::malformed);  // a question is no answer
    CHECK(why_no_answer(query, reply(0x4321, 0x8180, "www.test", 1)) == Outcome::wrong_id);
    CHECK(why_no_answer(query, reply(0x1234, 0x8180, "xww.test", 1)) == Outcome::wrong_question);
    CHECK(why_no_answer(query, reply(0x1234, 0x8180, "www.test", 28)) == Outcome::wrong_question);
    CHECK(why_no_answer(query, DnsBytes(0x1234, 0x8181).bytes) == Outcome::wrong_question);
    auto cut = DnsBytes(0x1234, 0x8180).question("www.test", 1).answer(1, {10, 0, 0, 1}).bytes;
    cut.pop_back();
    CHECK(why_no_answer(query, cut) == Outcome::malformed);
    cut[2] |= 0x02;
    CHECK(!why_no_answer(query, cut));
    CHECK(is_truncated(cut));
}

TEST_CASE("dns: an address' name for PTR", "[unit]") {
    CHECK(reverse_dns_name(*IpAddress::parse("172.18.0.2")) == "2.0.18.172.in-addr.arpa");
    CHECK(reverse_dns_name(*IpAddress::parse("2001:db8::1")) ==
          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

TEST_CASE("dns: servers as users write them", "[unit]") {
    const auto server = [](std::string_view text) -> std::string {
        const auto parsed = api::parse_dns_server(text);
        if (!parsed) return "-";
        return NameServer{parsed->address, parsed->zone, parsed->port}.to_string();
    };
    CHECK(server("192.0.2.1") == "192.0.2.1");
    CHECK(server("192.0.2.1:5353") == "192.0.2.1:5353");
    CHECK(server("192.0.2.1:53") == "192.0.2.1");
    CHECK(server("2001:db8::1") == "2001:db8::1");
    CHECK(server("[2001:db8::1]:5353") == "[2001:db8::1]:5353");
    CHECK(server("[2001:db8::1]") == "2001:db8::1");
    CHECK(server("fe80::1%eth0") == "fe80::1%eth0");
    CHECK(server("[fe80::1%eth0]:5353") == "[fe80::1%eth0]:5353");
    for (const auto* bad : {"", "dns.google", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:53x",
                            "[192.0.2.1]:53", "[2001:db8::1", "[2001:db8::1]5353", "192.0.2.1%eth0",
                            "fe80::1%", "fe80::1%an-interface-with-a-name", "1.2.3"}) {
        INFO(bad);
        CHECK(server(bad) == "-");
    }
}

TEST_CASE("dns: requests that cannot be meant are refused, with a hint", "[unit]") {
    const auto why = [](const std::function<void(api::DnsRequest&)>& change) {
        api::DnsRequest request;
        request.from = "co1";
        request.name = "co2";
        change(request);
        const auto checked = api::check(request, api::Roles::all());
        return checked ? std::string() : checked.error().message + " / " + checked.error().hint;
    };
    CHECK(why([](auto&) {}).empty());
    CHECK(why([](auto& r) { r.type = "mx"; }).empty());
    CHECK(why([](auto& r) { r.type = "AXFR"; }).find("CAA") != std::string::npos);
    CHECK(why([](auto& r) { r.name = "", r.type = "MX"; }).find("'.'") != std::string::npos);
    CHECK(why([](auto& r) { r.name = "192.0.2.1", r.type = "A"; }).find("PTR") != std::string::npos);
    CHECK(why([](auto& r) { r.name = "192.0.2.1", r.type = "ptr"; }).empty());
    CHECK(why([](auto& r) { r.servers = {"dns"}; }).find("[2001:db8::1]:5353") != std::string::npos);
    for (const std::string none : {"224.0.0.1", "ff02::1", "255.255.255.255", "0.0.0.0", "::"}) {
        CHECK(why([&](auto& r) { r.servers = {none}; }).starts_with(none));
        CHECK(why([&](auto& r) { r.trace = true, r.root = none; }).starts_with(none));
    }
    CHECK(why([](auto& r) { r.servers.assign(9, "192.0.2.1"); }).find("8 at most") != std::string::npos);
    CHECK(why([](auto& r) { r.wait_ms = 0; }).find("wait") != std::string::npos);
    CHECK(why([](auto& r) { r.wait_ms = 60'001; }).find("wait") != std::string::npos);
    CHECK(why([](auto& r) { r.root = "192.0.2.1"; }).find("--trace --root") != std::string::npos);
    CHECK(why([](auto& r) { r.trace = true, r.all_servers = true; }).find("--root") != std::string::npos);
    CHECK(why([](auto& r) { r.trace = true, r.root = "x"; }).find("no address") != std::string::npos);
    CHECK(why([](auto& r) { r.trace = true, r.root = "192.0.2.1:5300"; }).empty());
}
