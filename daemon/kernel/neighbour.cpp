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
    });
    if (!has_address) return std::nullopt;
    return neighbour;
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
    DumpRequest<ndmsg> request(RTM_GETNEIGH);
    const auto raw = dump(route_socket, request.bytes());
    if (!raw) return raw.error();
    return Dump<Neighbour>{parse_neighbours(raw->rows), raw->consistent, raw->notified};
}

}  // namespace netlab::kernel
