#include "daemon/operations/resolv_findings.hpp"

#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/loopback_interface.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace netlab::operations {

namespace {

using api::ResolvAnswer;
using api::ResolvFinding;
using api::ResolvFindingCode;
using api::ResolvOutcome;
using api::ResolvServerKind;
using api::ResolvServerRow;

bool answered(const ResolvAnswer& answer) {
    return answer.outcome == ResolvOutcome::answered;
}

std::string outcome_words(const ResolvAnswer& answer) {
    switch (answer.outcome) {
        case ResolvOutcome::answered:
            return "answered";
        case ResolvOutcome::timed_out:
            return "no answer";
        case ResolvOutcome::forbidden:
            return answer.message + ", by a rule of its own in OUTPUT";
        case ResolvOutcome::refused:
            return answer.message.empty() ? "refused" : "refused: " + answer.message;
        default:
            return answer.message.empty() ? "no answer" : answer.message;
    }
}

/// "no answer over UDP and TCP", "UDP: refused, TCP: no answer"
std::string silence(const ResolvServerRow& server) {
    const auto udp = outcome_words(server.udp);
    const auto tcp = outcome_words(server.tcp);
    if (udp == tcp) return udp + " (UDP and TCP)";
    return "UDP: " + udp + ", TCP: " + tcp;
}

bool is_loopback(const ResolvServerRow& server) {
    const auto address = IpAddress::parse(server.server);
    return address && address->is_loopback();
}

class Findings {
  public:
    explicit Findings(const ResolvFacts& facts) : facts_(facts) {}

    std::vector<ResolvFinding> all() {
        no_network();
        loopback_down();
        file();
        for (const auto& server : facts_.servers)
            judge(server);
        for (const auto& line : facts_.skipped) {
            if (line.kind == SkippedLine::Kind::nameserver)
                add(ResolvFindingCode::nameserver_ignored, facts_.conf.path,
                    "line " + std::to_string(line.number) + " of " + facts_.conf.path +
                        " names no server: " + line.reason);
        }
        only_default_network();
        embedded_not_used();
        return std::move(findings_);
    }

  private:
    ResolvFinding& add(ResolvFindingCode code, std::string subject, std::string message,
                       std::string suggestion = {}) {
        return findings_.emplace_back(ResolvFinding{facts_.target.name, code, true, std::move(subject),
                                                    std::move(message), std::move(suggestion)});
    }

    void no_network() {
        const auto& target = facts_.target;
        if (target.network_mode != "none") return;
        auto& finding = add(ResolvFindingCode::no_network, target.name,
                            where_it_is(target) + ": no server but one of its own can be reached");
        finding.problem = false;
    }

    void loopback_down() {
        if (!facts_.loopback_down) return;
        std::vector<std::string> unreached;
        for (const auto& server : facts_.servers) {
            const bool silent = !answered(server.udp) && !answered(server.tcp);
            if (silent && is_loopback(server)) unreached.push_back(server.server);
        }
        if (unreached.empty()) return;
        add(ResolvFindingCode::loopback_down, "lo",
            "lo is down in " + facts_.target.name + ": nothing there reaches " + list_and(unreached),
            loopback_remedy(facts_.target));
    }

    /// No more is known than that nothing came within a time that is shorter than an answer may take.
    [[nodiscard]] bool impatient(const ResolvServerRow& server) const {
        constexpr double patience_ms = 1000;
        return facts_.wait_ms < patience_ms && server.udp.outcome == ResolvOutcome::timed_out &&
               server.tcp.outcome == ResolvOutcome::timed_out;
    }

    [[nodiscard]] std::string within() const {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), " within %.3g ms", facts_.wait_ms);
        return text.data();
    }

    void file() {
        const auto& conf = facts_.conf;
        if (conf.state == api::ResolvFileState::unknown) {
            add(ResolvFindingCode::no_resolv_conf, conf.path, conf.message).problem = false;
        } else if (conf.servers.empty()) {
            add(ResolvFindingCode::no_resolv_conf, conf.path,
                conf.message + "; whom its programs ask is not known");
        } else if (conf.state != api::ResolvFileState::read) {
            add(ResolvFindingCode::no_resolv_conf, conf.path,
                conf.message + "; without it programs ask 127.0.0.1");
        } else if (!conf.message.empty() && !conf.truncated) {
            add(ResolvFindingCode::private_resolv_conf, conf.path,
                conf.path + " has " + conf.message + "; the others ask 127.0.0.1",
                "chmod 0644 " + conf.path + " (in " + facts_.target.name + ")");
        } else if (conf.default_server) {
            add(ResolvFindingCode::no_resolv_conf, conf.path,
                conf.path + " names no server: programs ask 127.0.0.1");
        }
    }

    void judge(const ResolvServerRow& server) {
        const bool udp = answered(server.udp);
        const bool tcp = answered(server.tcp);
        if (server.udp.outcome == ResolvOutcome::not_asked) return;
        if (facts_.loopback_down && !udp && !tcp && is_loopback(server)) return;
        if (server.kind == ResolvServerKind::docker) return judge_embedded(server, udp, tcp);
        if (server.kind == ResolvServerKind::podman) return judge_podman(server, udp, tcp);
        if (server.kind == ResolvServerKind::upstream) return judge_upstream(server, udp, tcp);
        if (!udp && !tcp) return silent(server);
        transports(server, udp, tcp);
        if (server.udp.rcode == "SERVFAIL" || server.tcp.rcode == "SERVFAIL") {
            add(ResolvFindingCode::server_failing, server.server,
                server.server + " answers SERVFAIL to '" + server.question +
                    "': it cannot ask the servers behind it");
        }
    }

    /// One of the two works.
    void transports(const ResolvServerRow& server, bool udp, bool tcp) {
        if (udp && !tcp) {
            add(ResolvFindingCode::tcp_silent, server.server,
                server.server + " answers over UDP but not over TCP (" + outcome_words(server.tcp) +
                    "): a name whose answer does not fit into one datagram does not resolve",
                "open TCP port 53 on the way to it");
        } else if (tcp && !udp) {
            add(ResolvFindingCode::udp_silent, server.server,
                server.server + " answers over TCP but not over UDP (" + outcome_words(server.udp) +
                    "), which programs try first: each name waits " + std::to_string(facts_.conf.timeout_s) +
                    " s or fails",
                "open UDP port 53 on the way to it, or 'options use-vc' in resolv.conf (glibc)");
        }
    }

    void silent(const ResolvServerRow& server) {
        const bool nobody =
            server.udp.outcome == ResolvOutcome::refused && server.tcp.outcome == ResolvOutcome::refused;
        const auto& target = facts_.target;
        if (is_loopback(server) && nobody && !facts_.conf.default_server && is_container(target)) {
            add(ResolvFindingCode::loopback_server, server.server,
                server.server + " is a loopback address: in " + target.name + " it is " + target.name +
                    " itself, where nobody listens on port 53; a resolv.conf like that is the host's",
                engine_command(target.runtime) +
                    " run --dns ADDRESS, or \"dns\" in the engine's configuration");
            return;
        }
        if (impatient(server)) return too_short(ResolvFindingCode::server_silent, server);
        add(ResolvFindingCode::server_silent, server.server,
            server.server + " gives no answer to " + target.name + ": " + silence(server),
            is_loopback(server) ? "" : "netlab ping " + target.name + " " + server.server);
    }

    void too_short(ResolvFindingCode code, const ResolvServerRow& server) {
        add(code, server.server,
            server.server + " gave no answer to " + facts_.target.name + within() +
                ", which may be too short a time for one",
            "netlab resolv " + facts_.target.name + " -W 2");
    }

    [[nodiscard]] const api::EmbeddedResolverRow* behind(const ResolvServerRow& server) const {
        const auto found =
            std::ranges::find(facts_.embedded, server.server, &api::EmbeddedResolverRow::address);
        return found == facts_.embedded.end() ? nullptr : &*found;
    }

    void judge_podman(const ResolvServerRow& server, bool udp, bool tcp) {
        if (udp && tcp) return;
        const auto* embedded = behind(server);
        const auto listens = [&](std::string_view protocol) {
            return embedded == nullptr || std::ranges::any_of(embedded->paths, [&](const auto& path) {
                       return path.protocol == protocol && path.socket;
                   });
        };
        const auto whose = server.server + ", Podman's aardvark-dns";
        if (udp && !listens("tcp")) {
            add(ResolvFindingCode::tcp_silent, server.server,
                whose +
                    ", listens on UDP only, as its older versions do: an answer that does not fit into one "
                    "datagram does not arrive")
                .problem = false;
            return;
        }
        if (udp || tcp) return transports(server, udp, tcp);
        if (listens("udp") && impatient(server)) return too_short(ResolvFindingCode::server_silent, server);
        const auto& name = facts_.target.name;
        add(ResolvFindingCode::server_silent, server.server,
            listens("udp") ? whose + " on the host, gives no answer to " + name + ": " + silence(server)
                           : whose + ", does not run: nobody listens at that address on the host",
            listens("udp") ? "podman network reload " + name : "podman restart " + name);
    }

    void judge_embedded(const ResolvServerRow& server, bool udp, bool tcp) {
        if (udp && tcp) return;
        if (const auto* embedded = behind(server); embedded != nullptr) {
            if (auto finding = explain_embedded_resolver(facts_.target, *embedded, facts_.engine_answers)) {
                findings_.push_back(std::move(*finding));
                return;
            }
        }
        if (udp || tcp) return transports(server, udp, tcp);
        const auto& name = facts_.target.name;
        if (impatient(server) && facts_.engine_answers)
            return too_short(ResolvFindingCode::embedded_silent, server);
        if (server.udp.outcome == ResolvOutcome::forbidden ||
            server.tcp.outcome == ResolvOutcome::forbidden) {
            add(ResolvFindingCode::embedded_silent, server.server,
                "a rule in the OUTPUT of " + name + " lets its questions to 127.0.0.11 not out (" +
                    silence(server) + ")",
                "iptables -S OUTPUT and nft list ruleset, in its network namespace");
            return;
        }
        const auto start = "Docker's DNS does not answer " + name + " (" + silence(server) + ")";
        if (facts_.engine_answers) {
            add(ResolvFindingCode::embedded_silent, server.server,
                start + ", although Docker itself answers: its DNS hangs, or " + name +
                    " drops what it sends to itself",
                "docker restart " + name);
        } else {
            add(ResolvFindingCode::embedded_silent, server.server,
                start + ": Docker itself does not answer either, it hangs or does not run",
                "docker ps (where that hangs too: restart Docker, then docker restart " + name + ")");
        }
    }

    void judge_upstream(const ResolvServerRow& server, bool udp, bool tcp) {
        if (udp && tcp) return;
        const auto whose = server.server + ", which Docker's DNS passes other names on to,";
        if (udp) {
            add(ResolvFindingCode::upstream_silent, server.server,
                whose + " does not answer over TCP from " + facts_.target.name + " (" +
                    outcome_words(server.tcp) + ")");
            return;
        }
        if (auto why = explain_upstream_way(facts_.target, facts_.way); !why.explanation.empty()) {
            add(ResolvFindingCode::upstream_silent, server.server,
                whose + " gives no answer: " + silence(server) + "; " + why.explanation,
                std::move(why.suggestion));
            return;
        }
        if (impatient(server)) return too_short(ResolvFindingCode::upstream_silent, server);
        add(ResolvFindingCode::upstream_silent, server.server,
            whose + " gives no answer from " + facts_.target.name + ": " + silence(server) +
                "; names that are no container's do not resolve",
            "netlab ping " + facts_.target.name + " " + server.server +
                "  # another server: docker run --dns, \"dns\" in daemon.json");
    }

    /// Its engine's default network is the only one that it is on.
    void only_default_network() {
        const auto& target = facts_.target;
        const auto names = network_names(target);
        const auto usual = default_network(target.runtime);
        if (!is_container(target) || names.size() != 1 || names.front() != usual) return;
        const auto command = engine_command(target.runtime);
        auto& finding =
            add(ResolvFindingCode::no_embedded_dns, usual,
                target.name + " is only on " + usual + ", " + engine_name(target.runtime) +
                    "'s default network, which has no DNS for the names of containers: the servers of its "
                    "resolv.conf are asked as they stand there",
                command + " network connect NETWORK " + target.name + " (one made by `" + command +
                    " network create`)");
        finding.problem = false;
    }

    /// Docker would serve it, and it asks others: the file was written by somebody else.
    void embedded_not_used() {
        const auto& target = facts_.target;
        const bool used = std::ranges::any_of(facts_.servers, [](const ResolvServerRow& server) {
            return server.kind == ResolvServerKind::docker || server.kind == ResolvServerKind::podman;
        });
        const auto networks = user_networks(target);
        if (used || !is_container(target) || networks.empty() || facts_.conf.default_server ||
            facts_.conf.servers.empty())
            return;
        const auto engine = engine_name(target.runtime);
        auto& finding = add(ResolvFindingCode::embedded_not_used, facts_.conf.path,
                            target.name + " is on " + list_and(networks) + ", where " + engine +
                                "'s DNS knows the names of containers, but its " + facts_.conf.path +
                                " does not name that DNS");
        finding.problem = false;
    }

    const ResolvFacts& facts_;
    std::vector<ResolvFinding> findings_;
};

}  // namespace

std::vector<ResolvFinding> resolv_findings(const ResolvFacts& facts) {
    return Findings(facts).all();
}

}  // namespace netlab::operations
