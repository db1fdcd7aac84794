#include "daemon/kernel/interface_settings.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <linux/netconf.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::kernel;
using netlab::test::NetlinkBytes;

namespace {

NetlinkBytes message(std::int32_t forwarding, std::int32_t proxies, std::optional<std::int32_t> forced) {
    NetlinkBytes bytes;
    struct {
        netconfmsg header{AF_INET6};
        std::uint8_t padding[3]{};
    } header;
    bytes.begin(RTM_NEWNETCONF, header);
    bytes.attribute(NETCONFA_IFINDEX, std::int32_t{2});
    bytes.attribute(NETCONFA_FORWARDING, forwarding);
    bytes.attribute(NETCONFA_PROXY_NEIGH, proxies);
    if (forced) bytes.attribute(NETCONFA_BC_FORWARDING + 1, *forced);
    return bytes;
}

}  // namespace

TEST_CASE("settings: an interface's own, and of all only forwarding", "[unit]") {
    InterfaceSettings settings;
    take_settings(message(1, 1, 0).all(), false, settings);
    CHECK(settings == InterfaceSettings{true, std::nullopt, false, true});
    take_settings(message(0, 0, 1).all(), true, settings);
    CHECK(settings == InterfaceSettings{true, false, false, true});
    take_settings({}, false, settings);
    CHECK(settings == InterfaceSettings{true, false, false, true});
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
    netlab::test::parse_damaged(message(1, 1, 1).all(), [&](const std::vector<std::byte>& bytes) {
        InterfaceSettings settings;
        take_settings(bytes, false, settings);
        known += settings.forwarding ? 1 : 0;
    });
    CHECK(known > 0);
}
