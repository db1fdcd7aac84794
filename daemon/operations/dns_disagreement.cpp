#include "daemon/operations/dns_disagreement.hpp"

#include "daemon/operations/dns_comparison.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

/// Only servers that no program in FROM asks say something else.
void explain_shadowed(const DnsEvidence& evidence, DnsExplanation& said) {
    const auto& facts = evidence.facts;
    const auto& answers = facts.lookup.answers;
    std::vector<std::string> behind;
    for (const auto& one : answers) {
        if (one.behind) behind.push_back(one.server.to_string() + " says " + what_it_says(one));
    }
    const auto embedded = std::ranges::find_if(
        answers, [](const auto& one) { return one.server.to_string() == embedded_address; });
    if (embedded == answers.end()) return;
    said.say("programs in " + evidence.from() + " get what 127.0.0.11 says, " + what_it_says(*embedded) +
             "; the servers behind it, which they never ask, say something else (" + list_and(behind) +
             "): names of Docker's own, aliases too, come before theirs");
}

}  // namespace

void explain_disagreement(const DnsEvidence& evidence, DnsExplanation& said) {
    const auto& facts = evidence.facts;
    const auto& answers = facts.lookup.answers;
    if (!facts.plan.all) return;
    std::vector<std::string> silent;
    for (const auto& one : answers) {
        if (!answers_all(one)) silent.push_back(one.server.to_string());
    }
    if (!silent.empty() && silent.size() < answers.size())
        said.say(list_and(silent) + (silent.size() > 1 ? " give" : " gives") + " no answer");
    const bool others = std::ranges::any_of(answers, [](const DnsServerAnswers& one) {
        return one.server.to_string() != embedded_address && has_records(one);
    });
    if (is_docker_name(answers) && !others) {
        said.say("only 127.0.0.11 knows " + quoted(shown_dns_name(facts.lookup.name)) +
                 ": it is a name of Docker's own");
    }
    if (agree(answers)) return;
    std::vector<DnsServerAnswers> asked;
    std::ranges::copy_if(answers, std::back_inserter(asked), [](const auto& one) { return !one.behind; });
    if (agree(asked)) return explain_shadowed(evidence, said);
    std::vector<std::string> each;
    for (const auto& one : answers)
        each.push_back(one.server.to_string() + (one.behind ? " (behind 127.0.0.11)" : "") + " says " +
                       what_it_says(one));
    said.say("the servers disagree: " + list_and(each) + ": a program in " + evidence.from() +
             " goes by the first that answers at all");
}

}  // namespace netlab::operations
