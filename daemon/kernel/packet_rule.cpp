#include "daemon/kernel/packet_rule.hpp"

#include "daemon/kernel/rule_match.hpp"
#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

namespace netlab::kernel {

using rule_match::find;
using rule_match::is_called;
using rule_match::Match;
using rule_match::match;

namespace {

/// Goes through chains as the kernel does, and remembers what might have come instead.
class Walk {
  public:
    Walk(const std::vector<RuleChain>& chains, const PacketFacts& packet) : packet_(packet) {
        for (const auto& chain : chains)
            by_name_.emplace(ChainName(chain.legacy, chain.table, chain.name), &chain);
    }

    /// For the next base chain, with the packet as it is then.
    void restart(const PacketFacts& packet) {
        packet_ = packet;
        decision = {};
        effects = {};
        may_accept = may_else = left_early = false;
    }

    enum class After : std::uint8_t { next, back, accepted, decided };

    /// `decided` where a rule says what becomes of the packet.
    After base(const RuleChain& chain) { return go(chain, 0); }
    /// As if the rule were not there.
    void skip(const PacketRule* rule) { skipped_.push_back(rule); }

    NatDecision decision;
    SideEffects effects;
    std::vector<PlacedRule> ending;  ///< rules that ended a base chain without a decision
    bool may_accept = false;         ///< a rule that may match would end the chain by it
    bool may_else = false;           ///< or by something else
    bool left_early = false;         ///< a rule of the base chain's ended it

  private:
    After go(const RuleChain& chain, int depth) {
        // The kernel allows no more jumps in one another (NFT_JUMP_STACK_SIZE), and no loops; what is read
        // while it changes may have both.
        constexpr int deepest = 16;
        constexpr std::size_t longest = 100'000;
        if (depth > deepest) return give_up();
        for (const auto& rule : chain.rules) {
            if (++looked_at_ > longest) return give_up();
            if (std::ranges::find(skipped_, &rule) != skipped_.end()) continue;
            const auto matched = match(rule, packet_);
            if (matched == Match::no) {
                if (rule.effects_first) take_effects(chain, rule, false);
                continue;
            }
            take_effects(chain, rule, matched == Match::yes && !may_accept && !may_else);
            if (rule.action == RuleAction::none) continue;
            // A map may say another action than the rule's own.
            PacketRule said;
            const auto* acting = &rule;
            if (rule.verdicts) {
                const auto found = find(*rule.verdicts, packet_);
                if (found.kind == NftFound::Kind::none) continue;
                if (found.kind == NftFound::Kind::one && found.element->verdict) {
                    rule_parts::take_verdict(said, found.element->verdict->code,
                                             found.element->verdict->chain);
                    acting = &said;
                    if (said.action == RuleAction::none) continue;
                }
            }
            if (matched == Match::maybe || acting->action == RuleAction::other) {
                doubt(chain, rule);
                continue;
            }
            const auto after = act(chain, rule, *acting, depth);
            if (after == After::next) continue;
            left_early = depth == 0;
            // Of an accept it is the rule itself, however deep.
            if (acting->action == RuleAction::accept || (depth == 0 && after == After::back))
                ending.push_back({&chain, &rule});
            return after;
        }
        return After::back;
    }

    /// `acting` has the action: the rule itself, or what its map says.
    After act(const RuleChain& chain, const PacketRule& rule, const PacketRule& acting, int depth) {
        switch (acting.action) {
            case RuleAction::accept:
                return After::accepted;
            case RuleAction::return_:
                return After::back;
            case RuleAction::jump:
            case RuleAction::go_to: {
                const auto to = by_name_.find(ChainName(chain.legacy, chain.table, acting.chain));
                if (to == by_name_.end()) return After::next;
                const auto after = go(*to->second, depth + 1);
                // A jump that comes back goes on here, a goto where this chain was jumped to from.
                if (after != After::back) return after;
                return acting.action == RuleAction::jump ? After::next : After::back;
            }
            default:
                decision.chain = &chain;
                decision.rule = &rule;
                decision.action = acting.action;
                return After::decided;
        }
    }

    /// `surely`: it is known that the packet meets the rule.
    void take_effects(const RuleChain& chain, const PacketRule& rule, bool surely) {
        if (rule.sets_mark) {
            effects.marks = true;
            packet_.mark.reset();
        }
        if (!rule.untracks || effects.untracks != nullptr) return;
        effects.untrack_chain = &chain;
        effects.untracks = &rule;
        effects.surely_untracks = surely;
        packet_.flow.reset();
    }

    void doubt(const RuleChain& chain, const PacketRule& rule) {
        decision.uncertain = true;
        (rule.action == RuleAction::accept ? may_accept : may_else) = true;
        if (decision.doubtful != nullptr) return;
        decision.doubtful_chain = &chain;
        decision.doubtful = &rule;
    }

    After give_up() {
        decision.uncertain = true;
        may_accept = may_else = true;
        return After::accepted;
    }

    using ChainName = std::tuple<bool, std::string_view, std::string_view>;

    PacketFacts packet_;
    std::map<ChainName, const RuleChain*> by_name_;
    std::vector<const PacketRule*> skipped_;
    std::size_t looked_at_ = 0;
};

}  // namespace

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

/// The packet as a chain of its hook sees it.
PacketFacts as_seen_by(const RuleChain& chain, PacketFacts packet) {
    if (!is_before_conntrack(*chain.hook, packet.input == "lo")) return packet;
    packet.tracked = false;
    // Of equal priority it is not known which comes first.
    if (chain.hook->priority < NF_IP_PRI_CONNTRACK) return packet;
    packet.tracked = true;
    packet.flow.reset();
    return packet;
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
NatDecision walk_nat(Walk& walk, const std::vector<RuleChain>& chains, std::uint32_t hook) {
    for (const auto* base : bases(chains, hook, true)) {
        const auto after = walk.base(*base);
        if (after == Walk::After::decided) break;
        if (after != Walk::After::back || !base->drops) continue;
        walk.decision.chain = base;
        walk.decision.action = RuleAction::drop;
        break;
    }
    walk.decision.effects = walk.effects;
    return walk.decision;
}

/// What it meets as if those were not there, if that certainly gives it another source.
std::optional<PlacedRule> source_nat_without(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                             const PacketFacts& packet,
                                             const std::vector<PlacedRule>& skipped) {
    Walk walk(chains, packet);
    for (const auto& one : skipped)
        walk.skip(one.rule);
    const auto nat = walk_nat(walk, chains, hook);
    const bool gives = nat.action == RuleAction::masquerade || nat.action == RuleAction::snat;
    return gives && !nat.uncertain ? std::optional(PlacedRule{nat.chain, nat.rule}) : std::nullopt;
}

/// All that it meets that end a chain, until none does.
std::vector<PlacedRule> endings(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                const PacketFacts& packet) {
    constexpr std::size_t most = 32;
    std::vector<PlacedRule> all;
    while (all.size() < most) {
        Walk walk(chains, packet);
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
    Walk walk(chains, packet);
    return walk_nat(walk, chains, hook);
}

std::optional<UnmetNat> find_unmet_nat(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                       const PacketFacts& packet) {
    const auto met = find_nat(chains, hook, packet);
    if (met.uncertain || met.action != RuleAction::none) return std::nullopt;
    UnmetNat out{{}, endings(chains, hook, packet)};
    const auto unmet = source_nat_without(chains, hook, packet, out.ending);
    if (!unmet) return std::nullopt;
    // Those of other chains, and those behind it, change nothing.
    for (std::size_t i = 0; i < out.ending.size();) {
        auto fewer = out.ending;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
        if (source_nat_without(chains, hook, packet, fewer))
            out.ending = std::move(fewer);
        else
            ++i;
    }
    out.unmet = *unmet;
    return out;
}

namespace {

/// `as_seen` says how each of them sees the packet.
template <class AsSeen>
FilterDecision pass_each(const std::vector<RuleChain>& chains, const std::vector<const RuleChain*>& in_order,
                         PacketFacts packet, AsSeen as_seen) {
    FilterDecision passed;
    Walk walk(chains, packet);
    for (const auto* base : in_order) {
        walk.restart(as_seen(*base, packet));
        const auto after = walk.base(*base);
        if (walk.effects.marks) packet.mark.reset();
        passed.effects.marks = passed.effects.marks || walk.effects.marks;
        if (passed.effects.untracks == nullptr && walk.effects.untracks != nullptr) {
            passed.effects.untrack_chain = walk.effects.untrack_chain;
            passed.effects.untracks = walk.effects.untracks;
            passed.effects.surely_untracks = walk.effects.surely_untracks;
            packet.flow.reset();
        }
        const auto& doubt = walk.decision;
        const bool by_rule = after == Walk::After::decided && is_drop(doubt);
        const bool by_policy = after == Walk::After::back && base->drops;
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
    if (at.empty()) return {};
    return pass_each(chains, at, packet, as_seen_by);
}

FilterDecision find_frame_drop(const std::vector<RuleChain>& chains, const FramePoint& point,
                               const PacketFacts& packet) {
    std::vector<const RuleChain*> at;
    for (const auto& chain : chains) {
        if (is_at(chain, point)) at.push_back(&chain);
    }
    if (at.empty()) return {};
    const auto as_it_is = [](const RuleChain&, const PacketFacts& frame) { return frame; };
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
