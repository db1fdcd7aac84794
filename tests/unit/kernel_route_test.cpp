#include "daemon/kernel/neighbour.hpp"
#include "daemon/kernel/route_entry.hpp"
#include "daemon/kernel/route_names.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/kernel/rule.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <linux/neighbour.h>

using namespace netlab;
using namespace netlab::kernel;
using netlab::test::NetlinkBytes;
using netlab::test::parse_damaged;

namespace {

using Bytes = std::vector<std::byte>;

rtmsg route_header(std::uint8_t family, std::uint8_t length, std::uint8_t kind = RTN_UNICAST) {
    rtmsg header{};
    header.rtm_family = family;
    header.rtm_dst_len = length;
    header.rtm_type = kind;
    header.rtm_table = RT_TABLE_MAIN;
    return header;
}

/// An RTA_MULTIPATH of two next hops.
Bytes multipath() {
    Bytes out;
    const auto add = [&](int index, std::uint8_t hops, std::uint8_t flags, const char* gateway) {
        const rtnexthop header{sizeof(rtnexthop) + 8, flags, hops, index};
        const nlattr attribute{8, RTA_GATEWAY};
        const auto address = *IpAddress::parse(gateway);
        const auto append = [&](auto bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
        append(std::as_bytes(std::span(&header, 1)));
        append(std::as_bytes(std::span(&attribute, 1)));
        append(std::as_bytes(address.bytes()));
    };
    add(2, 2, 0, "192.0.2.1");
    add(3, 0, RTNH_F_LINKDOWN | RTNH_F_DEAD, "198.51.100.1");
    return out;
}

Bytes metrics() {
    NetlinkBytes nested;
    nested.begin(0, nlattr{});
    nested.attribute(RTAX_LOCK, 1U << RTAX_MTU);
    nested.attribute(RTAX_MTU, 1400U);
    nested.text(RTAX_CC_ALGO, "cubic");
    nested.attribute(200, 7U);  // one that this program does not know
    const auto& bytes = nested.all();
    return {bytes.begin() + sizeof(nlmsghdr) + sizeof(nlattr), bytes.end()};
}

NetlinkBytes one_of_each() {
    NetlinkBytes messages;
    auto header = route_header(AF_INET, 0);
    header.rtm_protocol = RTPROT_STATIC;
    messages.begin(RTM_NEWROUTE, header);
    messages.attribute(RTA_TABLE, 4711U);
    messages.attribute(RTA_PRIORITY, 50U);
    messages.address(RTA_PREFSRC, "192.0.2.9");
    messages.bytes(RTA_METRICS, metrics());
    messages.bytes(RTA_MULTIPATH, multipath());
    messages.begin(RTM_NEWROUTE, route_header(AF_INET6, 48, RTN_BLACKHOLE));
    messages.address(RTA_DST, "2001:db8:1::");
    messages.attribute(RTA_NH_ID, 12U);
    messages.attribute(RTA_PREF, std::uint8_t{1});
    fib_rule_hdr rule{};
    rule.family = AF_INET;
    rule.action = FR_ACT_TO_TBL;
    rule.src_len = 24;
    rule.flags = FIB_RULE_INVERT;
    messages.begin(RTM_NEWRULE, rule);
    messages.address(FRA_SRC, "192.0.2.0");
    messages.attribute(FRA_PRIORITY, 100U);
    messages.attribute(FRA_TABLE, 300U);
    messages.attribute(FRA_SUPPRESS_PREFIXLEN, 0xFFFFFFFFU);
    messages.attribute(FRA_FWMARK, 0x10U);
    messages.attribute(FRA_FWMASK, 0xF0U);
    messages.text(FRA_IIFNAME, "eth0");
    messages.attribute(FRA_DPORT_RANGE, 443U | 444U << 16);
    ndmsg neighbour{};
    neighbour.ndm_family = AF_INET;
    neighbour.ndm_ifindex = 2;
    neighbour.ndm_state = NUD_STALE;
    neighbour.ndm_flags = NTF_ROUTER;
    messages.begin(RTM_NEWNEIGH, neighbour);
    messages.address(NDA_DST, "192.0.2.1");
    messages.bytes(NDA_LLADDR, Bytes(6, std::byte{2}));
    messages.attribute(NDA_FLAGS_EXT, std::uint32_t{NTF_EXT_MANAGED});
    messages.attribute(NDA_PROBES, 3U);
    return messages;
}

}  // namespace

TEST_CASE("route: a multipath default route with metrics, in a table above 255", "[unit]") {
    auto messages = one_of_each();
    const auto routes = parse_routes(messages.all());
    REQUIRE(routes.size() == 2);
    const auto& route = routes[0];
    CHECK(route.destination.length() == 0);
    CHECK(route.table == 4711);
    CHECK(route.metric == 50U);
    CHECK(route.protocol == RTPROT_STATIC);
    CHECK(route.source == *IpAddress::parse("192.0.2.9"));
    CHECK(route.metrics.values[RTAX_MTU] == 1400U);
    CHECK(route.metrics.locked == 1U << RTAX_MTU);
    CHECK(route.metrics.congestion == "cubic");
    REQUIRE(route.hops.size() == 2);
    CHECK(route.hops[0] == NextHop{*IpAddress::parse("192.0.2.1"), 2, 3, 0, 0});
    CHECK(route.hops[1] ==
          NextHop{*IpAddress::parse("198.51.100.1"), 3, 1, RTNH_F_LINKDOWN | RTNH_F_DEAD, 0});
}

TEST_CASE("route: a blackhole of IPv6 has no way, and keeps its next hop object", "[unit]") {
    auto messages = one_of_each();
    const auto route = parse_routes(messages.all()).at(1);
    CHECK(route.kind == RTN_BLACKHOLE);
    CHECK(route.destination.to_string() == "2001:db8:1::/48");
    CHECK(route.nexthop_id == 12U);
    CHECK(route.preference == 1);
    CHECK(route.hop.index == 0);
    CHECK_FALSE(route.hop.gateway);
    CHECK_FALSE(route.metric);
}

TEST_CASE("route: a gateway of the other family, and an address of the wrong length", "[unit]") {
    NetlinkBytes messages;
    messages.begin(RTM_NEWROUTE, route_header(AF_INET, 8));
    messages.address(RTA_DST, "10.0.0.0");
    Bytes via(2);
    via[0] = std::byte{AF_INET6};
    const auto gateway = *IpAddress::parse("2001:db8::1");
    const auto bytes = std::as_bytes(gateway.bytes());
    via.insert(via.end(), bytes.begin(), bytes.end());
    messages.bytes(RTA_VIA, via);
    messages.begin(RTM_NEWROUTE, route_header(AF_INET, 8));
    messages.address(RTA_DST, "2001:db8::");  // not of the family that the header says
    messages.begin(RTM_NEWROUTE, route_header(AF_INET, 33));
    messages.begin(RTM_NEWROUTE, route_header(AF_MPLS, 20));
    const auto routes = parse_routes(messages.all());
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].hop.gateway == gateway);
    CHECK(routes[1].destination.to_string() == "0.0.0.0/8");
}

TEST_CASE("rule: its conditions, and what stands for none", "[unit]") {
    auto messages = one_of_each();
    const auto rules = parse_rules(messages.all());
    REQUIRE(rules.size() == 1);
    const auto& rule = rules[0];
    CHECK(rule.from->to_string() == "192.0.2.0/24");
    CHECK_FALSE(rule.to);
    CHECK(rule.priority == 100);
    CHECK(rule.table == 300);
    CHECK_FALSE(rule.suppress_prefix_length);
    CHECK(rule.mark == 0x10);
    CHECK(rule.mask == 0xF0U);
    CHECK(rule.input == "eth0");
    CHECK(rule.destination_ports == std::pair<std::uint16_t, std::uint16_t>{443, 444});
    CHECK(rule.flags == FIB_RULE_INVERT);
}

TEST_CASE("neighbour: state, flags of both kinds, and what was not said", "[unit]") {
    auto messages = one_of_each();
    const auto rows = parse_neighbours(messages.all());
    REQUIRE(rows.size() == 1);
    CHECK(neighbour_state_name(rows[0].state) == "STALE");
    CHECK(neighbour_flag_names(rows[0].flags) == std::vector<std::string>{"router", "managed"});
    CHECK(rows[0].mac->to_string() == "02:02:02:02:02:02");
    CHECK(rows[0].probes == 3);
    CHECK_FALSE(rows[0].confirmed);
    CHECK(neighbour_state_name(0) == "NONE");
}

TEST_CASE("route, rule, neighbour: bytes that are cut or changed anywhere are survived", "[unit]") {
    auto messages = one_of_each();
    std::size_t parsed = 0;
    parse_damaged(messages.all(), [&](const Bytes& bytes) {
        parsed += parse_routes(bytes).size() + parse_rules(bytes).size() + parse_neighbours(bytes).size();
    });
    CHECK(parsed > 0);
}

TEST_CASE("route: a question names only what was given", "[unit]") {
    const auto plain = route_request({*IpAddress::parse("192.0.2.1"), std::nullopt, 0, 0, 0, false});
    CHECK(plain.size() == sizeof(nlmsghdr) + sizeof(rtmsg) + 8);
    const auto full =
        route_request({*IpAddress::parse("2001:db8::1"), *IpAddress::parse("2001:db8::2"), 7, 3, 4, true});
    CHECK(full.size() == sizeof(nlmsghdr) + sizeof(rtmsg) + 20 + 20 + 8 + 8 + 8);
    rtmsg header;
    REQUIRE(read(std::span(full).subspan(sizeof(nlmsghdr)), header));
    CHECK(header.rtm_family == AF_INET6);
    CHECK(header.rtm_dst_len == 128);
    CHECK(header.rtm_src_len == 128);
    CHECK(header.rtm_flags == RTM_F_FIB_MATCH);
}

TEST_CASE("route: numbers have ip's names, and those without a name are numbers", "[unit]") {
    CHECK(table_name(254) == "main");
    CHECK(table_name(100) == "100");
    CHECK(protocol_name(RTPROT_KERNEL) == "kernel");
    CHECK(protocol_name(77) == "77");
    CHECK(route_kind_name(RTN_THROW) == "throw");
    CHECK(route_flag_names(RTNH_F_ONLINK | RTNH_F_LINKDOWN) ==
          std::vector<std::string>{"onlink", "linkdown"});
    CHECK(hexadecimal(0xF0) == "0xf0");
}
