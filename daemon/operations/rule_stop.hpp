#pragma once

#include "daemon/operations/why_facts.hpp"

#include <string>
#include <string_view>

namespace netlab::operations {

/// A rule, or a chain's policy, that stops a packet or its answer, or, with `leg`, those of the connection
/// that the engine's process makes itself: where that is, as the trace or else the rules as a table have it,
/// and the commands that let it pass there. Pure; what it is made of must outlive it.
class RuleStop {
  public:
    RuleStop(const WhyFacts& facts, const api::WhyRule& rule, bool answer, bool leg = false)
        : facts_(facts),
          rule_(rule),
          answer_(answer),
          leg_(leg),
          step_(leg ? nullptr : ending_step(facts.trace)) {}

    /// By the trace; nullptr where the rule is known from the host's table.
    [[nodiscard]] const TracedStep* step() const { return step_; }
    [[nodiscard]] bool rejects() const;
    [[nodiscard]] bool is_host() const;
    /// Of the chain that it came to by itself: "forward", …; "" where that is not known.
    [[nodiscard]] std::string_view hook() const;
    /// On that hook it came to chains of that program's.
    [[nodiscard]] bool met(std::string_view program) const;

    /// A command that lets it pass, for this flow and no more, before the chain's other rules, so that it
    /// decides first; and its answer and the process' own connection, where the chain would drop those next:
    /// where a flow is known there, an answer of any flow by these interfaces. Where only its table's owner
    /// may change it, how to find him. "" where it cannot be written.
    [[nodiscard]] std::string permission() const;
    /// The same by the program that keeps the host's firewall; "" where that has none.
    [[nodiscard]] std::string by_program(std::string_view owner) const;

  private:
    /// By what it passes the chain.
    struct Passage {
        std::string input;
        std::string output;
    };

    /// That chain's, or else that of IP's rules on the host.
    [[nodiscard]] const RulesDecision* decision() const {
        const auto* own = table_with(facts_, rule_, answer_, leg_);
        return own != nullptr ? own : table_of(facts_, answer_, leg_);
    }
    [[nodiscard]] const api::Target* holder() const;
    [[nodiscard]] std::string typed(const std::string& command) const;
    [[nodiscard]] Passage passage() const;
    [[nodiscard]] static bool is_plain(const Passage& way);
    [[nodiscard]] std::string and_what_comes_next(std::string command) const;
    [[nodiscard]] bool is_users_chain() const;
    [[nodiscard]] bool is_legacy() const { return rule_.family.ends_with(" (legacy)"); }
    [[nodiscard]] bool sees_frames() const { return rule_.family == "bridge" || rule_.family == "netdev"; }
    [[nodiscard]] bool translated_before() const;
    [[nodiscard]] bool is_translator() const;
    [[nodiscard]] api::Endpoint met_destination() const;
    [[nodiscard]] api::Endpoint answer_source() const;

    [[nodiscard]] std::string insert(const std::string& conditions) const;
    [[nodiscard]] std::string insert_by_iptables(const std::string& program,
                                                 const std::string& conditions) const;
    [[nodiscard]] std::string pass_packet(const Passage& way, const api::Endpoint& destination) const;
    [[nodiscard]] std::string pass_answer(const Passage& way, const api::Endpoint& source,
                                          bool knows_flow) const;

    const WhyFacts& facts_;
    const api::WhyRule& rule_;
    bool answer_;
    bool leg_;
    const TracedStep* step_;
};

}  // namespace netlab::operations
