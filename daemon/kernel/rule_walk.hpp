#pragma once

#include "daemon/kernel/rule_match.hpp"

#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <vector>

namespace netlab::kernel {

/// No flow is known of it any more; `surely`: it is untracked.
void take_from_conntrack(PacketFacts& packet, bool surely);

/// Goes through chains as the kernel does, and remembers what might have come instead.
class RuleWalk {
  public:
    /// The chains are borrowed.
    RuleWalk(const std::vector<RuleChain>& chains, const PacketFacts& packet);

    /// For the next base chain, with the packet as it is then. `conntrack`: whether that is still to come.
    void restart(const PacketFacts& packet, rule_match::Match conntrack);

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
    After go(const RuleChain& chain, int depth);
    /// `acting` has the action: the rule itself, or what its map says.
    After act(const RuleChain& chain, const PacketRule& rule, const PacketRule& acting, int depth);
    /// `surely`: it is known that the packet meets the rule.
    void take_effects(const RuleChain& chain, const PacketRule& rule, bool surely);
    void doubt(const RuleChain& chain, const PacketRule& rule);
    After give_up();

    using ChainName = std::tuple<bool, std::string_view, std::string_view>;

    PacketFacts packet_;
    rule_match::Match conntrack_ahead_ = rule_match::Match::no;
    std::map<ChainName, const RuleChain*> by_name_;
    std::vector<const PacketRule*> skipped_;
    std::size_t looked_at_ = 0;
};

}  // namespace netlab::kernel
