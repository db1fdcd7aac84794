#include "daemon/kernel/fdb.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

std::optional<FdbEntry> parse_entry(std::span<const std::byte> message) {
    ndmsg header;
    if (!read(message, header) || header.ndm_family != AF_BRIDGE || header.ndm_ifindex <= 0)
        return std::nullopt;
    FdbEntry out;
    out.index = static_cast<std::uint32_t>(header.ndm_ifindex);
    out.state = header.ndm_state;
    out.flags = header.ndm_flags;
    bool has_mac = false;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        std::uint16_t vlan = 0;
        if (type == NDA_LLADDR && value.size() == out.mac.bytes.size()) has_mac = read(value, out.mac.bytes);
        if (type == NDA_MASTER) static_cast<void>(read(value, out.master));
        if (type == NDA_VLAN && read(value, vlan)) out.vlan = vlan;
        if (type == NDA_DST && (value.size() == 4 || value.size() == 16)) {
            out.remote =
                IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
        }
    });
    return has_mac ? std::optional(out) : std::nullopt;
}

}  // namespace

std::vector<FdbEntry> parse_fdb(std::span<const std::byte> bytes) {
    std::vector<FdbEntry> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWNEIGH) return;
        if (const auto entry = parse_entry(message)) out.push_back(*entry);
    });
    return out;
}

Result<Dump<FdbEntry>> dump_fdb(int route_socket) {
    DumpRequest<ndmsg> request(RTM_GETNEIGH);
    request.header.ndm_family = AF_BRIDGE;
    const auto raw = dump(route_socket, request.bytes());
    if (!raw) return raw.error();
    return Dump<FdbEntry>{parse_fdb(raw->rows), raw->consistent, raw->notified};
}

std::string fdb_state_name(std::uint16_t state) {
    if ((state & NUD_PERMANENT) != 0) return "permanent";
    if ((state & NUD_NOARP) != 0) return "static";
    if ((state & NUD_STALE) != 0) return "stale";
    if ((state & NUD_REACHABLE) != 0) return {};
    return "state=" + std::to_string(state);
}

std::vector<std::string> fdb_flag_names(const FdbEntry& entry) {
    std::vector<std::string> names;
    const auto flag = [&](std::uint8_t bit, const char* name) {
        if ((entry.flags & bit) != 0) names.emplace_back(name);
    };
    flag(NTF_SELF, "self");
    if (entry.master != 0 || (entry.flags & NTF_MASTER) != 0) names.emplace_back("master");
    flag(NTF_ROUTER, "router");
    flag(NTF_EXT_LEARNED, "extern_learn");
    flag(NTF_OFFLOADED, "offload");
    flag(NTF_STICKY, "sticky");
    return names;
}

}  // namespace netlab::kernel
