#include "daemon/operations/conntrack_row.hpp"
#include "daemon/operations/conntrack_staleness.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/conntrack_bytes.hpp"

#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::test;
using namespace netlab::operations;
using kernel::Conntrack;
using kernel::ConntrackChange;

namespace {

struct Change {
    ConntrackChange change = ConntrackChange::updated;
    Conntrack entry;
};

std::vector<Change> parse(const std::vector<std::byte>& bytes, std::uint64_t* left_out = nullptr) {
    std::vector<Change> out;
    const auto count = kernel::parse_conntrack(bytes, [&](ConntrackChange change, const Conntrack& entry) {
        out.push_back({change, entry});
    });
    if (left_out != nullptr) *left_out = count;
    return out;
}

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}
IpPrefix net(std::string_view text) {
    return *IpPrefix::parse(text);
}

/// A client outside, a published port of 198.51.100.1, and where its packets are sent.
Conntrack published(std::uint8_t protocol, const std::string& to, std::uint16_t port) {
    Conntrack entry;
    entry.original = {
        ip("198.51.100.9"), ip("198.51.100.1"), protocol, std::uint16_t{40000}, std::uint16_t{53}, {}, {}};
    entry.reply = {ip(to), ip("198.51.100.9"), protocol, port, std::uint16_t{40000}, {}, {}};
    return entry;
}

ConntrackSurroundings docker_host() {
    ConntrackSurroundings around;
    around.own = {ip("198.51.100.1"), ip("172.17.0.1"), ip("127.0.0.1")};
    around.bridges = {{"docker0", net("172.17.0.1/16")}, {"br-net", net("172.18.0.1/16")}};
    return around;
}

/// As Docker writes them: UDP port 53 of any local address to 172.17.0.5, but for what comes by its bridges.
kernel::RuleChain docker_rules() {
    kernel::PacketRule pass;
    pass.action = kernel::RuleAction::return_;
    pass.input = kernel::Condition<std::string>{"br-net", false};
    kernel::PacketRule rule;
    rule.action = kernel::RuleAction::dnat;
    rule.protocol = kernel::Condition<std::uint8_t>{IPPROTO_UDP, false};
    rule.destination_port = kernel::Condition<kernel::PortRange>{{53, 53}, false};
    rule.input = kernel::Condition<std::string>{"docker0", true};
    rule.to_address = ip("172.17.0.5");
    rule.to_port = 53;
    kernel::RuleChain chain;
    chain.table = "ip nat";
    chain.name = "PREROUTING";
    chain.hook = kernel::NftHook{NF_INET_PRE_ROUTING, -100};
    chain.nat = true;
    chain.rules = {pass, rule};
    return chain;
}

const AddressNames nobody({});

}  // namespace

TEST_CASE("conntrack: an entry is read with all that the kernel tells of it", "[unit]") {
    const auto read = parse(whole_entry().all());
    REQUIRE(read.size() == 1);
    const auto& entry = read[0].entry;
    CHECK(entry.original == kernel::ConntrackTuple{ip("198.51.100.9"),
                                                   ip("198.51.100.1"),
                                                   IPPROTO_TCP,
                                                   std::uint16_t{40000},
                                                   std::uint16_t{8080},
                                                   {},
                                                   {}});
    CHECK(entry.reply == kernel::ConntrackTuple{ip("172.17.0.4"),
                                                ip("198.51.100.9"),
                                                IPPROTO_TCP,
                                                std::uint16_t{80},
                                                std::uint16_t{40000},
                                                {},
                                                {}});
    CHECK(entry.state_name() == "ESTABLISHED");
    CHECK(entry.replied());
    CHECK(entry.destination_translated());
    CHECK_FALSE(entry.source_translated());
    CHECK(entry.timeout == 431'999U);
    CHECK(entry.original_counter == kernel::ConntrackCounter{CTA_COUNTERS_ORIG, 1ULL << 33});
    CHECK(entry.reply_counter == kernel::ConntrackCounter{CTA_COUNTERS_REPLY, 1ULL << 33});
    CHECK(entry.started_ns == 1'700'000'000'000'000'001ULL);
    CHECK_FALSE(entry.stopped_ns);
    CHECK(entry.helper == "ftp");
    CHECK(entry.mark == 7U);
    CHECK(entry.zone == std::uint16_t{5});
    CHECK(entry.id == 0xCAFE0001U);
    CHECK(entry.use == 2U);
    CHECK(kernel::conntrack_status_names(entry.status) ==
          std::vector<std::string>{"seen_reply", "assured", "confirmed", "dst_nat", "dst_nat_done"});
}

TEST_CASE("conntrack: new, updated and destroyed are told apart by type and flags", "[unit]") {
    auto created = whole_entry().all();
    nlmsghdr header;
    std::memcpy(&header, created.data(), sizeof header);
    header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
    std::memcpy(created.data(), &header, sizeof header);
    CHECK(parse(created).at(0).change == ConntrackChange::created);
    CHECK(parse(whole_entry().all()).at(0).change == ConntrackChange::updated);
    CHECK(parse(whole_entry(conntrack_delete).all()).at(0).change == ConntrackChange::destroyed);
    // Of another subsystem, an expectation's: no entry.
    CHECK(parse(whole_entry(NFNL_SUBSYS_CTNETLINK_EXP << 8).all()).empty());
}

TEST_CASE("conntrack: echoes have type, code and id in place of ports, IPv6 too", "[unit]") {
    NetlinkBytes bytes;
    bytes.begin(conntrack_new, nfgenmsg{AF_INET6, NFNETLINK_V0, 0});
    const TupleText there{"fd00::2", "fd00::1", IPPROTO_ICMPV6};
    const TupleText back{"fd00::1", "fd00::2", IPPROTO_ICMPV6};
    bytes.nested(CTA_TUPLE_ORIG, icmp_tuple(there, 128, 77));
    bytes.nested(CTA_TUPLE_REPLY, icmp_tuple(back, 129, 77));
    const auto read = parse(bytes.all());
    REQUIRE(read.size() == 1);
    const auto& entry = read[0].entry;
    CHECK(entry.original.icmp == kernel::ConntrackIcmp{128, 0, 77});
    CHECK(entry.reply.icmp == kernel::ConntrackIcmp{129, 0, 77});
    CHECK_FALSE(entry.original.source_port);
    CHECK_FALSE(entry.translated());
    CHECK(entry.state_name().empty());
    CHECK_FALSE(entry.timeout);
    CHECK(conntrack_delete_command(entry) ==
          "conntrack -D -f ipv6 -p icmpv6 -s fd00::2 -d fd00::1 --icmpv6-type 128 --icmpv6-code 0 "
          "--icmpv6-id 77");
}

TEST_CASE("conntrack: an entry without two whole directions is left out and counted", "[unit]") {
    std::uint64_t left_out = 0;
    NetlinkBytes one;
    one.begin(conntrack_new, nfgenmsg{AF_INET, NFNETLINK_V0, 0});
    one.nested(CTA_TUPLE_ORIG, port_tuple({"10.0.0.1", "10.0.0.2"}));
    CHECK(parse(one.all(), &left_out).empty());
    CHECK(left_out == 1);
    // Both families in one entry are no entry.
    one.nested(CTA_TUPLE_REPLY, port_tuple({"fd00::1", "fd00::2"}));
    CHECK(parse(one.all(), &left_out).empty());
    CHECK(left_out == 1);
    // An address of another length is none.
    NetlinkBytes odd;
    odd.bytes(CTA_IP_V4_SRC, std::vector<std::byte>(16));
    NetlinkBytes tuple;
    tuple.nested(CTA_TUPLE_IP, odd);
    NetlinkBytes wrong;
    wrong.begin(conntrack_new, nfgenmsg{AF_INET, NFNETLINK_V0, 0});
    wrong.nested(CTA_TUPLE_ORIG, tuple);
    wrong.nested(CTA_TUPLE_REPLY, port_tuple({"10.0.0.2", "10.0.0.1"}));
    CHECK(parse(wrong.all(), &left_out).empty());
    CHECK(left_out == 1);
}

TEST_CASE("conntrack: damaged bytes are read without harm", "[unit]") {
    parse_damaged(whole_entry().all(), [](const std::vector<std::byte>& bytes) {
        for (const auto& [change, entry] : parse(bytes)) {
            static_cast<void>(entry.state_name());
            static_cast<void>(conntrack_delete_command(entry));
        }
        kernel::ConntrackStatistics statistics;
        kernel::parse_conntrack_statistics(bytes, statistics);
    });
}

TEST_CASE("conntrack: statistics are summed over all processors", "[unit]") {
    NetlinkBytes bytes;
    bytes.begin(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS, nfgenmsg{});
    big_endian(bytes, CTA_STATS_GLOBAL_ENTRIES, std::uint32_t{90});
    big_endian(bytes, CTA_STATS_GLOBAL_MAX_ENTRIES, std::uint32_t{100});
    for (const std::uint32_t drops : {3U, 4U}) {
        bytes.begin(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU, nfgenmsg{});
        big_endian(bytes, CTA_STATS_DROP, drops);
        big_endian(bytes, CTA_STATS_EARLY_DROP, std::uint32_t{1});
    }
    kernel::ConntrackStatistics statistics;
    kernel::parse_conntrack_statistics(bytes.all(), statistics);
    CHECK(statistics.entries == 90U);
    CHECK(statistics.maximum == 100U);
    CHECK(statistics.dropped == 7U);
    CHECK(statistics.early_dropped == 2U);
    CHECK_FALSE(statistics.insert_failed);
}

TEST_CASE("conntrack: a table is a finding from 90 % of its maximum on", "[unit]") {
    const auto row = [](std::uint64_t entries, std::uint64_t maximum) {
        return table_row("host", {entries, maximum, 0, 0, 0});
    };
    CHECK_FALSE(row(89, 100).finding);
    REQUIRE(row(90, 100).finding);
    CHECK(row(90, 100).finding->find("90 of 100 entries (90 %)") == 0);
    CHECK(row(90, 100).suggestion == "sysctl -w net.netfilter.nf_conntrack_max=200");
    CHECK_FALSE(row(1000, 0).finding);  // no limit
    CHECK(row(0, 100).explanation);
    // What is not told is not fine, and not empty either.
    const auto unknown = table_row("host", {});
    CHECK_FALSE(unknown.explanation);
    CHECK_FALSE(unknown.entries);
}

TEST_CASE("conntrack: a row has both directions, what was translated, and names", "[unit]") {
    const AddressNames names(
        {{ip("172.17.0.4"), "web"}, {ip("172.17.0.4"), "twin"}, {ip("198.51.100.1"), "host"}});
    ConntrackRows rows(names);
    const auto entry = parse(whole_entry().all()).at(0).entry;
    const auto row = rows.row_of(entry);
    CHECK(row.original.destination.name == "host");
    CHECK(row.reply.source.name == "web");
    REQUIRE(row.dnat);
    CHECK(row.dnat->from == row.original.destination);
    CHECK(row.dnat->to == row.reply.source);
    CHECK_FALSE(row.snat);
    CHECK(row.started == "2023-11-14T22:13:20.000000001Z");
    // The next has nothing of it.
    Conntrack plain;
    plain.original.protocol = plain.reply.protocol = IPPROTO_UDP;
    const auto next = rows.row_of(plain);
    CHECK_FALSE(next.dnat);
    CHECK_FALSE(next.state);
    CHECK_FALSE(next.started);
    CHECK_FALSE(next.helper);
    CHECK_FALSE(next.reply.source.name);
    CHECK_FALSE(next.original.packets);
}

TEST_CASE("conntrack: an entry to an address that nobody has is stale", "[unit]") {
    const auto udp = published(IPPROTO_UDP, "172.17.0.4", 53);
    auto around = docker_host();
    const auto stale = find_stale(udp, around, nobody);
    REQUIRE(stale);
    CHECK(stale->explanation.find("no target has 172.17.0.4") == 0);
    CHECK(stale->suggestion ==
          "conntrack -D -p udp -s 198.51.100.9 -d 198.51.100.1 --sport 40000 --dport 53");
    // A target has it; somebody whom netlab does not know is there; it is not on a bridge.
    CHECK_FALSE(find_stale(udp, around, AddressNames({{ip("172.17.0.4"), "dns"}})));
    around.behind_ports = {ip("172.17.0.4")};
    CHECK_FALSE(find_stale(udp, around, nobody));
    CHECK_FALSE(find_stale(published(IPPROTO_UDP, "203.0.113.7", 53), docker_host(), nobody));
    // The host itself.
    CHECK_FALSE(find_stale(published(IPPROTO_UDP, "172.17.0.1", 53), docker_host(), nobody));
}

TEST_CASE("conntrack: a TCP connection that is ending is not stale, one that goes on is", "[unit]") {
    auto tcp = published(IPPROTO_TCP, "172.17.0.4", 80);
    tcp.state = 3;  // ESTABLISHED
    CHECK(find_stale(tcp, docker_host(), nobody));
    tcp.state = 7;  // TIME_WAIT
    CHECK_FALSE(find_stale(tcp, docker_host(), nobody));
}

TEST_CASE("conntrack: a UDP entry that goes elsewhere than its port's rule says is stale", "[unit]") {
    auto around = docker_host();
    around.chains = {docker_rules()};
    const AddressNames names({{ip("172.17.0.4"), "old"}, {ip("172.17.0.5"), "dns"}});
    // To the host itself, as the rule was not there yet; to another container, that has the old address now.
    for (const std::string to : {"198.51.100.1", "172.17.0.4"}) {
        INFO(to);
        const auto stale = find_stale(published(IPPROTO_UDP, to, 53), around, names);
        REQUIRE(stale);
        CHECK(stale->explanation.find("its packets go to " + to +
                                      ":53, those of a new flow to 172.17.0.5:53") != std::string::npos);
    }
    CHECK_FALSE(find_stale(published(IPPROTO_UDP, "172.17.0.5", 53), around, names));
    // What comes by Docker's bridges the proxy carries.
    for (const auto* source : {"172.17.0.9", "172.18.0.9"}) {
        auto own = published(IPPROTO_UDP, "198.51.100.1", 53);
        own.original.source = ip(source);
        CHECK_FALSE(find_stale(own, around, names));
    }
    // The host's own come to another hook.
    auto host = published(IPPROTO_UDP, "198.51.100.1", 53);
    host.original.source = ip("198.51.100.1");
    CHECK_FALSE(find_stale(host, around, names));
    // It may have come by an interface whose packets another rule sends elsewhere.
    auto with_interface = around;
    auto elsewhere = with_interface.chains[0].rules.back();
    elsewhere.input = kernel::Condition<std::string>{"eth1", false};
    elsewhere.to_address = ip("172.17.0.4");
    with_interface.chains[0].rules.insert(with_interface.chains[0].rules.begin(), elsewhere);
    CHECK_FALSE(find_stale(published(IPPROTO_UDP, "172.17.0.4", 53), with_interface, names));
    // A rule before it that is not understood may send them elsewhere.
    kernel::PacketRule limited;
    limited.more_conditions = true;
    limited.action = kernel::RuleAction::accept;
    around.chains[0].rules.insert(around.chains[0].rules.begin(), limited);
    CHECK_FALSE(find_stale(published(IPPROTO_UDP, "198.51.100.1", 53), around, names));
}

TEST_CASE("conntrack: words of a request are known or refused with what is near", "[unit]") {
    const auto roles = api::Roles::all();
    const auto refused = [&](auto set) {
        api::ConntrackRequest request;
        set(request);
        const auto checked = api::check(request, roles);
        return checked ? std::string() : checked.error().message + " — " + checked.error().hint;
    };
    CHECK(refused([](auto& r) { r.states = {"time-wait", "Unreplied"}; }).empty());
    CHECK(refused([](auto& r) { r.states = {"etablished"}; }).find("did you mean ESTABLISHED?") !=
          std::string::npos);
    CHECK(refused([](auto& r) { r.protocol = "132"; }).empty());
    CHECK(refused([](auto& r) { r.protocol = "udb"; }).find("did you mean udp?") != std::string::npos);
    CHECK(refused([](auto& r) {
              r.protocol = "icmp";
              r.port = 7;
          }).find("icmp has no ports") == 0);
    api::Roles observe;
    observe.add(api::Role::observe);
    CHECK(api::check(api::ConntrackRequest{}, observe).error().code == errc::permission_denied);
    api::ConntrackRequest of_co1;
    of_co1.target = "co1";
    CHECK(api::check(of_co1, observe));
    api::ConntrackEventsRequest events;
    events.duration_ms = -1;
    CHECK_FALSE(api::check(events, roles));
}
