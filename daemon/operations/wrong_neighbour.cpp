#include "daemon/operations/wrong_neighbour.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/neighbour_owner.hpp"

#include <algorithm>

#include <linux/neighbour.h>

namespace netlab::operations {

namespace {

/// Nothing but bridges and veths whose other ends are known.
bool is_all_known(const Topology& topology, Port port) {
    for (std::size_t place = 0; place < topology.size(); ++place) {
        for (const auto one : topology.on_segment(place, port)) {
            const auto& kind = topology.link(one)->kind;
            if (kind != "bridge" && (kind != "veth" || !topology.peer(one))) return false;
        }
    }
    return true;
}

bool is_nobodys(const Topology& topology, Port port, const MacAddress& mac) {
    for (std::size_t place = 0; place < topology.size(); ++place) {
        if (topology.has_mac_on_segment(place, port, mac)) return false;
    }
    return is_all_known(topology, port);
}

}  // namespace

std::optional<WrongNeighbour> find_wrong_neighbour(const Topology& topology, int route_socket, Port at,
                                                   const IpAddress& address) {
    const auto neighbours = kernel::dump_neighbours(route_socket);
    if (!neighbours) return std::nullopt;
    const auto entry = std::ranges::find_if(neighbours->rows, [&](const kernel::Neighbour& one) {
        return one.index == at.index && one.address == address;
    });
    if (entry == neighbours->rows.end() || !entry->mac) return std::nullopt;
    const auto ownership = find_owner(topology, at, *entry);
    if (!ownership.owner || ownership.matches.value_or(true)) return std::nullopt;
    return WrongNeighbour{at,
                          topology[at.place].target,
                          topology.name(at),
                          address,
                          *entry->mac,
                          topology.full_name(*ownership.owner),
                          (entry->state & (NUD_PERMANENT | NUD_NOARP)) != 0,
                          is_nobodys(topology, at, *entry->mac)};
}

Explanation explain_wrong_neighbour(const WrongNeighbour& wrong, const api::Target& target) {
    const auto address = wrong.address.to_string();
    const auto command = "ip neigh del " + address + " dev " + wrong.interface;
    return {wrong.target + " sends what is for " + address + " to the MAC address " + wrong.mac.to_string() +
                " by " + wrong.interface + ", which is not that of " + wrong.owner + ": its " +
                (wrong.permanent ? "permanent " : "") + "neighbour entry is wrong",
            is_plain_word(wrong.interface) ? command_in(target, command) : std::string()};
}

}  // namespace netlab::operations
