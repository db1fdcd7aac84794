#include "daemon/operations/dns_explanation.hpp"

#include "daemon/operations/dns_comparison.hpp"
#include "daemon/operations/dns_disagreement.hpp"
#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/dns_server_explanation.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace netlab::operations {

namespace {

using api::DnsAttempt;
using api::DnsAttemptOutcome;

bool asks_addresses(const DnsPlan& plan) {
    return std::ranges::all_of(plan.types,
                               [](auto type) { return type == dns_type::a || type == dns_type::aaaa; });
}

/// Up to a tenth of a millisecond: "2.5", "0.0001"
std::string seconds_text(std::chrono::duration<double> time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2g", time.count());
    return text.data();
}

class Explainer {
  public:
    explicit Explainer(const DnsFacts& facts) : facts_(facts), evidence_(facts) {}

    DnsExplanation explain() {
        for (const auto& remark : facts_.remarks)
            said_.say(remark);
        evidence_.unreached = explain_loopback_down(evidence_, said_);
        said_.say(facts_.embedded.explanation, facts_.embedded.suggestion);
        // Before what else may be the reason: with more time there might be an answer.
        time_ran_out();
        unresolved();
        passed_over_name();
        explain_disagreement(evidence_, said_);
        explain_embedded_failure(evidence_, said_);
        explain_lost_over_tcp(evidence_, said_);
        explain_loopback_server(evidence_, said_);
        explain_wrong_answers(evidence_, said_);
        search_list();
        explain_late_server(evidence_, said_);
        hosts_file();
        other_class();
        if (said_.sentences.empty()) plain_outcome();
        return std::move(said_);
    }

  private:
    [[nodiscard]] const std::string& from() const { return evidence_.from(); }
    [[nodiscard]] const Resolution& resolution() const { return evidence_.resolution(); }

    /// A program would have waited for longer: that there is no answer is not known.
    void time_ran_out() {
        if (resolution().outcome != NameOutcome::timed_out || evidence_.reason_is_known()) return;
        const auto& conf = facts_.plan.conf;
        const auto& not_asked = facts_.lookup.not_asked;
        std::chrono::seconds one_name{0};
        std::string text;
        for (std::size_t i = 0; i < conf.servers.size(); ++i) {
            const auto server = conf.servers[i].to_string();
            const auto waits = server_timeout(conf, i);
            one_name += waits * conf.attempts;
            const auto had = waited_for(server);
            // Clocks and timers are not so exact that a little less would be no full time.
            constexpr std::chrono::milliseconds rounding{50};
            if (!text.empty() || !had || *had + rounding >= waits) continue;
            text = ": " + server + " had " + seconds_text(*had) + " s, a program in " + from() + " waits " +
                   std::to_string(waits.count()) + " s for each answer";
        }
        if (text.empty() && not_asked.empty()) return;
        if (!not_asked.empty())
            text += "; " + quoted(shown_dns_name(not_asked)) + " was not asked for any more";
        const auto names = static_cast<int>(resolution().candidates.size()) + (not_asked.empty() ? 0 : 1);
        constexpr auto most = static_cast<std::int64_t>(api::DnsLimits::wait_ms) / 1000;
        const auto seconds = std::min<std::int64_t>((one_name * names).count() + 1, most);
        const bool more = facts_.request.wait_ms < 1000.0 * static_cast<double>(seconds);
        said_.say("the time of -W ran out" + text,
                  more ? evidence_.again("-W " + std::to_string(seconds)) : std::string());
    }

    /// The longest that a server was listened to for an answer that did not come; nothing where one came, or
    /// an error.
    [[nodiscard]] std::optional<std::chrono::duration<double>> waited_for(const std::string& server) const {
        std::optional<std::chrono::duration<double>> longest;
        for (const auto& attempt : evidence_.attempts) {
            if (attempt.server != server || attempt.outcome != DnsAttemptOutcome::timed_out) continue;
            const std::chrono::duration<double, std::micro> waited(attempt.elapsed_us);
            longest = std::max(longest, std::optional<std::chrono::duration<double>>(waited));
        }
        return longest;
    }

    /// A name of the search list that nobody said anything about, before the one that was answered.
    void passed_over_name() {
        if (resolution().outcome != NameOutcome::resolved || resolution().candidates.size() < 2) return;
        const auto failed = [](const DnsAttempt& attempt) {
            return attempt.outcome == DnsAttemptOutcome::timed_out || attempt.rcode == "SERVFAIL";
        };
        for (const auto& attempt : evidence_.attempts) {
            if (!failed(attempt) || same_dns_name(attempt.name, facts_.lookup.name)) continue;
            const bool answered = std::ranges::any_of(evidence_.attempts, [&](const DnsAttempt& other) {
                return other.name == attempt.name && other.outcome == DnsAttemptOutcome::answered &&
                       !failed(other);
            });
            if (answered) continue;
            said_.say(
                attempt.server + (attempt.rcode ? " says SERVFAIL to " : " gives no answer for ") +
                    quoted(attempt.name) + ", which the search list makes of " + quoted(facts_.request.name) +
                    " first: a program in " + from() +
                    " gets its answer only after that, or gives up there (musl)",
                "netlab dns " + from() + " " + attempt.name + " --all-servers (the servers themselves)");
            return;
        }
    }

    /// The name is one of netlab's, or the address is a target's, and DNS does not know it.
    void unresolved() {
        if (resolution().outcome == NameOutcome::resolved || evidence_.reason_is_known() ||
            is_lost_over_tcp(evidence_))
            return;
        ReachRequest asked;
        asked.from = from();
        asked.to = facts_.request.name;
        auto context = facts_.context;
        const bool of_address = context.peer && context.peer_match == api::PeerMatch::address;
        if (of_address && resolution().outcome == NameOutcome::no_such_name) {
            said_.say(asked.to + " is an address of " + context.peer->name);
            context.peer_match = api::PeerMatch::name;
            asked.to = context.peer->name;
        } else if (!asks_addresses(facts_.plan) && resolution().outcome != NameOutcome::invalid_name) {
            return;
        }
        if (facts_.plan.types.size() == 1 && asks_addresses(facts_.plan))
            asked.family = facts_.plan.types.front() == dns_type::a ? Family::ipv4 : Family::ipv6;
        auto why = explain_unresolved(context, asked, resolution());
        said_.say(std::move(why.explanation), std::move(why.suggestion));
    }

    void search_list() {
        const auto& name = facts_.request.name;
        if (resolution().outcome != NameOutcome::resolved || name.ends_with('.')) return;
        if (same_dns_name(facts_.lookup.name, name) || resolution().candidates.empty()) return;
        if (IpAddress::parse(name)) return;
        if (facts_.as_is && !facts_.lookup.answers.empty() &&
            what_it_says(*facts_.as_is) == what_it_says(facts_.lookup.answers.front()))
            return;
        std::string text = "the answer is for " + quoted(shown_dns_name(facts_.lookup.name)) +
                           ", by the search list of " + from() + "'s resolv.conf";
        if (facts_.as_is) {
            text += "; for " + quoted(shown_dns_name(name)) + " as it is " + resolution().resolved_by +
                    " says " + what_it_says(*facts_.as_is);
        }
        said_.say(std::move(text),
                  "netlab dns " + from() + " " + name + ". (a dot at its end: the name as it is)");
    }

    /// A record of another class than was asked for is none to programs.
    void other_class() {
        if (resolution().outcome != NameOutcome::no_data) return;
        for (const auto& answers : facts_.lookup.answers) {
            for (const auto& exchange : answers.exchanges) {
                if (!exchange.message) continue;
                for (const auto& record : exchange.message->answers) {
                    if (record.record_class == dns_class::in) continue;
                    return said_.say(answers.server.to_string() + " answers with a record of class " +
                                     dns_class_name(record.record_class) + ", where IN was asked for");
                }
            }
        }
    }

    /// Where nothing else is known than what became of the question.
    void plain_outcome() {
        const auto outcome = resolution().outcome;
        if (outcome == NameOutcome::resolved || outcome == NameOutcome::no_data ||
            outcome == NameOutcome::no_such_name)
            return;
        ReachRequest asked;
        asked.from = from();
        asked.to = facts_.request.name;
        said_.say(what_dns_said(asked, resolution()));
    }

    void hosts_file() {
        if (facts_.in_hosts.empty()) return;
        said_.say("programs in " + from() + " find " + quoted(facts_.request.name) + " in its /etc/hosts (" +
                  list_and(facts_.in_hosts) + ") before any server is asked");
    }

    const DnsFacts& facts_;
    DnsEvidence evidence_;
    DnsExplanation said_;
};

}  // namespace

DnsExplanation explain_dns(const DnsFacts& facts) {
    return Explainer(facts).explain();
}

}  // namespace netlab::operations
