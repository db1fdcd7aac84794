#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/route.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::kernel;
using netlab::test::NetlinkBytes;

namespace {

using Bytes = std::vector<std::byte>;

ifaddrmsg address_header(std::uint8_t family, std::uint8_t length, std::uint32_t index) {
    ifaddrmsg header{};
    header.ifa_family = family;
    header.ifa_prefixlen = length;
    header.ifa_index = index;
    return header;
}

ifinfomsg link_header(int index, std::uint16_t type = ARPHRD_ETHER) {
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_type = type;
    header.ifi_flags = IFF_UP;
    return header;
}

IpAddress ip(const char* text) {
    return *IpAddress::parse(text);
}

/// Whatever the bytes are: nothing may crash, and nothing may be read past the end (the sanitizers tell).
void parse_everything(std::span<const std::byte> bytes) {
    const Bytes exact(bytes.begin(), bytes.end());
    static_cast<void>(parse_addresses(exact));
    static_cast<void>(parse_links(exact));
    static_cast<void>(parse_default_routes(exact));
}

}  // namespace

TEST_CASE("address: an IPv4 address keeps its host bits and its scope", "[unit]") {
    NetlinkBytes messages;
    auto header = address_header(AF_INET, 16, 7);
    header.ifa_scope = RT_SCOPE_UNIVERSE;
    messages.begin(RTM_NEWADDR, header);
    messages.address(IFA_ADDRESS, "172.18.0.2");
    messages.address(IFA_LOCAL, "172.18.0.2");
    messages.attribute(IFA_FLAGS, IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE);
    const auto rows = parse_addresses(messages.all());
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].index == 7);
    CHECK(rows[0].prefix.to_string() == "172.18.0.2/16");
    CHECK_FALSE(rows[0].peer);
    CHECK(rows[0].flags == (IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE));
}

TEST_CASE("address: of a point-to-point address the local one is ours and the other is the peer's",
          "[unit]") {
    NetlinkBytes messages;
    messages.begin(RTM_NEWADDR, address_header(AF_INET, 32, 3));
    messages.address(IFA_ADDRESS, "10.0.0.2");
    messages.address(IFA_LOCAL, "10.0.0.1");
    messages.begin(RTM_NEWADDR, address_header(AF_INET6, 128, 3));
    messages.address(IFA_LOCAL, "2001:db8::1");
    messages.address(IFA_ADDRESS, "2001:db8::2");
    messages.begin(RTM_NEWADDR, address_header(AF_INET6, 64, 3));
    messages.address(IFA_ADDRESS, "fe80::1");
    const auto rows = parse_addresses(messages.all());
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].prefix.to_string() == "10.0.0.1/32");
    CHECK(rows[0].peer == ip("10.0.0.2"));
    CHECK(rows[1].prefix.to_string() == "2001:db8::1/128");
    CHECK(rows[1].peer == ip("2001:db8::2"));
    CHECK(rows[2].prefix.to_string() == "fe80::1/64");
    CHECK_FALSE(rows[2].peer);
}

TEST_CASE("address: what is malformed or of another family is left out", "[unit]") {
    NetlinkBytes messages;
    messages.begin(RTM_NEWADDR, address_header(AF_INET, 33, 1));  // no such prefix
    messages.address(IFA_LOCAL, "10.0.0.1");
    messages.begin(RTM_NEWADDR, address_header(AF_INET, 24, 1));  // an IPv6 address in an IPv4 message
    messages.address(IFA_LOCAL, "2001:db8::1");
    messages.begin(RTM_NEWADDR, address_header(AF_PHONET, 24, 1));
    messages.address(IFA_LOCAL, "10.0.0.1");
    messages.begin(RTM_NEWADDR, address_header(AF_INET, 24, 1));  // no address at all
    messages.begin(RTM_NEWADDR, std::uint32_t{0});                // too short
    CHECK(parse_addresses(messages.all()).empty());
}

TEST_CASE("link: kind, master, peer and MAC address are read", "[unit]") {
    NetlinkBytes messages;
    messages.begin(RTM_NEWLINK, link_header(4));
    messages.text(IFLA_IFNAME, "vethab");
    messages.attribute(IFLA_MTU, 1500U);
    messages.attribute(IFLA_MASTER, 3U);
    messages.attribute(IFLA_LINK, 5U);
    messages.attribute(IFLA_LINK_NETNSID, 0U);
    const std::array<std::byte, 6> mac{std::byte{2}, std::byte{0x42}, {}, {}, {}, std::byte{1}};
    messages.bytes(IFLA_ADDRESS, mac);
    NetlinkBytes info;
    info.begin(0, std::uint32_t{0});
    info.text(IFLA_INFO_KIND, "veth");
    messages.bytes(IFLA_LINKINFO, std::span(info.all()).subspan(sizeof(nlmsghdr) + 4));
    messages.begin(RTM_NEWLINK, link_header(1, ARPHRD_LOOPBACK));
    messages.text(IFLA_IFNAME, "lo");
    messages.bytes(IFLA_ADDRESS, mac);
    const auto rows = parse_links(messages.all());
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].index == 4);
    CHECK(rows[0].name == "vethab");
    CHECK(rows[0].kind == "veth");
    CHECK(rows[0].master == 3);
    CHECK(rows[0].mtu == 1500);
    CHECK(rows[0].peer == 5U);
    CHECK(rows[0].peer_nsid == 0);
    REQUIRE(rows[0].mac);
    CHECK(rows[0].mac->to_string() == "02:42:00:00:00:01");
    CHECK(rows[1].name == "lo");
    CHECK_FALSE(rows[1].mac);
    CHECK_FALSE(rows[1].peer_nsid);
}

TEST_CASE("route: default routes of the main table with a gateway, each next hop one", "[unit]") {
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_type = RTN_UNICAST;
    header.rtm_table = RT_TABLE_MAIN;
    NetlinkBytes messages;
    messages.begin(RTM_NEWROUTE, header);
    messages.address(RTA_GATEWAY, "172.18.0.1");
    messages.attribute(RTA_OIF, 7U);
    messages.attribute(RTA_PRIORITY, 100U);
    auto other = header;
    other.rtm_dst_len = 16;
    messages.begin(RTM_NEWROUTE, other);
    messages.address(RTA_GATEWAY, "10.0.0.1");
    other = header;
    other.rtm_table = RT_TABLE_LOCAL;
    messages.begin(RTM_NEWROUTE, other);
    messages.address(RTA_GATEWAY, "10.0.0.2");
    other = header;
    other.rtm_type = RTN_UNREACHABLE;
    messages.begin(RTM_NEWROUTE, other);
    messages.begin(RTM_NEWROUTE, header);  // through a device, without a gateway
    messages.attribute(RTA_OIF, 9U);

    Bytes hops;
    for (const int index : {2, 3}) {
        rtnexthop hop{};
        hop.rtnh_len = sizeof hop + sizeof(nlattr) + 4;
        hop.rtnh_ifindex = index;
        const nlattr attribute{sizeof(nlattr) + 4, RTA_GATEWAY};
        const auto gateway = ip("10.0.0.9");
        for (const auto part : {std::as_bytes(std::span(&hop, 1)), std::as_bytes(std::span(&attribute, 1)),
                                std::as_bytes(gateway.bytes())}) {
            hops.insert(hops.end(), part.begin(), part.end());
        }
    }
    messages.begin(RTM_NEWROUTE, header);
    messages.bytes(RTA_MULTIPATH, hops);

    const auto rows = parse_default_routes(messages.all());
    REQUIRE(rows.size() == 3);
    CHECK(rows[0] == DefaultRoute{ip("172.18.0.1"), 7, 100});
    CHECK(rows[1] == DefaultRoute{ip("10.0.0.9"), 2, 0});
    CHECK(rows[2] == DefaultRoute{ip("10.0.0.9"), 3, 0});
}

TEST_CASE("netlink: truncated and broken messages never lead past their end", "[unit]") {
    NetlinkBytes messages;
    messages.begin(RTM_NEWLINK, link_header(4));
    messages.text(IFLA_IFNAME, "eth0");
    messages.begin(RTM_NEWADDR, address_header(AF_INET, 24, 4));
    messages.address(IFA_LOCAL, "10.0.0.1");
    const auto whole = messages.all();
    for (std::size_t length = 0; length <= whole.size(); ++length)
        parse_everything(std::span(whole).first(length));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int value : {0, 1, 3, 0x7F, 0xFF}) {
            auto broken = whole;
            broken[at] = static_cast<std::byte>(value);
            parse_everything(broken);
        }
    }
}
