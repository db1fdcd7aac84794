#pragma once

#include "daemon/operations/why_rules.hpp"

#include <functional>
#include <optional>
#include <string>

/// What the rules of bridges, and of interfaces' ingress and egress, would do to a packet's frames, read as
/// tables. Pure.
namespace netlab::operations {

/// How frames come to the host and leave it.
struct FramePassage {
    struct Side {
        std::string port{};        ///< of the bridge; "": it comes by none
        std::string interface {};  ///< the bridge, or the one that it comes by
        friend bool operator==(const Side&, const Side&) = default;
    };
    std::string target;            ///< what the host is called
    std::optional<Side> input{};   ///< absent: it is made there
    std::optional<Side> output{};  ///< absent: the host takes it
    bool switched = false;         ///< one bridge passes it from port to port
    bool known = true;             ///< false: it is not as simple as that
    friend bool operator==(const FramePassage&, const FramePassage&) = default;

    /// Of the answer, by the same interfaces.
    [[nodiscard]] FramePassage back() const { return {target, output, input, switched, known}; }
};

/// nullopt where it does not come to the host. `is_bridge`: of an interface of the host's.
[[nodiscard]] std::optional<FramePassage> frames_of(const Way& way, const std::string& host,
                                                    std::size_t place,
                                                    const std::function<bool(const std::string&)>& is_bridge);

/// Where they come in, or pass between two ports of one bridge. `packet` as it is there.
[[nodiscard]] RulesDecision decide_frames_in(const FamilyRules& rules, const FramePassage& passage,
                                             const kernel::PacketFacts& packet);
/// Where they leave; nothing of those that are only switched.
[[nodiscard]] RulesDecision decide_frames_out(const FamilyRules& rules, const FramePassage& passage,
                                              const kernel::PacketFacts& packet);
/// At an interface of that target's, where they come in or leave.
[[nodiscard]] RulesDecision decide_frame_at(const FamilyRules& rules, const std::string& target,
                                            const kernel::FramePoint& point,
                                            const kernel::PacketFacts& packet);

}  // namespace netlab::operations
