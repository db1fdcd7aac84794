#include "daemon/kernel/rule_walk.hpp"

#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>

namespace netlab::kernel {

using rule_match::find;
using rule_match::Match;
using rule_match::match;

void take_from_conntrack(PacketFacts& packet, bool surely) {
    forget_flow(packet);
    packet.tracked = true;
    if (surely) packet.flow = flow_is_untracked;
}

RuleWalk::RuleWalk(const std::vector<RuleChain>& chains, const PacketFacts& packet) : packet_(packet) {
    for (const auto& chain : chains)
        by_name_.emplace(ChainName(chain.legacy, chain.table, chain.name), &chain);
}

void RuleWalk::restart(const PacketFacts& packet, Match conntrack) {
    packet_ = packet;
    conntrack_ahead_ = conntrack;
    decision = {};
    effects = {};
    may_accept = may_else = left_early = false;
}

RuleWalk::After RuleWalk::go(const RuleChain& chain, int depth) {
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
                rule_parts::take_verdict(said, found.element->verdict->code, found.element->verdict->chain);
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

RuleWalk::After RuleWalk::act(const RuleChain& chain, const PacketRule& rule, const PacketRule& acting,
                              int depth) {
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

void RuleWalk::take_effects(const RuleChain& chain, const PacketRule& rule, bool surely) {
    if (rule.sets_mark) {
        effects.marks = true;
        packet_.mark.reset();
    }
    // xt_ct_target() of net/netfilter/xt_CT.c, nft_notrack_eval() of nft_ct.c: what conntrack has seen,
    // or has a zone by then, stays as it is.
    if (conntrack_ahead_ == Match::no) return;
    surely = surely && conntrack_ahead_ == Match::yes;
    const bool settled = effects.surely_untracks || effects.surely_zones;
    if (rule.zone && effects.zones == nullptr && !settled) {
        effects.zone_chain = &chain;
        effects.zones = &rule;
        effects.surely_zones = surely;
    }
    if (!rule.untracks || effects.untracks != nullptr || settled) return;
    effects.untrack_chain = &chain;
    effects.untracks = &rule;
    effects.surely_untracks = surely;
    take_from_conntrack(packet_, surely);
}

void RuleWalk::doubt(const RuleChain& chain, const PacketRule& rule) {
    decision.uncertain = true;
    (rule.action == RuleAction::accept ? may_accept : may_else) = true;
    if (decision.doubtful != nullptr) return;
    decision.doubtful_chain = &chain;
    decision.doubtful = &rule;
}

RuleWalk::After RuleWalk::give_up() {
    decision.uncertain = true;
    may_accept = may_else = true;
    return After::accepted;
}

}  // namespace netlab::kernel
