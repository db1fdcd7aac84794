#include "daemon/kernel/interface_settings.hpp"

#include "daemon/kernel/netlink.hpp"

#include <linux/netconf.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

/// include/uapi/linux/netconf.h since Linux 6.17.
constexpr int netconfa_force_forwarding = NETCONFA_BC_FORWARDING + 1;

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
            if (all) return;
            if (attribute == netconfa_force_forwarding) out.force_forwarding = number != 0;
            if (attribute == NETCONFA_PROXY_NEIGH) out.proxies = number != 0;
        });
    });
}

std::optional<bool> forwards(Family family, const InterfaceSettings& settings) {
    if (family == Family::ipv4) return settings.forwarding;
    if (settings.force_forwarding.value_or(false)) return true;
    return settings.all_forwarding;
}

Result<InterfaceSettings> query_settings(int route_socket, Family family, std::uint32_t index) {
    InterfaceSettings out;
    auto one = query(route_socket, family, static_cast<std::int32_t>(index), false, out);
    if (!one) return one.error();
    auto all = query(route_socket, family, NETCONFA_IFINDEX_ALL, true, out);
    if (!all) return all.error();
    return out;
}

}  // namespace netlab::kernel
