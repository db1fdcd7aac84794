#include "daemon/operations/dns_server_explanation.hpp"

#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/loopback_interface.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <set>

namespace netlab::operations {

namespace {

using api::DnsAttempt;
using api::DnsAttemptOutcome;
using api::DnsTransport;
using api::Runtime;

bool from_host_namespace(const api::Target& from) {
    return from.runtime == Runtime::host || from.network_mode == "host";
}

bool is_silent(DnsAttemptOutcome outcome) {
    return outcome != DnsAttemptOutcome::answered && outcome != DnsAttemptOutcome::truncated;
}

}  // namespace

bool explain_loopback_down(const DnsEvidence& evidence, DnsExplanation& said) {
    const auto& facts = evidence.facts;
    if (!facts.loopback_down || facts.context.targets.empty()) return false;
    std::vector<std::string> unreached;
    for (const auto& asked : evidence.resolution().asked) {
        const auto server = api::parse_dns_server(asked.server);
        const bool failed = !is_answer(asked.outcome);
        if (failed && server && server->address.is_loopback()) unreached.push_back(asked.server);
    }
    if (unreached.empty()) return false;
    said.say("lo is down in " + evidence.from() + ": nothing there reaches " + list_and(unreached),
             loopback_remedy(facts.context.targets.front()));
    return true;
}

void explain_embedded_failure(const DnsEvidence& evidence, DnsExplanation& said) {
    const auto& facts = evidence.facts;
    if (evidence.reason_is_known() || facts.context.targets.empty()) return;
    if (evidence.resolution().outcome == NameOutcome::resolved) return;
    if (!is_embedded_resolver(facts.context.targets.front(), embedded_address)) return;
    const auto any = [&](auto what) {
        return std::ranges::any_of(evidence.attempts, [&](const DnsAttempt& attempt) {
            return attempt.server == embedded_address && what(attempt);
        });
    };
    const bool fails = any([](const auto& attempt) { return attempt.rcode == "SERVFAIL"; });
    const bool silent =
        any([](const auto& attempt) { return attempt.outcome == DnsAttemptOutcome::timed_out; });
    if (!fails && !silent) return;
    const auto& reason = facts.upstreams;
    if (!reason.explanation.empty()) return said.say(reason.explanation, reason.suggestion);
    if (facts.plan.all) return;
    if (fails) {
        said.say(
            "Docker's resolver at 127.0.0.11 says SERVFAIL where the servers behind it fail or do not answer",
            evidence.again("--all-servers"));
    } else {
        said.say(
            "a name that Docker's resolver at 127.0.0.11 does not know itself it passes on, and may say "
            "nothing where the servers behind it say nothing: it can be in order all the same",
            "netlab resolv " + evidence.from() + "  # or: " + evidence.again("--all-servers"));
    }
}

bool is_lost_over_tcp(const DnsEvidence& evidence) {
    for (std::size_t i = 0; i + 1 < evidence.attempts.size(); ++i) {
        if (evidence.attempts[i].outcome == DnsAttemptOutcome::truncated &&
            evidence.attempts[i + 1].transport == DnsTransport::tcp &&
            evidence.attempts[i + 1].outcome != DnsAttemptOutcome::answered)
            return true;
    }
    return false;
}

void explain_lost_over_tcp(const DnsEvidence& evidence, DnsExplanation& said) {
    std::set<std::string> told;
    for (std::size_t i = 0; i + 1 < evidence.attempts.size(); ++i) {
        const auto& udp = evidence.attempts[i];
        const auto& tcp = evidence.attempts[i + 1];
        if (udp.outcome != DnsAttemptOutcome::truncated || tcp.transport != DnsTransport::tcp) continue;
        if (tcp.outcome == DnsAttemptOutcome::answered || !told.insert(tcp.server).second) continue;
        said.say("the answer of " + tcp.server + " does not fit into a datagram, and over TCP " +
                     (tcp.outcome == DnsAttemptOutcome::refused ? "it refuses the connection"
                                                                : "no answer comes") +
                     ": programs in " + evidence.from() + " get none",
                 "let TCP port 53 through to " + tcp.server);
    }
}

void explain_loopback_server(const DnsEvidence& evidence, DnsExplanation& said) {
    const auto& facts = evidence.facts;
    if (facts.default_server || facts.context.targets.empty() ||
        from_host_namespace(facts.context.targets.front()))
        return;
    const auto& target = facts.context.targets.front();
    for (const auto& server : facts.plan.conf.servers) {
        const auto text = server.to_string();
        if (!server.address.is_loopback() || text == embedded_address) continue;
        const auto failed = [&](const DnsAttempt& attempt) {
            return attempt.server == text && is_silent(attempt.outcome);
        };
        if (!facts.request.servers.empty() || !std::ranges::any_of(evidence.attempts, failed)) continue;
        std::string what = "write the address of a real server into its resolv.conf";
        if (target.runtime == Runtime::netns)
            what = "write the address of a real server into /etc/netns/" + target.name + "/resolv.conf";
        if (is_container(target)) what = engine_command(target.runtime) + " run --dns ADDRESS …";
        said.say(text + " is " + evidence.from() +
                     " itself, where nobody serves DNS: a loopback address that was copied "
                     "from the host's resolv.conf means the host only there",
                 std::move(what));
        return;
    }
}

void explain_wrong_answers(const DnsEvidence& evidence, DnsExplanation& said) {
    std::set<std::string> told;
    for (const auto& attempt : evidence.attempts) {
        std::string what;
        if (attempt.outcome == DnsAttemptOutcome::wrong_source) {
            what = "the answer to what " + attempt.server + " was asked comes from elsewhere (" +
                   attempt.detail.value_or("") +
                   "): programs do not take it; address translation on the way "
                   "back is missing";
        } else if (attempt.outcome == DnsAttemptOutcome::wrong_id) {
            what = attempt.server + " answers with another ID than was asked with: programs do not take that";
        } else if (attempt.outcome == DnsAttemptOutcome::wrong_question) {
            what = attempt.server + " answers another question than was asked: programs do not take that";
        } else if (attempt.outcome == DnsAttemptOutcome::malformed) {
            what = "what " + attempt.server + " sends is no DNS message";
        }
        if (!what.empty() && told.insert(what).second) said.say(std::move(what));
    }
}

void explain_late_server(const DnsEvidence& evidence, DnsExplanation& said) {
    const auto& facts = evidence.facts;
    const auto& asked = evidence.resolution().asked;
    if (facts.plan.all || asked.size() < 2) return;
    std::chrono::seconds lost{0};
    std::vector<std::string> silent;
    for (std::size_t i = 0; i + 1 < asked.size(); ++i) {
        if (asked[i].outcome != NameOutcome::timed_out) continue;
        silent.push_back(asked[i].server);
        lost += server_timeout(facts.plan.conf, i);
    }
    const bool answered = evidence.resolution().outcome == NameOutcome::resolved ||
                          evidence.resolution().outcome == NameOutcome::no_such_name;
    if (silent.empty() || !answered) return;
    said.say(list_and(silent) + (silent.size() > 1 ? " give" : " gives") + " no answer: a program in " +
             evidence.from() + " waits " + std::to_string(lost.count()) +
             " s before it asks the next server");
}

}  // namespace netlab::operations
