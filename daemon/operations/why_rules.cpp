#include "daemon/operations/why_rules.hpp"

#include "daemon/operations/missed_chain.hpp"
#include "daemon/operations/rule_owner.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using api::WhyProtocol;

std::uint8_t protocol_number(const Flow& flow) {
    if (flow.protocol == WhyProtocol::tcp) return IPPROTO_TCP;
    if (flow.protocol == WhyProtocol::udp) return IPPROTO_UDP;
    if (flow.remote.is_v4()) return IPPROTO_ICMP;
    return IPPROTO_ICMPV6;
}

using kernel::HookPart;

/// What the routing decision itself says; a link that is down shows when the packet is sent.
bool is_lost_by_routing(api::RouteStep step) {
    using api::RouteStep;
    return step == RouteStep::unreachable || step == RouteStep::prohibited || step == RouteStep::blackhole ||
           step == RouteStep::not_forwarded || step == RouteStep::refused;
}

/// By NF_INET_.
constexpr std::array hook_names{"prerouting", "input", "forward", "output", "postrouting"};

bool is_made_here(const HostPassage& passage) {
    return passage.input.empty() || passage.input == "lo";
}

/// A packet on its way through the hooks: the first rule that stops it counts.
class HookWalk {
  public:
    HookWalk(const FamilyRules& rules, const HostPassage& passage, const kernel::PacketFacts& facts)
        : rules_(rules), passage_(passage), facts_(facts) {
        out_.known = rules.known;
    }

    /// As it is from here on.
    [[nodiscard]] kernel::PacketFacts& facts() { return facts_; }
    [[nodiscard]] RulesDecision take() { return std::move(out_); }
    [[nodiscard]] bool is_untracked() const { return out_.untracks.has_value(); }
    [[nodiscard]] bool is_translation_in_doubt() const { return out_.translation_in_doubt; }

    void look(std::uint32_t hook, HookPart part = HookPart::whole) {
        const auto decision = kernel::find_drop(rules_.chains, hook, facts_, part);
        kernel::apply(decision.effects, facts_);
        if (decision.effects.zones != nullptr && !out_.zone) take_zone(decision.effects);
        const bool before_routing = hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_OUT;
        out_.marks = out_.marks || (before_routing && decision.effects.marks);
        if (decision.effects.untracks != nullptr) {
            if (!decision.effects.surely_untracks)
                may_untrack(decision.effects);
            else if (!out_.untracks)
                out_.untracks = describe_rule(*decision.effects.untrack_chain, *decision.effects.untracks);
        }
        if (decision.uncertain && out_.doubt.empty()) {
            out_.doubt = doubt_of(decision.doubtful_chain, decision.doubtful);
            out_.legacy_doubt = decision.doubtful_chain != nullptr && decision.doubtful_chain->legacy;
        }
        if (out_.rule) return;
        if (rules_.counted && is_doubtful_drop(decision))
            stop_by_counter(hook, decision);
        else if (decision.dropped && !decision.uncertain && decision.chain != nullptr)
            stop(hook, decision);
    }

    /// Whether a rule may translate it that is not understood: what comes behind then meets another packet.
    bool may_be_translated(std::uint32_t hook) {
        const auto nat = kernel::find_nat(rules_.chains, hook, facts_);
        if (nat.uncertain && out_.doubt.empty()) out_.doubt = doubt_of(nat.doubtful_chain, nat.doubtful);
        out_.translation_in_doubt = out_.translation_in_doubt || nat.uncertain;
        return nat.uncertain;
    }

  private:
    void stop(std::uint32_t hook, const kernel::FilterDecision& decision) {
        out_.rule = rule_of(decision, passage_.target);
        out_.rejects = decision.rule != nullptr && decision.rule->action == kernel::RuleAction::reject;
        out_.legacy = decision.chain->legacy;
        if (decision.rule != nullptr) out_.number = decision.rule->number;
        out_.source = {facts_.source, facts_.source_port};
        out_.destination = {facts_.destination, facts_.destination_port};
        out_.hook = hook_names.at(hook);
        out_.of_no_flow =
            is_of_no_flow() || kernel::is_before_conntrack(*decision.base->hook, facts_.input == "lo");
        if (hook != NF_INET_LOCAL_OUT && hook != NF_INET_POST_ROUTING) out_.input = passage_.input;
        if (hook != NF_INET_PRE_ROUTING && hook != NF_INET_LOCAL_IN) out_.output = passage_.output;
        if (decision.rule != nullptr) return;
        out_.programs = programs_behind(*decision.base);
        out_.engine_elsewhere = has_dockers_chain(!out_.legacy) && !has_dockers_chain(out_.legacy);
        if (const auto* missed = find_missed_chain(rules_.chains, decision, facts_))
            out_.missed = missed->name;
    }

    /// Its counter has risen, and nothing else that has would stop the packet there.
    static bool is_doubtful_drop(const kernel::FilterDecision& decision) {
        using kernel::RuleAction;
        return !decision.dropped && decision.doubtful != nullptr && decision.doubtful_chain->legacy &&
               (decision.doubtful->action == RuleAction::drop ||
                decision.doubtful->action == RuleAction::reject);
    }

    void stop_by_counter(std::uint32_t hook, kernel::FilterDecision decision) {
        decision.chain = decision.doubtful_chain;
        decision.rule = decision.doubtful;
        stop(hook, decision);
        out_.by_counter = true;
    }

    [[nodiscard]] bool has_dockers_chain(bool legacy) const {
        return std::ranges::any_of(rules_.chains, [&](const kernel::RuleChain& chain) {
            return chain.legacy == legacy && owner_by_names({}, chain.name) == "docker";
        });
    }

    [[nodiscard]] bool is_of_no_flow() const {
        return !facts_.flow || (*facts_.flow & (kernel::flow_is_untracked | kernel::flow_is_invalid)) != 0;
    }

    void take_zone(const kernel::SideEffects& effects) {
        out_.zone = ZoneRule{describe_rule(*effects.zone_chain, *effects.zones),
                             effects.surely_zones ? effects.zones->zone->of_answers : std::nullopt};
    }

    void may_untrack(const kernel::SideEffects& effects) {
        out_.translation_in_doubt = true;
        if (out_.doubt.empty()) out_.doubt = doubt_of(effects.untrack_chain, effects.untracks);
    }

    const FamilyRules& rules_;
    const HostPassage& passage_;
    kernel::PacketFacts facts_;
    RulesDecision out_;
};

/// From its last hook on the way out to the last before who takes it there.
void come_in_by_loopback(HookWalk& walk) {
    walk.look(NF_INET_POST_ROUTING);
    walk.facts().input = "lo";
    walk.facts().output = "";
    walk.look(NF_INET_PRE_ROUTING);
}

/// Conntrack does not see the packet that is answered, or sees it in a zone of its own: what the answer is
/// for conntrack is not known then.
bool is_kept_apart(const FamilyRules& rules, const HostPassage& passage, const kernel::PacketFacts& packet) {
    const std::uint32_t first = is_made_here(passage) ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    const auto effects = kernel::find_drop(rules.chains, first, packet, HookPart::before_dnat).effects;
    return effects.untracks != nullptr || effects.zones != nullptr;
}

}  // namespace

api::WhyRule rule_of(const kernel::FilterDecision& decision, const std::string& target) {
    api::WhyRule rule;
    rule.target = target;
    const auto& chain = *decision.chain;
    const auto blank = chain.table.find(' ');  // "ip nat"
    rule.family = chain.table.substr(0, blank) + (chain.legacy ? " (legacy)" : "");
    rule.table = chain.table.substr(blank + 1);
    rule.chain = chain.name;
    rule.owner = owner_by_names(rule.table, rule.chain);
    rule.owner_port = chain.owner;
    rule.text = "policy drop";
    if (decision.rule == nullptr) return rule;
    rule.text = decision.rule->to_string();
    rule.handle = decision.rule->handle;
    if (decision.rule->number)
        rule.text = "rule " + std::to_string(*decision.rule->number) + ": " + rule.text;
    return rule;
}

std::string doubt_of(const kernel::RuleChain* chain, const kernel::PacketRule* rule) {
    if (chain == nullptr) return "a rule that netlab does not understand";
    auto place = chain->table;
    if (chain->legacy) place.insert(place.find(' '), " (legacy)");
    return place + " " + chain->name + (rule == nullptr ? std::string() : ": " + rule->to_string());
}

kernel::PacketFacts packet_facts(const HostPassage& passage, const Flow& flow, const IpAddress& source) {
    kernel::PacketFacts facts;
    facts.source = source;
    facts.destination = flow.remote;
    facts.protocol = protocol_number(flow);
    if (flow.protocol != WhyProtocol::icmp) {
        // Of one that is not sent any that a program would get.
        constexpr std::uint16_t ephemeral = 40'000;
        facts.source_port = flow.own != 0 ? flow.own : ephemeral;
        facts.destination_port = flow.remote_port;
    }
    facts.input = passage.input;
    // None comes over a veth, and none is there before a rule or a program sets one.
    facts.mark = 0;
    facts.flow = kernel::flow_is_new;
    return facts;
}

std::optional<HostPassage> passage_of(const Way& way, const std::string& host,
                                      std::optional<std::size_t> place, bool bridges_filter) {
    HostPassage passage;
    passage.target = host;
    passage.lost = place && way.end_place == place && is_lost_by_routing(way.end);
    bool there = false;
    for (const auto& point : way.points) {
        if (!place || point.place != place) continue;
        const auto& kind = point.hop.kind;
        const bool stays = point.forwards && way.ends_on_bridge && way.end_place == place;
        if (stays || (point.forwards && !bridges_filter)) return std::nullopt;
        there = true;
        if (point.forwards) {
            // Rules see the bridge, not its ports.
            passage.input = passage.output = point.hop.interface;
            continue;
        }
        if (kind == "destination") {
            passage.input = point.hop.interface;
            passage.for_host = true;
        } else if (kind == "source" || kind == "route") {
            passage.output = point.hop.interface;
        } else if ((kind == "port" || kind == "bridge") && passage.output.empty()) {
            passage.input = point.hop.interface;
        }
    }
    if (passage.for_host && passage.input == "lo") passage.output = "lo";
    return there ? std::optional(passage) : std::nullopt;
}

RulesDecision decide_by_rules(const FamilyRules& rules, const HostPassage& passage, const Flow& flow,
                              const IpAddress& source, const api::Endpoint& destination) {
    HookWalk walk(rules, passage, packet_facts(passage, flow, source));
    auto& facts = walk.facts();
    const bool local = is_made_here(passage);
    const bool translated = destination.address != facts.destination || destination.port != flow.remote_port;
    // What is made here is routed before any hook sees it.
    if (local && passage.lost && !translated) return walk.take();
    const std::uint32_t first = local ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    // A hook keeps the interface that it began with, whatever a translation in it leads to.
    if (local && !translated) facts.output = passage.output;
    if (local) facts.input = "";
    if (!translated) facts.destination_local = passage.for_host;
    walk.look(first, HookPart::before_dnat);
    if (!translated && walk.is_translation_in_doubt()) return walk.take();
    if (!translated && !walk.is_untracked() && walk.may_be_translated(first)) return walk.take();
    if (translated) {
        facts.destination = destination.address;
        facts.destination_port = destination.port;
        facts.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    }
    walk.look(first, HookPart::behind_dnat);
    facts.output = passage.output;
    if (passage.lost) return walk.take();
    facts.destination_local = passage.for_host;
    if (passage.for_host) {
        if (local) come_in_by_loopback(walk);
        walk.look(NF_INET_LOCAL_IN);
        return walk.take();
    }
    if (!local) walk.look(NF_INET_FORWARD);
    walk.look(NF_INET_POST_ROUTING);
    return walk.take();
}

RulesDecision decide_answer_by_rules(const FamilyRules& rules, const HostPassage& passage, const Flow& flow,
                                     const IpAddress& source, const api::Endpoint& destination,
                                     const IpAddress& answered) {
    const bool translated = destination.address != flow.remote || destination.port != flow.remote_port;
    const bool for_host = is_made_here(passage);
    const HostPassage back{passage.target, passage.output, passage.input, for_host};
    auto facts = packet_facts(passage, flow, source);
    const auto there = facts;
    facts.destination = source;
    facts.source = destination.address;
    facts.destination_port = facts.source_port;
    facts.source_port = destination.port;
    facts.input = back.input;
    facts.flow = kernel::flow_is_established | (translated ? kernel::flow_has_dnat : 0U);
    facts.destination = answered;
    facts.destination_local = for_host || answered != source;
    if (is_kept_apart(rules, passage, there)) kernel::forget_flow(facts);
    HookWalk walk(rules, back, facts);
    if (passage.lost) return walk.take();
    // Before conntrack gives it FROM's own address.
    if (!passage.for_host) walk.look(NF_INET_PRE_ROUTING, HookPart::before_dnat);
    if (walk.is_untracked() && (translated || answered != source)) return walk.take();
    walk.facts().destination = source;
    walk.facts().destination_local = for_host;
    if (!passage.for_host) walk.look(NF_INET_PRE_ROUTING, HookPart::behind_dnat);
    walk.facts().output = back.output;
    if (for_host && !passage.for_host) {
        walk.look(NF_INET_LOCAL_IN);
        return walk.take();
    }
    if (passage.for_host) walk.facts().input = "";
    walk.look(passage.for_host ? NF_INET_LOCAL_OUT : NF_INET_FORWARD);
    if (for_host) {
        come_in_by_loopback(walk);
        walk.look(NF_INET_LOCAL_IN);
    } else {
        walk.look(NF_INET_POST_ROUTING);
    }
    return walk.take();
}

}  // namespace netlab::operations
