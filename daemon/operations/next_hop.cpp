#include "daemon/operations/next_hop.hpp"

#include "daemon/kernel/neighbour.hpp"
#include "daemon/operations/neighbour_owner.hpp"
#include "daemon/operations/wrong_neighbour.hpp"

#include <algorithm>

#include <linux/neighbour.h>

namespace netlab::operations {

HopKnowledge look_at_next_hop(const Topology& topology, int route_socket, Port at, const IpAddress& next_hop,
                              const api::Target& target) {
    HopKnowledge out{HopEntry::fine, {}, next_hop.to_string(), topology.name(at), target.name};
    const auto neighbours = kernel::dump_neighbours(route_socket);
    if (!neighbours) return out;
    const auto entry = std::ranges::find_if(neighbours->rows, [&](const kernel::Neighbour& one) {
        return one.index == at.index && one.address == next_hop;
    });
    if (entry == neighbours->rows.end()) {
        out.entry = HopEntry::none;
        return out;
    }
    if (entry->is_unanswered()) out.entry = HopEntry::silent;
    if (!entry->mac || (entry->state & (NUD_PERMANENT | NUD_NOARP)) == 0) return out;
    const auto ownership = find_owner(topology, at, *entry);
    if (!ownership.matches) {
        out.entry = HopEntry::by_hand;
        out.mac = entry->mac->to_string();
    }
    if (const auto wrong = find_wrong_neighbour(topology, route_socket, at, next_hop))
        out.wrong = Hindrance{explain_wrong_neighbour(*wrong, target), wrong->nobodys};
    return out;
}

bool is_set_by_hand(int route_socket, std::uint32_t index, const IpAddress& address) {
    const auto neighbours = kernel::dump_neighbours(route_socket);
    return neighbours && std::ranges::any_of(neighbours->rows, [&](const kernel::Neighbour& one) {
               return one.index == index && one.address == address &&
                      (one.state & (NUD_PERMANENT | NUD_NOARP)) != 0;
           });
}

std::optional<Hindrance> judge_next_hop(const HopKnowledge& known, const std::string& rule) {
    if (known.wrong) return known.wrong;
    const auto hop = known.address + " on " + known.interface;
    const auto by = rule.empty() ? std::string() : " (by the policy rule " + rule + ")";
    const auto show = rule.empty() ? "netlab neigh " + known.target : "netlab rules " + known.target;
    switch (known.entry) {
        case HopEntry::fine:
            return std::nullopt;
        case HopEntry::none:
            if (rule.empty()) return std::nullopt;
            return Hindrance{
                {known.target + " sends it to " + hop + by +
                     ", and has no neighbour entry of it: whether anybody has that address there "
                     "netlab does not know",
                 show},
                false};
        case HopEntry::silent:
            return Hindrance{{known.target + " sends it to " + hop + by +
                                  ", and nobody has answered for that address when it last asked",
                              show},
                             false};
        case HopEntry::by_hand:
            break;
    }
    return Hindrance{{known.target + " sends it to " + hop + by + ", whose MAC address " + known.mac +
                          " somebody has set: whether it is right netlab does not know",
                      "netlab neigh " + known.target},
                     false};
}

}  // namespace netlab::operations
