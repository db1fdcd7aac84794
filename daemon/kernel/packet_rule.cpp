#include "daemon/kernel/packet_rule.hpp"

#include "daemon/kernel/rule_parts.hpp"
#include "daemon/kernel/rule_walk.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

namespace netlab::kernel {

using rule_match::is_called;
using rule_match::Match;
using rule_match::match;

void forget_flow(PacketFacts& packet) {
    packet.tcp_flags = rule_match::tcp_flags_of(packet);
    packet.icmp_type = rule_match::icmp_type_of(packet);
    packet.flow.reset();
}

void apply(const SideEffects& effects, PacketFacts& packet) {
    if (effects.marks) packet.mark.reset();
    if (effects.untracks != nullptr) take_from_conntrack(packet, effects.surely_untracks);
}

bool meets(const PacketRule& rule, const PacketFacts& packet) {
    return match(rule, packet) == Match::yes;
}

std::vector<std::string> next_chains(const PacketRule& rule) {
    const auto leads = [](RuleAction action) {
        return action == RuleAction::jump || action == RuleAction::go_to;
    };
    std::vector<std::string> out;
    if (leads(rule.action)) out.push_back(rule.chain);
    if (!rule.verdicts) return out;
    for (const auto& element : rule.verdicts->set->elements) {
        PacketRule said;
        if (element.verdict) rule_parts::take_verdict(said, element.verdict->code, element.verdict->chain);
        if (leads(said.action)) out.push_back(said.chain);
    }
    return out;
}

namespace {

/// Of equal priority the one that was registered last is the first (nf_hook_entries_grow of
/// net/netfilter/core.c); dumps list tables and their chains as they were made, and iptables-legacy's tables
/// come when somebody first asks for them.
std::vector<const RuleChain*> in_order(std::vector<const RuleChain*> chains) {
    std::ranges::reverse(chains);
    std::ranges::stable_sort(chains, {}, [](const RuleChain* chain) { return chain->hook->priority; });
    return chains;
}

/// Those that packets of one hook come to by themselves, in order.
std::vector<const RuleChain*> bases(const std::vector<RuleChain>& chains, std::uint32_t hook, bool nat) {
    std::vector<const RuleChain*> out;
    for (const auto& chain : chains) {
        if (chain.nat == nat && chain.hook && chain.hook->number == hook) out.push_back(&chain);
    }
    return in_order(std::move(out));
}

bool is_in(HookPart part, const RuleChain& chain) {
    if (part == HookPart::whole) return true;
    return (chain.hook->priority < NF_IP_PRI_NAT_DST) == (part == HookPart::before_dnat);
}

}  // namespace

bool is_before_conntrack(const NftHook& hook, bool by_loopback) {
    const bool first =
        hook.number == NF_INET_LOCAL_OUT || (hook.number == NF_INET_PRE_ROUTING && !by_loopback);
    return first && hook.priority <= NF_IP_PRI_CONNTRACK;
}

bool is_drop(const NatDecision& decision) {
    return decision.action == RuleAction::drop || decision.action == RuleAction::reject;
}

namespace {

/// Through the NAT chains of one hook.
NatDecision walk_nat(RuleWalk& walk, const std::vector<RuleChain>& chains, std::uint32_t hook) {
    for (const auto* base : bases(chains, hook, true)) {
        const auto after = walk.base(*base);
        if (after == RuleWalk::After::decided) break;
        if (after != RuleWalk::After::back || !base->drops) continue;
        walk.decision.chain = base;
        walk.decision.action = RuleAction::drop;
        break;
    }
    walk.decision.effects = walk.effects;
    return walk.decision;
}

/// What it meets as if those were not there, if that certainly translates it.
std::optional<PlacedRule> nat_without(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                      const PacketFacts& packet, const std::vector<PlacedRule>& skipped) {
    RuleWalk walk(chains, packet);
    for (const auto& one : skipped)
        walk.skip(one.rule);
    const auto nat = walk_nat(walk, chains, hook);
    const bool of_source = hook == NF_INET_POST_ROUTING || hook == NF_INET_LOCAL_IN;
    const bool gives = of_source ? nat.action == RuleAction::masquerade || nat.action == RuleAction::snat
                                 : nat.action == RuleAction::dnat || nat.action == RuleAction::redirect;
    return gives && !nat.uncertain ? std::optional(PlacedRule{nat.chain, nat.rule}) : std::nullopt;
}

/// All that it meets that end a chain, until none does.
std::vector<PlacedRule> endings(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                const PacketFacts& packet) {
    constexpr std::size_t most = 32;
    std::vector<PlacedRule> all;
    while (all.size() < most) {
        RuleWalk walk(chains, packet);
        for (const auto& one : all)
            walk.skip(one.rule);
        (void)walk_nat(walk, chains, hook);
        if (walk.ending.empty()) break;
        all.insert(all.end(), walk.ending.begin(), walk.ending.end());
    }
    return all;
}

}  // namespace

NatDecision find_nat(const std::vector<RuleChain>& chains, std::uint32_t hook, const PacketFacts& packet) {
    RuleWalk walk(chains, packet);
    return walk_nat(walk, chains, hook);
}

std::optional<UnmetNat> find_unmet_nat(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                       const PacketFacts& packet) {
    const auto met = find_nat(chains, hook, packet);
    if (met.uncertain || met.action != RuleAction::none) return std::nullopt;
    UnmetNat out{{}, endings(chains, hook, packet)};
    const auto unmet = nat_without(chains, hook, packet, out.ending);
    if (!unmet) return std::nullopt;
    // Those of other chains, and those behind it, change nothing.
    for (std::size_t i = 0; i < out.ending.size();) {
        auto fewer = out.ending;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
        if (nat_without(chains, hook, packet, fewer))
            out.ending = std::move(fewer);
        else
            ++i;
    }
    out.unmet = *unmet;
    return out;
}

namespace {

/// Of two chains, the second's behind what the first has done.
void add(SideEffects& to, const SideEffects& more) {
    to.marks = to.marks || more.marks;
    if (to.surely_untracks || to.surely_zones) return;
    if (to.zones == nullptr) {
        to.zone_chain = more.zone_chain;
        to.zones = more.zones;
        to.surely_zones = more.surely_zones;
    }
    if (to.untracks != nullptr) return;
    to.untrack_chain = more.untrack_chain;
    to.untracks = more.untracks;
    to.surely_untracks = more.surely_untracks;
}

/// How a chain sees the packet, and whether conntrack is still to see it then.
struct Seen {
    PacketFacts packet;
    Match conntrack_ahead;
};

/// The packet as a chain of its hook sees it.
Seen as_seen_by(const RuleChain& chain, PacketFacts packet) {
    const bool untracked = packet.flow && (*packet.flow & flow_is_untracked) != 0;
    if (untracked || !is_before_conntrack(*chain.hook, packet.input == "lo")) return {packet, Match::no};
    packet.tracked = false;
    // Of equal priority it is not known which comes first.
    if (chain.hook->priority < NF_IP_PRI_CONNTRACK) return {packet, Match::yes};
    packet.tracked = true;
    packet.flow.reset();
    return {packet, Match::maybe};
}

/// What the NAT chains of a hook do to a packet for those of its other chains that come behind.
struct ByNat {
    std::int32_t priority = 0;
    bool marks = false;
    bool gives_source = false;
    std::optional<IpAddress> source{};  ///< that it gives; absent: which is not known

    void say_in(PacketFacts& packet) const {
        if (marks) packet.mark.reset();
        if (!gives_source) return;
        packet.source_known = source.has_value();
        if (source) packet.source = *source;
    }
};

ByNat pass_nat(const std::vector<RuleChain>& chains, std::uint32_t hook, PacketFacts packet) {
    const auto at = bases(chains, hook, true);
    const bool untracked = packet.flow && (*packet.flow & flow_is_untracked) != 0;
    if (at.empty() || untracked) return {};
    // Rules are asked of a flow's first packet alone: the others fare as it did.
    packet.flow = flow_is_new;
    const auto nat = find_nat(chains, hook, packet);
    ByNat out{at.front()->hook->priority, nat.effects.marks};
    if (hook != NF_INET_POST_ROUTING) return out;
    const bool masquerades = nat.action == RuleAction::masquerade;
    // Of a range of addresses which one is not known.
    out.gives_source = masquerades || nat.uncertain || nat.action == RuleAction::snat;
    if (masquerades && !nat.uncertain) out.source = packet.masqueraded_as;
    return out;
}

/// `as_seen` says that of each of them.
template <class AsSeen>
FilterDecision pass_each(const std::vector<RuleChain>& chains, const std::vector<const RuleChain*>& in_order,
                         PacketFacts packet, AsSeen as_seen) {
    FilterDecision passed;
    RuleWalk walk(chains, packet);
    for (const auto* base : in_order) {
        auto seen = as_seen(*base, packet);
        // Of what is untracked the state is known before conntrack, too.
        if (passed.effects.untracks != nullptr) seen.packet = packet;
        walk.restart(seen.packet, seen.conntrack_ahead);
        const auto after = walk.base(*base);
        const bool untracked = passed.effects.untracks == nullptr && walk.effects.untracks != nullptr;
        add(passed.effects, walk.effects);
        if (walk.effects.marks) packet.mark.reset();
        if (untracked && passed.effects.untracks != nullptr)
            take_from_conntrack(packet, passed.effects.surely_untracks);
        const auto& doubt = walk.decision;
        const bool by_rule = after == RuleWalk::After::decided && is_drop(doubt);
        const bool by_policy = after == RuleWalk::After::back && base->drops;
        if (by_rule || by_policy) {
            return {true,
                    by_rule ? doubt.chain : base,
                    by_rule ? doubt.rule : nullptr,
                    walk.may_accept || walk.may_else,
                    doubt.doubtful_chain,
                    doubt.doubtful,
                    by_policy && walk.left_early,
                    passed.effects,
                    base};
        }
        if (!walk.may_else || passed.uncertain) continue;
        passed.uncertain = true;
        passed.doubtful_chain = doubt.doubtful_chain;
        passed.doubtful = doubt.doubtful;
        passed.base = base;
    }
    return passed;
}

/// By its table's family, for the numbers of hooks mean something else in each.
bool is_at(const RuleChain& chain, const FramePoint& point) {
    using Kind = FramePoint::Kind;
    if (!chain.hook) return false;
    if (chain.table.starts_with("bridge "))
        return point.kind == Kind::bridge && chain.hook->number == point.bridge;
    const bool on_device = std::ranges::any_of(
        chain.hook->devices, [&](const std::string& wanted) { return is_called(point.device, wanted); });
    const bool inet = chain.table.starts_with("inet ");
    const auto ingress = inet ? std::uint32_t{NF_INET_INGRESS} : std::uint32_t{NF_NETDEV_INGRESS};
    if (point.kind == Kind::ingress) return on_device && chain.hook->number == ingress;
    return point.kind == Kind::egress && !inet && on_device && chain.hook->number == NF_NETDEV_EGRESS;
}

}  // namespace

FilterDecision find_drop(const std::vector<RuleChain>& chains, std::uint32_t hook, const PacketFacts& packet,
                         HookPart part) {
    auto at = bases(chains, hook, false);
    std::erase_if(at, [&](const RuleChain* chain) { return !is_in(part, *chain); });
    const auto by_nat = part == HookPart::before_dnat ? ByNat{} : pass_nat(chains, hook, packet);
    auto passed = pass_each(chains, at, packet, [&](const RuleChain& chain, PacketFacts seen) {
        if (chain.hook->priority > by_nat.priority) by_nat.say_in(seen);
        return as_seen_by(chain, std::move(seen));
    });
    passed.effects.marks = passed.effects.marks || by_nat.marks;
    return passed;
}

FilterDecision find_frame_drop(const std::vector<RuleChain>& chains, const FramePoint& point,
                               const PacketFacts& packet) {
    std::vector<const RuleChain*> at;
    for (const auto& chain : chains) {
        if (is_at(chain, point)) at.push_back(&chain);
    }
    if (at.empty()) return {};
    // A bridge's conntrack is a module of its own, which may be there; what leaves has been seen.
    const bool leaves = point.kind == FramePoint::Kind::egress;
    const auto as_it_is = [&](const RuleChain&, const PacketFacts& frame) {
        return Seen{frame, leaves ? Match::no : Match::maybe};
    };
    return pass_each(chains, in_order(std::move(at)), packet, as_it_is);
}

void name_interfaces(std::vector<RuleChain>& chains, const std::function<std::string(std::uint32_t)>& name) {
    const auto put = [&](std::optional<Condition<std::string>>& condition) {
        if (!condition || !condition->value.starts_with('/')) return;
        std::uint32_t index = 0;
        const auto& text = condition->value;
        std::from_chars(text.data() + 1, text.data() + text.size(), index);
        if (auto known = name(index); !known.empty()) condition->value = std::move(known);
    };
    for (auto& chain : chains) {
        for (auto& rule : chain.rules) {
            put(rule.input);
            put(rule.output);
        }
    }
}

}  // namespace netlab::kernel
