#include "daemon/kernel/link.hpp"

#include "daemon/kernel/link_request.hpp"

#include <cerrno>

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

std::string parse_kind(std::span<const std::byte> info) {
    std::string kind;
    for_each_attribute(info, [&](int type, std::span<const std::byte> value) {
        if (type == IFLA_INFO_KIND) kind = text(value);
    });
    return kind;
}

std::optional<MacAddress> parse_mac(std::span<const std::byte> value) {
    MacAddress mac;
    if (value.size() != mac.bytes.size()) return std::nullopt;
    std::memcpy(mac.bytes.data(), value.data(), value.size());
    return mac;
}

}  // namespace

std::optional<Link> parse_link(std::span<const std::byte> message) {
    ifinfomsg header;
    if (!read(message, header) || header.ifi_family != AF_UNSPEC || header.ifi_index <= 0)
        return std::nullopt;
    Link out;
    out.index = static_cast<std::uint32_t>(header.ifi_index);
    out.flags = header.ifi_flags;
    const bool ethernet = header.ifi_type == ARPHRD_ETHER;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        std::uint32_t number = 0;
        const bool whole = read(value, number);
        switch (type) {
            case IFLA_IFNAME:
                out.name = text(value);
                break;
            case IFLA_LINKINFO:
                out.kind = parse_kind(value);
                break;
            case IFLA_ADDRESS:
                if (ethernet) out.mac = parse_mac(value);
                break;
            case IFLA_MTU:
                if (whole) out.mtu = number;
                break;
            case IFLA_MASTER:
                if (whole) out.master = number;
                break;
            case IFLA_LINK:
                if (whole) out.peer = number;
                break;
            case IFLA_LINK_NETNSID:
                if (whole) out.peer_nsid = static_cast<std::int32_t>(number);
                break;
            case IFLA_PROP_LIST:
                for_each_attribute(value, [&](int property, std::span<const std::byte> name) {
                    if (property == IFLA_ALT_IFNAME) out.alternative_names.push_back(text(name));
                });
                break;
            default:
                break;
        }
    });
    if (out.name.empty()) return std::nullopt;
    return out;
}

std::vector<Link> parse_links(std::span<const std::byte> bytes) {
    std::vector<Link> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWLINK) return;
        if (auto link = parse_link(message)) out.push_back(std::move(*link));
    });
    return out;
}

Result<std::optional<Link>> get_link(int route_socket, std::uint32_t index) {
    LinkRequest request(RTEXT_FILTER_SKIP_STATS);
    request.header.ifi_index = static_cast<int>(index);
    const auto answer = ask(route_socket, request.bytes());
    if (!answer) return answer.error();
    if (answer->error == ENODEV) return std::optional<Link>();
    if (answer->error != 0)
        return system_error(errc::operation_failed, "look up an interface", answer->error);
    const auto links = parse_links(answer->message);
    return links.empty() ? std::optional<Link>() : std::optional(links.front());
}

Result<Dump<Link>> dump_links(int route_socket, std::chrono::milliseconds deadline) {
    LinkRequest request(RTEXT_FILTER_SKIP_STATS);
    const auto raw = dump(route_socket, request.bytes(), deadline);
    if (!raw) return raw.error();
    return Dump<Link>{parse_links(raw->rows), raw->consistent, raw->notified};
}

}  // namespace netlab::kernel
