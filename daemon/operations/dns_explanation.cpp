#include "daemon/operations/dns_explanation.hpp"

#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/loopback_interface.hpp"
#include "daemon/operations/name_explanation.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <set>

namespace netlab::operations {

namespace {

using api::DnsAttempt;
using api::DnsAttemptOutcome;
using api::DnsTransport;
using api::Runtime;

std::string quoted(std::string_view name) {
    return "'" + std::string(name) + "'";
}

bool asks_addresses(const DnsPlan& plan) {
    return std::ranges::all_of(plan.types,
                               [](auto type) { return type == dns_type::a || type == dns_type::aaaa; });
}

bool from_host_namespace(const api::Target& from) {
    return from.runtime == Runtime::host || from.network_mode == "host";
}

/// Every attempt that was made, of all types and servers.
std::vector<DnsAttempt> attempts_of(const DnsLookup& lookup) {
    std::vector<DnsAttempt> all;
    for (const auto& answers : lookup.answers) {
        for (const auto& exchange : answers.exchanges)
            all.insert(all.end(), exchange.attempts.begin(), exchange.attempts.end());
    }
    return all;
}

bool is_silent(DnsAttemptOutcome outcome) {
    return outcome != DnsAttemptOutcome::answered && outcome != DnsAttemptOutcome::truncated;
}

bool resolves(const DnsServerAnswers& answers) {
    return std::ranges::find(answers.exchanges, NameOutcome::resolved, &DnsExchange::outcome) !=
           answers.exchanges.end();
}

bool answers_all(const DnsServerAnswers& answers) {
    return std::ranges::all_of(answers.exchanges,
                               [](const DnsExchange& exchange) { return exchange.message.has_value(); });
}

/// Up to a tenth of a millisecond: "2.5", "0.0001"
std::string seconds_text(std::chrono::duration<double> time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2g", time.count());
    return text.data();
}

class Explainer {
  public:
    explicit Explainer(const DnsFacts& facts) : facts_(facts), attempts_(attempts_of(facts.lookup)) {}

    DnsExplanation explain() {
        for (const auto& remark : facts_.remarks)
            say(remark);
        loopback_down();
        say(facts_.embedded.explanation, facts_.embedded.suggestion);
        // Before what else may be the reason: with more time there might be an answer.
        time_ran_out();
        unresolved();
        passed_over_name();
        disagreement();
        embedded_failure();
        truncated_without_tcp();
        loopback_server();
        wrong_answers();
        search_list();
        late_server();
        hosts_file();
        other_class();
        if (said_.sentences.empty()) plain_outcome();
        return std::move(said_);
    }

  private:
    [[nodiscard]] const std::string& from() const { return facts_.request.from; }
    [[nodiscard]] const Resolution& resolution() const { return facts_.lookup.resolution; }

    void say(std::string sentence, std::string suggestion = {}) {
        if (!sentence.empty()) said_.sentences.push_back(std::move(sentence));
        if (said_.suggestion.empty()) said_.suggestion = std::move(suggestion);
    }

    /// `netlab dns FROM NAME TYPE …`: the same question.
    [[nodiscard]] std::string again(const std::string& more) const {
        const auto& request = facts_.request;
        std::string command = "netlab dns " + request.from + " " + request.name;
        if (!request.type.empty()) command += " " + request.type;
        for (const auto& server : request.servers)
            command += " --server " + server;
        if (request.tcp) command += " --tcp";
        if (!request.search) command += " --no-search";
        return command + " " + more;
    }

    void loopback_down() {
        if (!facts_.loopback_down || facts_.context.targets.empty()) return;
        std::vector<std::string> unreached;
        for (const auto& asked : resolution().asked) {
            const auto server = api::parse_dns_server(asked.server);
            const bool failed = !is_answer(asked.outcome);
            if (failed && server && server->address.is_loopback()) unreached.push_back(asked.server);
        }
        if (unreached.empty()) return;
        unreached_ = true;
        say("lo is down in " + from() + ": nothing there reaches " + list_and(unreached),
            loopback_remedy(facts_.context.targets.front()));
    }

    /// A program would have waited for longer: that there is no answer is not known.
    void time_ran_out() {
        if (resolution().outcome != NameOutcome::timed_out || reason_is_known()) return;
        const auto& conf = facts_.plan.conf;
        const auto& not_asked = facts_.lookup.not_asked;
        std::chrono::seconds one_name{0};
        std::string text;
        for (std::size_t i = 0; i < conf.servers.size(); ++i) {
            const auto server = conf.servers[i].to_string();
            const auto waits = server_timeout(conf, i);
            one_name += waits * conf.attempts;
            const auto had = waited_for(server);
            if (!text.empty() || !had || *had >= waits) continue;
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
        say("the time of -W ran out" + text, more ? again("-W " + std::to_string(seconds)) : std::string());
    }

    /// The longest that a server was listened to for an answer that did not come; nothing where one came, or
    /// an error.
    [[nodiscard]] std::optional<std::chrono::duration<double>> waited_for(const std::string& server) const {
        std::optional<std::chrono::duration<double>> longest;
        for (const auto& attempt : attempts_) {
            if (attempt.server != server || attempt.outcome != DnsAttemptOutcome::timed_out) continue;
            const std::chrono::duration<double, std::micro> waited(attempt.elapsed_us);
            longest = std::max(longest, std::optional<std::chrono::duration<double>>(waited));
        }
        return longest;
    }

    /// lo is down, or Docker's resolver is broken.
    [[nodiscard]] bool reason_is_known() const { return unreached_ || !facts_.embedded.explanation.empty(); }

    /// A name of the search list that nobody said anything about, before the one that was answered.
    void passed_over_name() {
        if (resolution().outcome != NameOutcome::resolved || resolution().candidates.size() < 2) return;
        const auto failed = [](const DnsAttempt& attempt) {
            return attempt.outcome == DnsAttemptOutcome::timed_out || attempt.rcode == "SERVFAIL";
        };
        for (const auto& attempt : attempts_) {
            if (!failed(attempt) || same_dns_name(attempt.name, facts_.lookup.name)) continue;
            const bool answered = std::ranges::any_of(attempts_, [&](const DnsAttempt& other) {
                return other.name == attempt.name && other.outcome == DnsAttemptOutcome::answered &&
                       !failed(other);
            });
            if (answered) continue;
            say(attempt.server + (attempt.rcode ? " says SERVFAIL to " : " gives no answer for ") +
                    quoted(attempt.name) + ", which the search list makes of " + quoted(facts_.request.name) +
                    " first: a program in " + from() +
                    " gets its answer only after that, or gives up there (musl)",
                "netlab dns " + from() + " " + attempt.name + " --all-servers (the servers themselves)");
            return;
        }
    }

    /// The name is one of netlab's, or the address is a target's, and DNS does not know it.
    void unresolved() {
        if (resolution().outcome == NameOutcome::resolved || reason_is_known() || lost_over_tcp()) return;
        ReachRequest asked;
        asked.from = from();
        asked.to = facts_.request.name;
        auto context = facts_.context;
        const bool of_address = context.peer && context.peer_match == api::PeerMatch::address;
        if (of_address && resolution().outcome == NameOutcome::no_such_name) {
            say(asked.to + " is an address of " + context.peer->name);
            context.peer_match = api::PeerMatch::name;
            asked.to = context.peer->name;
        } else if (!asks_addresses(facts_.plan) && resolution().outcome != NameOutcome::invalid_name) {
            return;
        }
        if (facts_.plan.types.size() == 1 && asks_addresses(facts_.plan))
            asked.family = facts_.plan.types.front() == dns_type::a ? Family::ipv4 : Family::ipv6;
        auto why = explain_unresolved(context, asked, resolution());
        say(std::move(why.explanation), std::move(why.suggestion));
    }

    void disagreement() {
        const auto& answers = facts_.lookup.answers;
        if (!facts_.plan.all) return;
        std::vector<std::string> silent;
        for (const auto& one : answers) {
            if (!answers_all(one)) silent.push_back(one.server.to_string());
        }
        if (!silent.empty() && silent.size() < answers.size())
            say(list_and(silent) + (silent.size() > 1 ? " give" : " gives") + " no answer");
        const bool others = std::ranges::any_of(answers, [](const DnsServerAnswers& one) {
            return one.server.to_string() != embedded_address && resolves(one);
        });
        if (is_docker_name(answers) && !others) {
            say("only 127.0.0.11 knows " + quoted(shown_dns_name(facts_.lookup.name)) +
                ": it is a name of Docker's own");
        }
        if (agree(answers)) return;
        std::vector<DnsServerAnswers> asked;
        std::ranges::copy_if(answers, std::back_inserter(asked), [](const auto& one) { return !one.behind; });
        if (agree(asked)) return shadowed();
        std::vector<std::string> each;
        for (const auto& one : answers)
            each.push_back(one.server.to_string() + (one.behind ? " (behind 127.0.0.11)" : "") + " says " +
                           what_it_says(one));
        say("the servers disagree: " + list_and(each) + ": a program in " + from() +
            " goes by the first that answers at all");
    }

    /// Only servers that no program in FROM asks say something else.
    void shadowed() {
        const auto& answers = facts_.lookup.answers;
        std::vector<std::string> behind;
        for (const auto& one : answers) {
            if (one.behind) behind.push_back(one.server.to_string() + " says " + what_it_says(one));
        }
        const auto embedded = std::ranges::find_if(
            answers, [](const auto& one) { return one.server.to_string() == embedded_address; });
        if (embedded == answers.end()) return;
        say("programs in " + from() + " get what 127.0.0.11 says, " + what_it_says(*embedded) +
            "; the servers behind it, which they never ask, say something else (" + list_and(behind) +
            "): names of Docker's own, aliases too, come before theirs");
    }

    /// Docker's resolver says SERVFAIL, or nothing, where the servers behind it say nothing (libnetwork,
    /// resolver.go).
    void embedded_failure() {
        if (facts_.plan.all || reason_is_known()) return;
        if (resolution().outcome == NameOutcome::resolved || facts_.context.targets.empty()) return;
        if (!is_embedded_resolver(facts_.context.targets.front(), embedded_address)) return;
        const auto said = [&](auto what) {
            return std::ranges::any_of(attempts_, [&](const DnsAttempt& attempt) {
                return attempt.server == embedded_address && what(attempt);
            });
        };
        if (said([](const auto& attempt) { return attempt.rcode == "SERVFAIL"; })) {
            say("Docker's resolver at 127.0.0.11 says SERVFAIL where the servers behind it fail or do not "
                "answer",
                again("--all-servers"));
        } else if (said(
                       [](const auto& attempt) { return attempt.outcome == DnsAttemptOutcome::timed_out; })) {
            say("a name that Docker's resolver at 127.0.0.11 does not know itself it passes on, and may say "
                "nothing where the servers behind it say nothing: it can be in order all the same",
                "netlab resolv " + from() + " (or: " + again("--all-servers") + ")");
        }
    }

    /// A server has an answer, which does not come through.
    [[nodiscard]] bool lost_over_tcp() const {
        for (std::size_t i = 0; i + 1 < attempts_.size(); ++i) {
            if (attempts_[i].outcome == DnsAttemptOutcome::truncated &&
                attempts_[i + 1].transport == DnsTransport::tcp &&
                attempts_[i + 1].outcome != DnsAttemptOutcome::answered)
                return true;
        }
        return false;
    }

    void truncated_without_tcp() {
        std::set<std::string> told;
        for (std::size_t i = 0; i + 1 < attempts_.size(); ++i) {
            const auto& udp = attempts_[i];
            const auto& tcp = attempts_[i + 1];
            if (udp.outcome != DnsAttemptOutcome::truncated || tcp.transport != DnsTransport::tcp) continue;
            if (tcp.outcome == DnsAttemptOutcome::answered || !told.insert(tcp.server).second) continue;
            say("the answer of " + tcp.server + " does not fit into a datagram, and over TCP " +
                    (tcp.outcome == DnsAttemptOutcome::refused ? "it refuses the connection"
                                                               : "no answer comes") +
                    ": programs in " + from() + " get none",
                "let TCP port 53 through to " + tcp.server);
        }
    }

    void loopback_server() {
        if (facts_.default_server || facts_.context.targets.empty() ||
            from_host_namespace(facts_.context.targets.front()))
            return;
        const auto& target = facts_.context.targets.front();
        for (const auto& server : facts_.plan.conf.servers) {
            const auto text = server.to_string();
            if (!server.address.is_loopback() || text == embedded_address) continue;
            const auto failed = [&](const DnsAttempt& attempt) {
                return attempt.server == text && is_silent(attempt.outcome);
            };
            if (!facts_.request.servers.empty() || !std::ranges::any_of(attempts_, failed)) continue;
            std::string what = "write the address of a real server into its resolv.conf";
            if (target.runtime == Runtime::netns)
                what = "write the address of a real server into /etc/netns/" + target.name + "/resolv.conf";
            if (is_container(target)) what = engine_command(target.runtime) + " run --dns ADDRESS …";
            say(text + " is " + from() +
                    " itself, where nobody serves DNS: a loopback address that was copied "
                    "from the host's resolv.conf means the host only there",
                std::move(what));
            return;
        }
    }

    void wrong_answers() {
        std::set<std::string> told;
        for (const auto& attempt : attempts_) {
            std::string what;
            if (attempt.outcome == DnsAttemptOutcome::wrong_source) {
                what = "the answer to what " + attempt.server + " was asked comes from elsewhere (" +
                       attempt.detail.value_or("") +
                       "): programs do not take it; address translation on the way "
                       "back is missing";
            } else if (attempt.outcome == DnsAttemptOutcome::wrong_id) {
                what = attempt.server +
                       " answers with another ID than was asked with: programs do not take that";
            } else if (attempt.outcome == DnsAttemptOutcome::wrong_question) {
                what = attempt.server + " answers another question than was asked: programs do not take that";
            } else if (attempt.outcome == DnsAttemptOutcome::malformed) {
                what = "what " + attempt.server + " sends is no DNS message";
            }
            if (!what.empty() && told.insert(what).second) say(std::move(what));
        }
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
        say(std::move(text), "netlab dns " + from() + " " + name + ". (a dot at its end: the name as it is)");
    }

    /// A server in front of the one that answered said nothing.
    void late_server() {
        const auto& asked = resolution().asked;
        if (facts_.plan.all || asked.size() < 2) return;
        std::chrono::seconds lost{0};
        std::vector<std::string> silent;
        for (std::size_t i = 0; i + 1 < asked.size(); ++i) {
            if (asked[i].outcome != NameOutcome::timed_out) continue;
            silent.push_back(asked[i].server);
            lost += server_timeout(facts_.plan.conf, i);
        }
        const bool answered = resolution().outcome == NameOutcome::resolved ||
                              resolution().outcome == NameOutcome::no_such_name;
        if (silent.empty() || !answered) return;
        say(list_and(silent) + (silent.size() > 1 ? " give" : " gives") + " no answer: a program in " +
            from() + " waits " + std::to_string(lost.count()) + " s before it asks the next server");
    }

    /// A record of another class than was asked for is none to programs.
    void other_class() {
        if (resolution().outcome != NameOutcome::no_data) return;
        for (const auto& answers : facts_.lookup.answers) {
            for (const auto& exchange : answers.exchanges) {
                if (!exchange.message) continue;
                for (const auto& record : exchange.message->answers) {
                    if (record.record_class == dns_class::in) continue;
                    return say(answers.server.to_string() + " answers with a record of class " +
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
        say(what_dns_said(asked, resolution()));
    }

    void hosts_file() {
        if (facts_.in_hosts.empty()) return;
        say("programs in " + from() + " find " + quoted(facts_.request.name) + " in its /etc/hosts (" +
            list_and(facts_.in_hosts) + ") before any server is asked");
    }

    const DnsFacts& facts_;
    std::vector<DnsAttempt> attempts_;
    bool unreached_ = false;  ///< lo is down, and a server there was asked
    DnsExplanation said_;
};

/// Records of one type at one server, in an order of their own and without what may differ.
std::vector<std::string> comparable(const DnsExchange& exchange) {
    std::vector<std::string> lines;
    for (const auto& record : exchange.message ? exchange.message->answers : std::vector<DnsResource>{})
        lines.push_back(record.name + " " + std::to_string(record.type) + " " + record.data);
    for (auto& line : lines)
        std::ranges::transform(line, line.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    std::ranges::sort(lines);
    return lines;
}

}  // namespace

DnsExplanation explain_dns(const DnsFacts& facts) {
    return Explainer(facts).explain();
}

std::size_t silent_servers(std::span<const DnsServerAnswers> answers) {
    return static_cast<std::size_t>(std::ranges::count_if(answers, std::not_fn(answers_all)));
}

std::string what_it_says(const DnsServerAnswers& answers) {
    std::vector<std::string> data;
    std::vector<std::string> otherwise;
    const auto add = [](std::vector<std::string>& words, std::string word) {
        if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
    };
    constexpr std::size_t most = 8;
    for (const auto& exchange : answers.exchanges) {
        if (!exchange.message) {
            add(otherwise, "nothing");
        } else if (exchange.message->rcode != dns_rcode::no_error) {
            add(otherwise, dns_rcode_name(exchange.message->rcode));
        } else if (exchange.message->answers.empty()) {
            add(otherwise, "no data");
        } else {
            for (const auto& record : exchange.message->answers)
                if (data.size() < most) add(data, record.data);
        }
    }
    return list_and(data.empty() ? otherwise : data);
}

bool is_docker_name(std::span<const DnsServerAnswers> answers) {
    const auto passes_on = std::ranges::count(answers, true, &DnsServerAnswers::behind) > 0;
    return passes_on &&
           std::ranges::any_of(answers,
                               [](const DnsServerAnswers& one) {
                                   return one.server.to_string() == embedded_address && resolves(one);
                               }) &&
           std::ranges::none_of(answers,
                                [](const DnsServerAnswers& one) { return one.behind && resolves(one); });
}

bool agree(std::span<const DnsServerAnswers> answers) {
    // What Docker's resolver answers itself the servers behind it cannot know.
    const bool own = is_docker_name(answers);
    const auto types = answers.empty() ? 0 : answers.front().exchanges.size();
    for (std::size_t type = 0; type < types; ++type) {
        const DnsExchange* first = nullptr;
        for (const auto& one : answers) {
            const auto& exchange = one.exchanges[type];
            if (!exchange.message || (own && one.behind)) continue;
            if (first == nullptr) first = &exchange;
            if (first->message->rcode != exchange.message->rcode ||
                comparable(*first) != comparable(exchange))
                return false;
        }
    }
    return true;
}

}  // namespace netlab::operations
