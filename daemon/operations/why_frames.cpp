#include "daemon/operations/why_frames.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

namespace netlab::operations {

namespace {

using Kind = kernel::FramePoint::Kind;
using Side = FramePassage::Side;

/// Goes through the host's points of a way.
class Passing {
  public:
    Passing(FramePassage& out, const std::function<bool(const std::string&)>& is_bridge)
        : out_(out), is_bridge_(is_bridge) {}

    void take(const WayPoint& point) {
        const auto& kind = point.hop.kind;
        const auto& name = point.hop.interface;
        if (point.forwards) {
            // A bond, or what carries macvlans, is none.
            out_.known = out_.known && is_bridge_(name) && !routed_ && before_.size() == 1;
            out_.switched = true;
            out_.input = Side{before_.empty() ? std::string() : before_.front(), name};
            out_.output = Side{{}, name};
            routed_ = true;
        } else if (kind == "route" || kind == "source") {
            come_in();
            out_.output = Side{{}, name};
        } else if (kind == "nat") {
            come_in();
        } else if (routed_ && out_.output) {
            if (out_.output->port.empty()) out_.output->port = name;
        } else {
            before_.push_back(name);
        }
    }
    void end() {
        come_in();
        for (auto* side : {&out_.input, &out_.output}) {
            // A port of something else than a bridge.
            if (*side && !(*side)->port.empty() && !is_bridge_((*side)->interface)) out_.known = false;
        }
    }

  private:
    /// The last of what it passed is what takes it; before that is the port of a bridge.
    void come_in() {
        if (!routed_ && !before_.empty()) {
            out_.input = Side{before_.size() > 1 ? before_.front() : std::string(), before_.back()};
            out_.known = out_.known && before_.size() <= 2;
        }
        routed_ = true;
    }

    FramePassage& out_;
    const std::function<bool(const std::string&)>& is_bridge_;
    std::vector<std::string> before_;
    bool routed_ = false;
};

/// Through the rules that see frames, one point after the other; the first that drops it counts.
class FrameWalk {
  public:
    FrameWalk(const FamilyRules& rules, const std::string& target, kernel::PacketFacts packet)
        : rules_(rules), target_(target), packet_(std::move(packet)) {
        // Conntrack has not seen it, or rules there do not ask it.
        kernel::forget_flow(packet_);
        packet_.destination_local.reset();
        out_.known = rules.known;
    }

    void device(Kind kind, const std::string& name) {
        const bool in = kind == Kind::ingress;
        if (!name.empty()) look({kind, name}, in ? "ingress" : "egress", in ? name : "", in ? "" : name);
    }
    void bridge(std::uint32_t hook, const std::string& input, const std::string& output) {
        static constexpr std::array names{"prerouting", "input", "forward", "output", "postrouting"};
        look({Kind::bridge, {}, hook}, names.at(hook), input, output);
    }
    [[nodiscard]] RulesDecision take() { return std::move(out_); }

    void look(const kernel::FramePoint& point, const char* hook, const std::string& input,
              const std::string& output) {
        packet_.input = input.empty() ? std::nullopt : std::optional(input);
        packet_.output = output.empty() ? std::nullopt : std::optional(output);
        const auto decision = kernel::find_frame_drop(rules_.frames, point, packet_);
        const auto& effects = decision.effects;
        out_.marks = out_.marks || effects.marks;
        if (effects.marks) packet_.mark.reset();
        // Whether conntrack comes to it there is not known.
        if (effects.untracks != nullptr) doubt(effects.untrack_chain, effects.untracks);
        if (effects.zones != nullptr) doubt(effects.zone_chain, effects.zones);
        if (decision.uncertain) doubt(decision.doubtful_chain, decision.doubtful);
        if (out_.rule || !decision.dropped || decision.uncertain || decision.chain == nullptr) return;
        out_.rule = rule_of(decision, target_);
        out_.rejects = decision.rule != nullptr && decision.rule->action == kernel::RuleAction::reject;
        out_.source = {packet_.source, packet_.source_port};
        out_.destination = {packet_.destination, packet_.destination_port};
        out_.hook = hook;
        out_.input = input;
        out_.output = output;
        out_.of_no_flow = true;
    }

  private:
    void doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule) {
        if (out_.doubt.empty()) out_.doubt = doubt_of(chain, rule);
    }

    const FamilyRules& rules_;
    const std::string& target_;
    kernel::PacketFacts packet_;
    RulesDecision out_;
};

/// Which of them it meets is not known.
RulesDecision unknown_passage(const FamilyRules& rules) {
    RulesDecision out;
    out.known = rules.known;
    const auto first = std::ranges::find_if(
        rules.frames, [](const kernel::RuleChain& chain) { return chain.hook.has_value(); });
    if (first != rules.frames.end()) out.doubt = doubt_of(&*first, nullptr);
    return out;
}

}  // namespace

std::optional<FramePassage> frames_of(const Way& way, const std::string& host, std::size_t place,
                                      const std::function<bool(const std::string&)>& is_bridge) {
    const auto is_host = [&](const WayPoint& point) { return point.place == place; };
    const auto first = std::ranges::find_if(way.points, is_host);
    if (first == way.points.end()) return std::nullopt;
    const auto end = std::find_if_not(first, way.points.end(), is_host);
    FramePassage out{host};
    // It comes to the host more than once.
    out.known = std::none_of(end, way.points.end(), is_host);
    Passing passing(out, is_bridge);
    for (auto one = first; one != end; ++one)
        passing.take(*one);
    passing.end();
    return out;
}

RulesDecision decide_frames_in(const FamilyRules& rules, const FramePassage& passage,
                               const kernel::PacketFacts& packet) {
    FrameWalk walk(rules, passage.target, packet);
    if (!passage.input || rules.frames.empty()) return walk.take();
    if (!passage.known) return unknown_passage(rules);
    const auto& [port, interface] = *passage.input;
    walk.device(Kind::ingress, port);
    if (!port.empty()) walk.bridge(NF_BR_PRE_ROUTING, port, {});
    if (passage.switched) {
        const auto& out = passage.output ? passage.output->port : std::string();
        walk.bridge(NF_BR_FORWARD, port, out);
        walk.bridge(NF_BR_POST_ROUTING, {}, out);
        walk.device(Kind::egress, out);
        return walk.take();
    }
    if (!port.empty()) walk.bridge(NF_BR_LOCAL_IN, port, {});
    walk.device(Kind::ingress, interface);
    return walk.take();
}

RulesDecision decide_frames_out(const FamilyRules& rules, const FramePassage& passage,
                                const kernel::PacketFacts& packet) {
    FrameWalk walk(rules, passage.target, packet);
    if (!passage.output || passage.switched || rules.frames.empty()) return walk.take();
    if (!passage.known) return unknown_passage(rules);
    const auto& [port, interface] = *passage.output;
    walk.device(Kind::egress, interface);
    if (!port.empty()) {
        walk.bridge(NF_BR_LOCAL_OUT, {}, port);
        walk.bridge(NF_BR_POST_ROUTING, {}, port);
    }
    walk.device(Kind::egress, port);
    return walk.take();
}

RulesDecision decide_frame_at(const FamilyRules& rules, const std::string& target,
                              const kernel::FramePoint& point, const kernel::PacketFacts& packet) {
    FrameWalk walk(rules, target, packet);
    walk.device(point.kind, point.device);
    return walk.take();
}

}  // namespace netlab::operations
