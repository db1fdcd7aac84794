#include "daemon/kernel/interface_settings.hpp"

#include "daemon/kernel/link_request.hpp"
#include "daemon/kernel/netlink.hpp"

#include <algorithm>

#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

/// DEVCONF_FORCE_FORWARDING of include/uapi/linux/ipv6.h since Linux 6.17, a place in IFLA_INET6_CONF.
constexpr std::size_t devconf_force_forwarding = 59;

struct SettingsRequest {
    nlmsghdr message{};
    netconfmsg header{};
    std::uint8_t padding[3]{};
    nlattr attribute{};
    std::int32_t index = 0;

    SettingsRequest(Family family, std::int32_t of) : index(of) {
        message.nlmsg_type = RTM_GETNETCONF;
        header.ncm_family = family == Family::ipv4 ? AF_INET : AF_INET6;
        attribute.nla_type = NETCONFA_IFINDEX;
        attribute.nla_len = sizeof attribute + sizeof index;
    }
    [[nodiscard]] std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(this, 1)); }
};

Result<void> query(int route_socket, Family family, std::int32_t index, bool all, InterfaceSettings& out) {
    SettingsRequest request(family, index);
    const auto answer = ask(route_socket, request.bytes());
    if (!answer) return answer.error();
    if (answer->error == 0) take_settings(answer->message, all, out);
    return {};
}

}  // namespace

void take_settings(std::span<const std::byte> bytes, bool all, InterfaceSettings& out) {
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        // The header is one byte, and attributes begin at a multiple of four.
        constexpr std::size_t attributes = 4;
        if (type != RTM_NEWNETCONF || message.size() < attributes) return;
        for_each_attribute(message.subspan(attributes), [&](int attribute, std::span<const std::byte> value) {
            std::int32_t number = 0;
            if (!read(value, number)) return;
            if (attribute == NETCONFA_FORWARDING) (all ? out.all_forwarding : out.forwarding) = number != 0;
            // IN_DEV_RPFILTER
            if (attribute == NETCONFA_RP_FILTER) out.rp_filter = std::max(out.rp_filter.value_or(0), number);
            // IN_DEV_PROXY_ARP and ndisc_recv_ns(): it is enough where either is set.
            if (attribute == NETCONFA_PROXY_NEIGH) out.proxies = out.proxies.value_or(false) || number != 0;
        });
    });
}

void take_force_forwarding(std::span<const std::byte> bytes, InterfaceSettings& out) {
    const auto take = [&](int type, std::span<const std::byte> settings) {
        constexpr std::size_t start = devconf_force_forwarding * sizeof(std::int32_t);
        std::int32_t number = 0;
        if (type != IFLA_INET6_CONF || settings.size() < start + sizeof number) return;
        if (read(settings.subspan(start), number)) out.force_forwarding = number != 0;
    };
    for_each_message(bytes, [&](std::uint16_t message_type, std::span<const std::byte> message) {
        if (message_type != RTM_NEWLINK || message.size() < sizeof(ifinfomsg)) return;
        for_each_attribute(
            message.subspan(sizeof(ifinfomsg)), [&](int type, std::span<const std::byte> value) {
                if (type != IFLA_AF_SPEC) return;
                for_each_attribute(value, [&](int family, std::span<const std::byte> of_family) {
                    if (family == AF_INET6) for_each_attribute(of_family, take);
                });
            });
    });
}

std::optional<bool> forwards(Family family, const InterfaceSettings& settings) {
    if (family == Family::ipv4) return settings.forwarding;
    if (settings.force_forwarding.value_or(false)) return true;
    return settings.all_forwarding;
}

std::string forwarding_sysctl(Family family, const InterfaceSettings& settings, std::string interface) {
    if (family == Family::ipv6) return "net.ipv6.conf.all.forwarding";
    if (!settings.all_forwarding.value_or(false)) return "net.ipv4.ip_forward";
    // sysctl(8) takes a slash for a dot that is part of a name.
    std::ranges::replace(interface, '.', '/');
    return "net.ipv4.conf." + interface + ".forwarding";
}

Result<InterfaceSettings> query_settings(int route_socket, Family family, std::uint32_t index) {
    InterfaceSettings out;
    auto one = query(route_socket, family, static_cast<std::int32_t>(index), false, out);
    if (!one) return one.error();
    auto all = query(route_socket, family, NETCONFA_IFINDEX_ALL, true, out);
    if (!all) return all.error();
    if (family == Family::ipv6 && out.all_forwarding == false) {
        LinkRequest request(RTEXT_FILTER_SKIP_STATS);
        request.header.ifi_index = static_cast<int>(index);
        const auto link = ask(route_socket, request.bytes());
        if (!link) return link.error();
        if (link->error == 0) take_force_forwarding(link->message, out);
    }
    return out;
}

}  // namespace netlab::kernel
