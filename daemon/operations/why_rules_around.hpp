#pragma once

#include "daemon/operations/why_frames.hpp"

#include <optional>

/// What the rules that a packet meets besides those of IP on the host would do to it, read as tables: FROM's
/// own, TO's own, and those that see its frames on the host. Pure.
namespace netlab::operations {

/// How a packet passes the namespace where it begins or ends.
struct WayEnd {
    std::size_t place = 0;
    HostPassage passage;                 ///< of that namespace
    const FamilyRules* rules = nullptr;  ///< nullptr: they were not read
};

/// All of them.
struct WayRules {
    std::optional<WayEnd> from;          ///< absent: it is the host
    std::optional<WayEnd> to;            ///< absent: it is the host, FROM itself, or not known
    std::optional<FramePassage> frames;  ///< absent: it does not come to the host
    const FamilyRules* host = nullptr;   ///< nullptr: they were not read
    /// Interface by which TO sends the answer, where the packet came in by another.
    std::optional<std::string> answers_by = {};
};

/// The packet's addresses on its way.
struct WayAddresses {
    IpAddress source;
    api::Endpoint destination;          ///< behind what translates it on the host
    std::optional<IpAddress> answered;  ///< the source that TO sees; absent: not known
    /// That TO's own rules give it.
    api::Endpoint inside;
};

[[nodiscard]] RulesAround decide_around(const WayRules& rules, const Flow& flow,
                                        const WayAddresses& addresses);
/// The same of its answer, which comes back by the same interfaces. Where it leaves TO by another, only TO's
/// own rules are looked at: which way it takes from there is not followed.
[[nodiscard]] RulesAround decide_answer_around(const WayRules& rules, const Flow& flow,
                                               const WayAddresses& addresses);

/// The destination that the own rules of who gets the packet give it: `destination` where they change
/// nothing. nullopt where that is not known, or it does not stay there.
[[nodiscard]] std::optional<api::Endpoint> destination_inside(const WayEnd& end, const Flow& flow,
                                                              const IpAddress& source,
                                                              const api::Endpoint& destination);

}  // namespace netlab::operations
