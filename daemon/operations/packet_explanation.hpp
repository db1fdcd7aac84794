#pragma once

#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/firewall_programs.hpp"
#include "daemon/operations/port_judgement.hpp"

/// Why a packet does not get where it goes, in words: rules, routes and next hops. Pure.
namespace netlab::operations {

/// What a rule that lets a packet pass asks for.
enum class PassesBy : std::uint8_t {
    destination,  ///< and its port
    source,       ///< whoever of its network
    flow,         ///< an answer, or not the first: it is of one that has been let pass
};

/// A packet that rules drop.
struct DroppedPacket {
    std::string words;                 ///< the subject of "is dropped": "what comes from outside for …"
    const kernel::PacketFacts& facts;  ///< as those rules see it
    std::string protocol{};            ///< "tcp", "udp"
    PassesBy passes_by = PassesBy::destination;
    std::optional<IpPrefix> source{};  ///< with PassesBy::source the network
    bool has_dnat = false;             ///< its destination is another before it is translated
    std::optional<StoppedFlow>
        program_flow{};                   ///< that a program of the host's may let pass; absent: none can
    const api::Target* inside = nullptr;  ///< in whose namespace; nullptr: the host's
    api::Runtime engine = api::Runtime::docker;  ///< whose rules would accept it
};

/// The rule or the policy that drops it, and what lets it pass; with find_missed_chain()'s.
[[nodiscard]] Explanation explain_drop(const DroppedPacket& dropped, const kernel::FilterDecision& decision,
                                       const kernel::RuleChain* missed);

/// The host's routes or policy rules give `what` that route, and it should leave by `output`; "": it is for
/// the host itself.
[[nodiscard]] Explanation explain_unrouted(const std::string& what, const kernel::PacketFacts& packet,
                                           const HostRoute& route, const std::string& output);

/// The next hop does not get `what`, or may not.
[[nodiscard]] Explanation explain_next_hop(const std::string& what, const Hindrance& hop);

/// Docker makes its own chains, and the jumps to them, when it starts alone.
[[nodiscard]] std::string restore_dockers_chains();

}  // namespace netlab::operations
