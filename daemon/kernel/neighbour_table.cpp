#include "daemon/kernel/neighbour_table.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace netlab::kernel {

namespace {

/// A table's own message; those of single interfaces have their parameters only.
std::optional<NeighbourTable> parse_message(std::span<const std::byte> message, Family family) {
    ndtmsg header;
    if (!read(message, header)) return std::nullopt;
    if (header.ndtm_family != (family == Family::ipv4 ? AF_INET : AF_INET6)) return std::nullopt;
    NeighbourTable table;
    bool has_config = false;
    bool has_limit = false;
    for_each_attribute(message.subspan(NLMSG_ALIGN(sizeof header)),
                       [&](int type, std::span<const std::byte> value) {
                           ndt_config config;
                           if (type == NDTA_CONFIG && read(value, config)) {
                               table.entries = config.ndtc_entries;
                               has_config = true;
                           }
                           if (type == NDTA_THRESH2) (void)read(value, table.soft);
                           if (type == NDTA_THRESH3) has_limit = read(value, table.hard);
                       });
    return has_config && has_limit ? std::optional(table) : std::nullopt;
}

}  // namespace

std::optional<NeighbourTable> parse_neighbour_table(std::span<const std::byte> bytes, Family family) {
    std::optional<NeighbourTable> found;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWNEIGHTBL || found) return;
        found = parse_message(message, family);
    });
    return found;
}

Result<NeighbourTable> read_neighbour_table(int route_socket, Family family) {
    DumpRequest<ndtmsg> request(RTM_GETNEIGHTBL);
    request.header.ndtm_family = family == Family::ipv4 ? AF_INET : AF_INET6;
    const auto answer = dump(route_socket, request.bytes());
    if (!answer) return answer.error();
    const auto table = parse_neighbour_table(answer->rows, family);
    if (!table)
        return Error{errc::unsupported, "this kernel does not tell how full its neighbour table is", {}, {}};
    return *table;
}

}  // namespace netlab::kernel
