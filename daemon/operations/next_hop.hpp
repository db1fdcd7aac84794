#pragma once

#include "common/api/target.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/topology.hpp"

#include <optional>
#include <string>

/// What a namespace's neighbour entries say of a router that it sends by, without asking him.
namespace netlab::operations {

/// Something that keeps packets from where they go.
struct Hindrance {
    Explanation why;
    bool certain = true;  ///< false: it may
    friend bool operator==(const Hindrance&, const Hindrance&) = default;
};

/// How the namespace of `target` knows its next hop on one interface.
enum class HopEntry : std::uint8_t {
    fine,     ///< he has told his link-layer address, or nothing speaks against him
    none,     ///< nobody has asked for it lately
    silent,   ///< he has been asked for it, and has not answered
    by_hand,  ///< somebody has set it, and whose it is is not known
};

/// For `run`, of that route socket: an entry which is wrong for certain, or how it knows him.
struct HopKnowledge {
    HopEntry entry = HopEntry::fine;
    std::optional<Hindrance> wrong{};  ///< another's; not certain where that one may send on what he gets
    std::string address{};
    std::string interface {};
    std::string target{};
    std::string mac{};  ///< of `by_hand`
};
[[nodiscard]] HopKnowledge look_at_next_hop(const Topology& topology, int route_socket, Port at,
                                            const IpAddress& next_hop, const api::Target& target);

/// Somebody has set the entry that says where that address is: who is told so does not ask for it.
[[nodiscard]] bool is_set_by_hand(int route_socket, std::uint32_t index, const IpAddress& address);

/// Whether what is sent there gets to him. `rule`: the policy rule that leads there, where that is not one of
/// the usual ones; "" otherwise: of those nobody need have been asked for lately. Pure.
[[nodiscard]] std::optional<Hindrance> judge_next_hop(const HopKnowledge& known, const std::string& rule);

}  // namespace netlab::operations
