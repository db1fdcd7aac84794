#include "daemon/operations/dns_lookup.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using Clock = Output::Clock;

/// Nothing came, or what came was no answer: it may be asked again.
bool is_silence(NameOutcome outcome) {
    return outcome == NameOutcome::timed_out;
}

NameOutcome joined(const DnsServerAnswers& answers) {
    std::vector<NameOutcome> outcomes;
    std::ranges::transform(answers.exchanges, std::back_inserter(outcomes), &DnsExchange::outcome);
    return join(outcomes);
}

/// `later` has what is to be shown; what was tried before comes first.
void follow(DnsExchange& earlier, DnsExchange later) {
    later.attempts.insert(later.attempts.begin(), std::make_move_iterator(earlier.attempts.begin()),
                          std::make_move_iterator(earlier.attempts.end()));
    earlier = std::move(later);
}

class Lookup {
  public:
    Lookup(const DnsPlan& plan, const DnsSetting& setting) : plan_(plan), setting_(setting) {}

    Result<DnsLookup> run() {
        begin_answers();
        NameSearch search(plan_.conf, plan_.name);
        auto& resolution = result_.resolution;
        // The root is no name that a program would look up.
        if (plan_.name == ".") return ask_root();
        while (const auto candidate = search.next()) {
            // However little time there is, something is asked.
            if (!resolution.candidates.empty() && Clock::now() >= plan_.until) {
                result_.not_asked = *candidate;
                break;
            }
            begin(*candidate, search.as_is_follows());
            auto asked = plan_.all ? ask_all() : ask_in_order();
            if (!asked) return asked.error();
            if (*asked == NameOutcome::resolved) {
                resolution.outcome = NameOutcome::resolved;
                resolution.name = *candidate;
                return std::move(result_);
            }
            search.failed(*asked);
        }
        resolution.outcome = search.outcome();
        return std::move(result_);
    }

  private:
    Result<DnsLookup> ask_root() {
        result_.resolution.candidates.emplace_back();
        const auto asked = plan_.all ? ask_all() : ask_in_order();
        if (!asked) return asked.error();
        result_.resolution.outcome = *asked;
        return std::move(result_);
    }

    void begin(const std::string& candidate, bool as_is_follows) {
        auto& resolution = result_.resolution;
        result_.name = candidate;
        resolution.candidates.push_back(candidate);
        resolution.asked.clear();
        // Servers that say nothing to a name of the search list are asked for the name itself yet.
        const auto left = std::max(Clock::duration::zero(), plan_.until - Clock::now());
        until_ = as_is_follows ? plan_.until - left / 4 : plan_.until;
    }

    void begin_answers() {
        const auto add = [&](const NameServer& server, bool behind) {
            result_.answers.push_back({server, behind, std::vector<DnsExchange>(plan_.types.size())});
        };
        if (!plan_.all) return add(plan_.conf.servers.front(), false);
        for (const auto& server : plan_.conf.servers)
            add(server, false);
        for (const auto& server : plan_.behind)
            add(server, true);
    }

    [[nodiscard]] std::vector<DnsCall> calls_to(const NameServer& server) const {
        std::vector<DnsCall> calls;
        for (const auto type : plan_.types)
            calls.push_back({server, result_.name, type, plan_.transport, true, true});
        return calls;
    }

    NameOutcome note(std::size_t server, const DnsServerAnswers& answers) {
        auto& resolution = result_.resolution;
        const auto outcome = joined(answers);
        if (server >= resolution.asked.size()) resolution.asked.emplace_back();
        resolution.asked[server] = {plan_.conf.servers[server].to_string(), outcome,
                                    reason_of(answers.exchanges, outcome)};
        if (outcome == NameOutcome::resolved && resolution.resolved_by.empty())
            resolution.resolved_by = resolution.asked[server].server;
        return outcome;
    }

    Result<NameOutcome> ask_in_order() {
        auto& answers = result_.answers.front();
        const auto& servers = plan_.conf.servers;
        const auto tries = plan_.conf.attempts * servers.size();
        for (std::size_t i = 0; i < tries && (i == 0 || Clock::now() < until_); ++i) {
            const auto at = i % servers.size();
            const auto now = Clock::now();
            const auto until =
                now + share_of(until_ - now, server_timeout(plan_.conf, at), servers.size() - at);
            const auto calls = calls_to(servers[at]);
            auto exchanges = setting_.client.ask(calls, until, setting_.watch, setting_.output);
            if (!exchanges) return exchanges.error();
            answers.server = servers[at];
            for (std::size_t type = 0; type < exchanges->size(); ++type)
                follow(answers.exchanges[type], std::move((*exchanges)[type]));
            const auto outcome = note(at, answers);
            if (is_answer(outcome)) return outcome;
        }
        return outcome_of_all();
    }

    /// All at once; those that said nothing once more, as long as there is time.
    Result<NameOutcome> ask_all() {
        for (unsigned attempt = 0; attempt < plan_.conf.attempts && (attempt == 0 || Clock::now() < until_);
             ++attempt) {
            std::vector<DnsCall> calls;
            std::vector<DnsExchange*> into;
            for (auto& answers : result_.answers) {
                auto more = calls_to(answers.server);
                for (std::size_t type = 0; type < more.size(); ++type) {
                    auto& exchange = answers.exchanges[type];
                    if (attempt > 0 && !is_silence(exchange.outcome)) continue;
                    calls.push_back(std::move(more[type]));
                    into.push_back(&exchange);
                }
            }
            const auto now = Clock::now();
            const auto until = now + share_of(until_ - now, plan_.conf.timeout, 1);
            auto exchanges = setting_.client.ask(calls, until, setting_.watch, setting_.output);
            if (!exchanges) return exchanges.error();
            for (std::size_t i = 0; i < into.size(); ++i)
                follow(*into[i], std::move((*exchanges)[i]));
        }
        for (std::size_t i = 0; i < plan_.conf.servers.size(); ++i)
            note(i, result_.answers[i]);
        // Where they disagree, a program goes by the first that answers at all; those behind it does not ask.
        for (const auto& asked : result_.resolution.asked) {
            if (is_answer(asked.outcome)) return asked.outcome;
        }
        return outcome_of_all();
    }

    [[nodiscard]] NameOutcome outcome_of_all() const {
        std::vector<NameOutcome> outcomes;
        std::ranges::transform(result_.resolution.asked, std::back_inserter(outcomes), &AskedServer::outcome);
        return join(outcomes);
    }

    const DnsPlan& plan_;
    const DnsSetting& setting_;
    Clock::time_point until_ = plan_.until;  ///< for the candidate that is asked for
    DnsLookup result_;
};

}  // namespace

Result<DnsLookup> look_up(const DnsPlan& plan, const DnsSetting& setting) {
    return Lookup(plan, setting).run();
}

Result<std::optional<DnsServerAnswers>> ask_as_is(const DnsPlan& plan, const DnsLookup& lookup,
                                                  const DnsSetting& setting) {
    const auto& resolution = lookup.resolution;
    const auto is_name = [&](const std::string& candidate) { return same_dns_name(candidate, plan.name); };
    if (plan.all || resolution.outcome != NameOutcome::resolved ||
        std::ranges::any_of(resolution.candidates, is_name))
        return std::optional<DnsServerAnswers>();
    const auto& server = lookup.answers.front().server;
    std::vector<DnsCall> calls;
    for (const auto type : plan.types)
        calls.push_back({server, plan.name, type, plan.transport, true});
    constexpr std::chrono::seconds patience{1};
    const auto until = std::min(plan.until, Clock::now() + patience);
    auto exchanges = setting.client.ask(calls, until, setting.watch, setting.output);
    if (!exchanges) return exchanges.error();
    return std::optional(DnsServerAnswers{server, false, std::move(*exchanges)});
}

Clock::duration share_of(Clock::duration left, std::chrono::seconds configured, std::size_t servers) {
    const auto share = left / static_cast<Clock::rep>(std::max<std::size_t>(1, servers));
    return std::min<Clock::duration>(configured, share);
}

}  // namespace netlab::operations
