#pragma once

#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/why_facts.hpp"

#include <optional>
#include <string>

/// What the host's rules, read as a table, would do to a packet. Pure. It is held against what the packet met
/// in truth, and stands for it where nothing was sent or nf_tables does not tell (iptables-legacy).
namespace netlab::operations {

/// How a packet passes the host.
struct HostPassage {
    std::string target;  ///< what the host is called
    std::string input;   ///< interface; "": it is made there
    std::string output;  ///< interface; "": it is for the host itself, or that is not known
    bool for_host = false;
    bool lost = false;  ///< the host's routing finds no way on: no hook behind it sees the packet
    friend bool operator==(const HostPassage&, const HostPassage&) = default;
};

/// nullopt where it does not, or a bridge there passes it on without a look at addresses; with
/// `bridges_filter` (net.bridge.bridge-nf-call-iptables) those look. Nor does it where the frame stays on
/// that bridge. `host` is what it is called, `place` its place.
[[nodiscard]] std::optional<HostPassage> passage_of(const Way& way, const std::string& host,
                                                    std::optional<std::size_t> place,
                                                    bool bridges_filter = false);

/// As a report says what drops it: a rule, or a chain's policy.
[[nodiscard]] api::WhyRule rule_of(const kernel::FilterDecision& decision, const std::string& target);

/// The rule that a doubt is about, as a report says it; a nullptr: it is not known which.
[[nodiscard]] std::string doubt_of(const kernel::RuleChain* chain, const kernel::PacketRule* rule);

/// The packet as it comes to the host, or is made there.
[[nodiscard]] kernel::PacketFacts packet_facts(const HostPassage& passage, const Flow& flow,
                                               const IpAddress& source);

/// What the rules decide of the packet on its whole way through the host; `destination` is what it has behind
/// the rules that translate.
[[nodiscard]] RulesDecision decide_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                            const Flow& flow, const IpAddress& source,
                                            const api::Endpoint& destination);
/// The same of the answer that comes back by the same interfaces, as far as it passes the rules which do not
/// translate it. `answered`: whom it is for where it comes to the host, which is `source` or what that was
/// translated to.
[[nodiscard]] RulesDecision decide_answer_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                                   const Flow& flow, const IpAddress& source,
                                                   const api::Endpoint& destination,
                                                   const IpAddress& answered);

}  // namespace netlab::operations
