#include "daemon/kernel/address.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

std::optional<IpAddress> ip_address(std::uint8_t family, std::span<const std::byte> bytes) {
    const std::size_t length = family == AF_INET ? 4 : 16;
    if (bytes.size() != length) return std::nullopt;
    return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(bytes.data()), length});
}

std::optional<Address> parse_address(std::span<const std::byte> message) {
    ifaddrmsg header;
    if (!read(message, header)) return std::nullopt;
    if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6) return std::nullopt;
    Address out;
    out.index = header.ifa_index;
    out.scope = header.ifa_scope;
    out.flags = header.ifa_flags;
    std::optional<IpAddress> local;
    std::optional<IpAddress> other;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        if (type == IFA_LOCAL) local = ip_address(header.ifa_family, value);
        if (type == IFA_ADDRESS) other = ip_address(header.ifa_family, value);
        if (type == IFA_BROADCAST) out.broadcast = ip_address(header.ifa_family, value);
        if (type == IFA_LABEL) out.label = text(value);
        if (ifa_cacheinfo times; type == IFA_CACHEINFO && read(value, times)) {
            out.valid = times.ifa_valid;
            out.preferred = times.ifa_prefered;
        }
        if (std::uint32_t flags = 0; type == IFA_FLAGS && read(value, flags)) out.flags = flags;
    });
    // IFA_ADDRESS is the peer's where there is an IFA_LOCAL and they differ (if_addr.h); IPv6 has no
    // IFA_LOCAL without a peer.
    if (local && other && *local != *other) out.peer = other;
    const auto& own = local ? local : other;
    if (!own) return std::nullopt;
    auto prefix = IpPrefix::make(*own, header.ifa_prefixlen);
    if (!prefix) return std::nullopt;
    out.prefix = *prefix;
    return out;
}

}  // namespace

std::vector<Address> parse_addresses(std::span<const std::byte> bytes) {
    std::vector<Address> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWADDR) return;
        if (auto address = parse_address(message)) out.push_back(*address);
    });
    return out;
}

Result<Dump<Address>> dump_addresses(int route_socket, std::chrono::milliseconds deadline) {
    DumpRequest<ifaddrmsg> request(RTM_GETADDR);
    const auto raw = dump(route_socket, request.bytes(), deadline);
    if (!raw) return raw.error();
    return Dump<Address>{parse_addresses(raw->rows), raw->consistent, raw->notified};
}

}  // namespace netlab::kernel
