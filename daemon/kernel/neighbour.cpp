#include "daemon/kernel/neighbour.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

std::optional<Neighbour> parse_neighbour(std::span<const std::byte> message) {
    ndmsg header;
    if (!read(message, header) || (header.ndm_family != AF_INET && header.ndm_family != AF_INET6))
        return std::nullopt;
    const std::size_t address_size = header.ndm_family == AF_INET ? 4 : 16;
    Neighbour neighbour;
    neighbour.index = static_cast<std::uint32_t>(header.ndm_ifindex);
    neighbour.state = header.ndm_state;
    neighbour.flags = header.ndm_flags;
    bool has_address = false;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        if (type == NDA_DST && value.size() == address_size) {
            neighbour.address =
                IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
            has_address = true;
        }
        MacAddress mac;
        if (type == NDA_LLADDR && value.size() == mac.bytes.size() && read(value, mac.bytes))
            neighbour.mac = mac;
        if (nda_cacheinfo info; type == NDA_CACHEINFO && read(value, info)) {
            neighbour.confirmed = info.ndm_confirmed;
            neighbour.used = info.ndm_used;
            neighbour.updated = info.ndm_updated;
        }
        if (std::uint32_t number = 0; read(value, number)) {
            if (type == NDA_PROBES) neighbour.probes = number;
            if (type == NDA_FLAGS_EXT) neighbour.flags |= number << 8;
        }
        if (std::uint8_t protocol = 0; type == NDA_PROTOCOL && read(value, protocol))
            neighbour.protocol = protocol;
    });
    if (!has_address) return std::nullopt;
    return neighbour;
}

Result<Dump<Neighbour>> dump_cache(int route_socket, std::uint8_t flags) {
    DumpRequest<ndmsg> request(RTM_GETNEIGH);
    request.header.ndm_flags = flags;
    const auto raw = dump(route_socket, request.bytes());
    if (!raw) return raw.error();
    return Dump<Neighbour>{parse_neighbours(raw->rows), raw->consistent, raw->notified};
}

}  // namespace

bool Neighbour::is_unanswered() const {
    return (state & (NUD_INCOMPLETE | NUD_FAILED)) != 0;
}

std::vector<Neighbour> parse_neighbours(std::span<const std::byte> bytes) {
    std::vector<Neighbour> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWNEIGH) return;
        if (const auto neighbour = parse_neighbour(message)) out.push_back(*neighbour);
    });
    return out;
}

Result<Dump<Neighbour>> dump_neighbours(int route_socket) {
    return dump_cache(route_socket, 0);
}

Result<Dump<Neighbour>> dump_proxies(int route_socket) {
    return dump_cache(route_socket, NTF_PROXY);
}

std::string neighbour_state_name(std::uint16_t state) {
    static constexpr std::pair<std::uint16_t, const char*> names[] = {
        {NUD_INCOMPLETE, "INCOMPLETE"}, {NUD_REACHABLE, "REACHABLE"}, {NUD_STALE, "STALE"},
        {NUD_DELAY, "DELAY"},           {NUD_PROBE, "PROBE"},         {NUD_FAILED, "FAILED"},
        {NUD_NOARP, "NOARP"},           {NUD_PERMANENT, "PERMANENT"},
    };
    std::string out;
    for (const auto& [bit, name] : names) {
        if ((state & bit) != 0) out += (out.empty() ? "" : ",") + std::string(name);
    }
    return out.empty() ? "NONE" : out;
}

std::vector<std::string> neighbour_flag_names(std::uint32_t flags) {
    static constexpr std::pair<std::uint32_t, const char*> names[] = {
        {NTF_ROUTER, "router"},     {NTF_PROXY, "proxy"},   {NTF_EXT_LEARNED, "extern_learn"},
        {NTF_OFFLOADED, "offload"}, {NTF_STICKY, "sticky"}, {NTF_EXT_MANAGED << 8, "managed"},
        {1U << 9, "locked"},  // NTF_EXT_LOCKED (Linux 6.0)
    };
    std::vector<std::string> out;
    for (const auto& [bit, name] : names) {
        if ((flags & bit) != 0) out.emplace_back(name);
    }
    return out;
}

}  // namespace netlab::kernel
