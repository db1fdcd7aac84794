#include "daemon/kernel/fdb.hpp"
#include "daemon/kernel/link_details.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <array>

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::kernel;
using netlab::test::NetlinkBytes;

namespace {

constexpr std::array<std::uint8_t, 6> some_mac{2, 0x42, 0, 0, 0, 1};

ifinfomsg header(int index, std::uint16_t type = ARPHRD_ETHER) {
    ifinfomsg out{};
    out.ifi_index = index;
    out.ifi_type = type;
    out.ifi_flags = IFF_UP | IFF_BROADCAST;
    return out;
}

/// A message of an interface of that kind.
std::vector<LinkDetails> of_kind(const std::string& kind, const NetlinkBytes& data) {
    NetlinkBytes info;
    info.text(IFLA_INFO_KIND, kind);
    info.nested(IFLA_INFO_DATA, data);
    NetlinkBytes message;
    message.begin(RTM_NEWLINK, header(7));
    message.text(IFLA_IFNAME, "it");
    message.nested(IFLA_LINKINFO, info);
    return parse_link_details(message.all());
}

NetlinkBytes a_port_with_everything() {
    rtnl_link_stats64 counters{};
    counters.rx_bytes = 1ULL << 40;
    counters.tx_dropped = 3;
    counters.multicast = 4;
    NetlinkBytes port;
    port.attribute(IFLA_BRPORT_STATE, std::uint8_t{BR_STATE_BLOCKING});
    port.attribute(IFLA_BRPORT_NO, std::uint16_t{0x8001});
    port.attribute(IFLA_BRPORT_COST, std::uint32_t{2});
    port.attribute(IFLA_BRPORT_ISOLATED, std::uint8_t{1});
    NetlinkBytes info;
    info.text(IFLA_INFO_KIND, "veth");
    info.text(IFLA_INFO_SLAVE_KIND, "bridge");
    info.nested(IFLA_INFO_SLAVE_DATA, port);
    NetlinkBytes names;
    names.text(IFLA_ALT_IFNAME, "a-much-longer-name-of-it");
    names.text(IFLA_ALT_IFNAME, "another");
    NetlinkBytes message;
    message.begin(RTM_NEWLINK, header(4));
    message.text(IFLA_IFNAME, "veth4");
    message.attribute(IFLA_ADDRESS, some_mac);
    message.attribute(IFLA_BROADCAST, std::array<std::uint8_t, 6>{255, 255, 255, 255, 255, 255});
    message.attribute(IFLA_OPERSTATE, std::uint8_t{IF_OPER_LOWERLAYERDOWN});
    message.attribute(IFLA_TXQLEN, std::uint32_t{1000});
    message.attribute(IFLA_GROUP, std::uint32_t{9});
    message.text(IFLA_QDISC, "noqueue");
    message.text(IFLA_IFALIAS, "of co1");
    message.attribute(IFLA_STATS64, counters);
    message.nested(IFLA_PROP_LIST, names);
    message.nested(IFLA_LINKINFO, info);
    return message;
}

}  // namespace

TEST_CASE("link details: counters, names, queue and bridge port of an interface are read", "[unit]") {
    auto message = a_port_with_everything();
    const auto rows = parse_link_details(message.all());
    REQUIRE(rows.size() == 1);
    const auto& row = rows[0];
    CHECK(row.link.name == "veth4");
    CHECK(row.hardware_address == "02:42:00:00:00:01");
    CHECK(row.hardware_broadcast == "ff:ff:ff:ff:ff:ff");
    CHECK(operational_state_name(row.state) == "LOWERLAYERDOWN");
    CHECK(row.tx_queue_length == 1000);
    CHECK(row.group == 9);
    CHECK(row.qdisc == "noqueue");
    CHECK(row.alias == "of co1");
    CHECK(row.link.alternative_names == std::vector<std::string>{"a-much-longer-name-of-it", "another"});
    CHECK(row.statistics.rx_bytes == 1ULL << 40);
    CHECK(row.statistics.tx_dropped == 3);
    CHECK(row.statistics.rx_multicast == 4);
    CHECK(row.port_kind == "bridge");
    REQUIRE(row.bridge_port);
    CHECK(port_state_name(row.bridge_port->state) == "blocking");
    CHECK(row.bridge_port->number == 0x8001);
    CHECK(row.bridge_port->cost == 2);
    CHECK(row.bridge_port->isolated);
    CHECK_FALSE(row.bridge_port->hairpin);
    CHECK_FALSE(row.bridge);
}

TEST_CASE("link details: what is special about each kind is read", "[unit]") {
    NetlinkBytes data;
    data.attribute(IFLA_MACVLAN_MODE, std::uint32_t{MACVLAN_MODE_PASSTHRU});
    CHECK(of_kind("macvlan", data).at(0).mode == "passthru");

    data = {};
    data.attribute(IFLA_IPVLAN_MODE, std::uint16_t{IPVLAN_MODE_L3S});
    CHECK(of_kind("ipvlan", data).at(0).mode == "l3s");

    data = {};
    data.attribute(IFLA_VLAN_ID, std::uint16_t{4094});
    data.attribute(IFLA_VLAN_PROTOCOL, htons(ETH_P_8021AD));
    CHECK(of_kind("vlan", data).at(0).vlan == VlanDetails{4094, ETH_P_8021AD});

    data = {};
    data.attribute(IFLA_VXLAN_ID, std::uint32_t{42});
    data.attribute(IFLA_VXLAN_PORT, htons(4789));
    data.attribute(IFLA_VXLAN_LINK, std::uint32_t{3});
    data.attribute(IFLA_VXLAN_GROUP, htonl(0xEF000001));
    const auto vxlan = of_kind("vxlan", data).at(0).vxlan;
    REQUIRE(vxlan);
    CHECK(vxlan->id == 42);
    CHECK(vxlan->port == 4789);
    CHECK(vxlan->parent == 3);
    CHECK(vxlan->group == *IpAddress::parse("239.0.0.1"));

    ifla_bridge_id id{};
    id.prio[0] = 0x80;
    std::memcpy(id.addr, some_mac.data(), some_mac.size());
    data = {};
    data.attribute(IFLA_BR_STP_STATE, std::uint32_t{1});
    data.attribute(IFLA_BR_VLAN_FILTERING, std::uint8_t{1});
    data.attribute(IFLA_BR_BRIDGE_ID, id);
    const auto bridge = of_kind("bridge", data).at(0).bridge;
    REQUIRE(bridge);
    CHECK(bridge->stp);
    CHECK(bridge->vlan_filtering);
    CHECK(bridge->id == "8000.02:42:00:00:00:01");
}

TEST_CASE("link details: the address of a tunnel is an IP address", "[unit]") {
    NetlinkBytes message;
    message.begin(RTM_NEWLINK, header(2, ARPHRD_TUNNEL));
    message.text(IFLA_IFNAME, "tunl0");
    message.attribute(IFLA_ADDRESS, htonl(0xC0000201));
    const auto rows = parse_link_details(message.all());
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].hardware_address == "192.0.2.1");
    CHECK(link_type_name(rows[0].type) == "ipip");
}

TEST_CASE("link details: flags are named as ip names them", "[unit]") {
    CHECK(link_flag_names(IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP) ==
          std::vector<std::string>{"LOOPBACK", "UP", "LOWER_UP"});
    CHECK(link_flag_names(IFF_UP | IFF_BROADCAST | IFF_MULTICAST) ==
          std::vector<std::string>{"NO-CARRIER", "BROADCAST", "MULTICAST", "UP"});
    CHECK(link_flag_names(0).empty());
}

TEST_CASE("fdb: entries of a bridge and of a device are told apart", "[unit]") {
    ndmsg entry{};
    entry.ndm_family = AF_BRIDGE;
    entry.ndm_ifindex = 5;
    entry.ndm_state = NUD_PERMANENT;
    NetlinkBytes messages;
    messages.begin(RTM_NEWNEIGH, entry);
    messages.attribute(NDA_LLADDR, some_mac);
    messages.attribute(NDA_MASTER, std::uint32_t{3});
    messages.attribute(NDA_VLAN, std::uint16_t{10});
    entry.ndm_flags = NTF_SELF | NTF_EXT_LEARNED;
    entry.ndm_state = NUD_REACHABLE;
    messages.begin(RTM_NEWNEIGH, entry);
    messages.attribute(NDA_LLADDR, some_mac);
    messages.attribute(NDA_DST, htonl(0xC0000201));
    entry.ndm_family = AF_INET;
    messages.begin(RTM_NEWNEIGH, entry);
    messages.attribute(NDA_LLADDR, some_mac);
    const auto rows = parse_fdb(messages.all());
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].master == 3);
    CHECK(rows[0].vlan == 10);
    CHECK(fdb_state_name(rows[0].state) == "permanent");
    CHECK(fdb_flag_names(rows[0]) == std::vector<std::string>{"master"});
    CHECK(fdb_flag_names(rows[1]) == std::vector<std::string>{"self", "extern_learn"});
    CHECK(fdb_state_name(rows[1].state).empty());
    CHECK(rows[1].remote == *IpAddress::parse("192.0.2.1"));
}

TEST_CASE("link details and fdb: truncated and broken messages never lead past their end", "[unit]") {
    auto message = a_port_with_everything();
    ndmsg entry{};
    entry.ndm_family = AF_BRIDGE;
    entry.ndm_ifindex = 5;
    message.begin(RTM_NEWNEIGH, entry);
    message.attribute(NDA_LLADDR, some_mac);
    const auto whole = message.all();
    const auto parse = [](std::span<const std::byte> bytes) {
        // Of exactly that size: the sanitizers see a byte too far.
        const std::vector<std::byte> exact(bytes.begin(), bytes.end());
        static_cast<void>(parse_link_details(exact));
        static_cast<void>(parse_fdb(exact));
    };
    for (std::size_t length = 0; length <= whole.size(); ++length)
        parse(std::span(whole).first(length));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int value : {0, 1, 3, 0x7F, 0xFF}) {
            auto broken = whole;
            broken[at] = static_cast<std::byte>(value);
            parse(broken);
        }
    }
}
