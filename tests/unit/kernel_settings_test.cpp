#include "daemon/kernel/interface_settings.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::kernel;
using netlab::test::NetlinkBytes;

namespace {

NetlinkBytes message(std::int32_t forwarding, std::int32_t proxies) {
    NetlinkBytes bytes;
    struct {
        netconfmsg header{AF_INET6};
        std::uint8_t padding[3]{};
    } header;
    bytes.begin(RTM_NEWNETCONF, header);
    bytes.attribute(NETCONFA_IFINDEX, std::int32_t{2});
    bytes.attribute(NETCONFA_FORWARDING, forwarding);
    bytes.attribute(NETCONFA_PROXY_NEIGH, proxies);
    return bytes;
}

/// RTM_NEWLINK of a kernel that knows that many settings, all 0 but the last.
NetlinkBytes link_with_settings(std::size_t count) {
    std::vector<std::int32_t> settings(count);
    settings.back() = 1;
    NetlinkBytes v6;
    v6.bytes(IFLA_INET6_CONF, std::as_bytes(std::span(settings)));
    NetlinkBytes families;
    families.nested(AF_INET6, v6);
    NetlinkBytes bytes;
    bytes.begin(RTM_NEWLINK, ifinfomsg{});
    bytes.nested(IFLA_AF_SPEC, families);
    return bytes;
}

}  // namespace

TEST_CASE("settings: an interface's own, of all forwarding, and proxies where either says so", "[unit]") {
    InterfaceSettings settings;
    take_settings(message(1, 1).all(), false, settings);
    CHECK(settings == InterfaceSettings{true, std::nullopt, std::nullopt, true});
    take_settings(message(0, 0).all(), true, settings);
    CHECK(settings == InterfaceSettings{true, false, std::nullopt, true});
    take_settings({}, false, settings);
    CHECK(settings == InterfaceSettings{true, false, std::nullopt, true});
    InterfaceSettings by_all;
    take_settings(message(1, 0).all(), false, by_all);
    CHECK(by_all.proxies == false);
    take_settings(message(1, 1).all(), true, by_all);
    CHECK(by_all.proxies == true);
}

TEST_CASE("settings: force_forwarding is absent of a kernel that does not have it", "[unit]") {
    InterfaceSettings settings;
    take_force_forwarding(link_with_settings(59).all(), settings);
    CHECK_FALSE(settings.force_forwarding);
    take_force_forwarding(link_with_settings(60).all(), settings);
    CHECK(settings.force_forwarding == true);
    take_force_forwarding(link_with_settings(61).all(), settings);
    CHECK(settings.force_forwarding == false);
}

TEST_CASE("settings: who forwards what, and unknown is not no", "[unit]") {
    CHECK(forwards(Family::ipv4, {true, false, std::nullopt, std::nullopt}) == true);
    CHECK(forwards(Family::ipv4, {false, true, std::nullopt, std::nullopt}) == false);
    CHECK(forwards(Family::ipv6, {true, false, std::nullopt, std::nullopt}) == false);
    CHECK(forwards(Family::ipv6, {false, true, std::nullopt, std::nullopt}) == true);
    CHECK(forwards(Family::ipv6, {false, false, true, std::nullopt}) == true);
    CHECK_FALSE(forwards(Family::ipv4, {}));
    CHECK_FALSE(forwards(Family::ipv6, {}));
}

TEST_CASE("settings: damaged messages are read no further than they go", "[unit]") {
    std::size_t known = 0;
    netlab::test::parse_damaged(message(1, 1).all(), [&](const std::vector<std::byte>& bytes) {
        InterfaceSettings settings;
        take_settings(bytes, false, settings);
        known += settings.forwarding ? 1 : 0;
    });
    CHECK(known > 0);
    netlab::test::parse_damaged(link_with_settings(60).all(), [&](const std::vector<std::byte>& bytes) {
        InterfaceSettings settings;
        take_force_forwarding(bytes, settings);
        known += settings.force_forwarding ? 1 : 0;
    });
    CHECK(known > 10);
}
