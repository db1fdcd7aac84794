#include "common/api/dns.hpp"

#include "daemon/kernel/netlink.hpp"
#include "daemon/operations/container_text.hpp"
#include "daemon/operations/dns_comparison.hpp"
#include "daemon/operations/dns_explanation.hpp"
#include "daemon/operations/dns_plan.hpp"
#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/dns_trace.hpp"
#include "daemon/operations/docker_resolver.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/loopback_interface.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/resolver_files.hpp"
#include "daemon/operations/upstream_way.hpp"

#include <algorithm>

/// `netlab dns`: one question to DNS from a target's network namespace.
namespace netlab::operations {

namespace {

using api::Context;
using api::DnsOutcome;
using api::DnsReport;
using api::DnsRequest;
using Clock = Output::Clock;

struct Handles {
    std::optional<DnsClient> client;
    ResolverFile resolv_conf_file;
    UniqueFd resolv_conf;
    UniqueFd hosts;
    TargetWatch watch;
    UniqueFd route;  ///< empty where it could not be had
    bool loopback_down = false;
    std::optional<DockerResolver> docker;  ///< of a container of Docker's that may ask 127.0.0.11
};

/// How many questions may be under way at once.
std::size_t questions_at_once(const DnsRequest& request) {
    const auto types = requested_types(request).size();
    // Of a server that a trace is referred to, both addresses are asked for.
    if (request.trace) return 2;
    if (!request.all_servers) return types;
    // Those of resolv.conf, and those behind Docker's.
    return types * (request.servers.empty() ? 2 * ResolvConf::most_servers : request.servers.size());
}

Result<Handles> prepare(Namespaces& namespaces, const DnsRequest& request, const Context& context) {
    Handles handles;
    if (!context.targets.empty()) {
        auto watch = TargetWatch::open(context.targets.front(), namespaces[0]);
        if (!watch) return watch.error();
        handles.watch = std::move(*watch);
    }
    const bool docker = !context.targets.empty() && context.targets.front().runtime == api::Runtime::docker;
    if (docker && request.servers.empty() && !request.trace) {
        auto resolver = DockerResolver::open(namespaces, context, request.all_servers);
        if (!resolver) return resolver.error();
        handles.docker = std::move(*resolver);
    } else if (auto entered = namespaces.enter(0); !entered) {
        return entered.error();
    }
    if (auto route = kernel::open_route_socket()) {
        handles.loopback_down = loopback_is_down(route->get());
        handles.route = std::move(*route);
    }
    const auto at_once = questions_at_once(request);
    // resolv.conf, which is not read yet, may want TCP too.
    auto client = DnsClient::open(request.tcp ? 0 : at_once, at_once);
    if (!client) return client.error();
    handles.client = std::move(*client);
    handles.resolv_conf = std::move(namespaces[0].resolv_conf);
    handles.resolv_conf_file = std::move(namespaces[0].resolv_conf_file);
    complete(handles.resolv_conf_file, handles.resolv_conf, "/etc/resolv.conf");
    handles.hosts = std::move(namespaces[0].hosts);
    return handles;
}

class Dns {
  public:
    Dns(Handles& handles, const DnsRequest& request, const Context& context, Output& output)
        : handles_(handles), request_(request), context_(context), output_(output), begin_(Clock::now()) {
        report_.from = request.from;
        report_.name = request.name;
    }

    Result<void> run() {
        if (context_.peer_match == api::PeerMatch::explicit_) {
            return Error{
                errc::bad_request,
                "'" + request_.name + "' is a word of netlab's, and no name that DNS could know",
                "netlab dns " + request_.from + " " + request_.name.substr(request_.name.find(':') + 1),
                {}};
        }
        auto file =
            read_resolv_conf_row(request_.from, {handles_.resolv_conf_file, handles_.resolv_conf.get()});
        auto plan = make_dns_plan(request_, file.reading.conf, begin_);
        if (!plan) return plan.error();
        plan_ = std::move(*plan);
        external_ = std::move(file.reading.external);
        if (auto known = know_servers(file.row); !known) return known;
        if (request_.search && file.row.search.size() > DnsPlan::most_searched) {
            remarks_.push_back("the search list of " + file.row.path + " has " +
                               std::to_string(file.row.search.size()) +
                               " names: " + std::to_string(DnsPlan::most_searched) + " of them are tried");
        }
        if (request_.trace) return trace();
        const auto hosts = read_container_text(handles_.hosts.get());
        if (!hosts) return hosts.error();
        auto files = answers_of_files(request_, plan_, hosts->text);
        if (files.decide) return tell(files);
        find_servers_behind();
        return ask(std::move(files.in_hosts));
    }

  private:
    /// That 127.0.0.1 is asked is worth a word; that nobody knows whom to ask is an error.
    Result<void> know_servers(const api::ResolvConfRow& file) {
        if (!request_.servers.empty() || !request_.root.empty()) return {};
        if (auto known = need_known_servers(file, "name a server: --server IP"); !known) return known;
        if (!file.default_server) return {};
        default_server_ = true;
        remarks_.push_back((file.message.empty() ? file.path + " names no server" : file.message) +
                           ": programs in " + request_.from + " ask 127.0.0.1");
        return {};
    }

    Result<void> tell(const DnsFileAnswers& files) {
        report_.outcome = DnsOutcome::answered;
        for (const auto& answer : files.answers)
            tell(answer);
        return finish();
    }

    void tell(const api::DnsAnswer& answer) {
        report_.records += answer.answers.size();
        output_.event(answer);
    }

    Result<void> ask(std::vector<std::string> in_hosts) {
        const DnsSetting setting{*handles_.client, handles_.watch, output_};
        const auto lookup = look_up(plan_, setting);
        if (!lookup) return lookup.error();
        tell(*lookup);
        auto as_is = ask_as_is(plan_, *lookup, setting);
        if (!as_is) return as_is.error();
        auto embedded = look_at_docker(*lookup);
        auto upstreams = embedded.explanation.empty() ? look_at_upstreams(*lookup) : Explanation{};
        auto why = explain_dns({context_, request_, plan_, *lookup, std::move(remarks_), std::move(in_hosts),
                                std::move(*as_is), std::move(embedded), default_server_,
                                handles_.loopback_down, std::move(upstreams)});
        report_.explanations = std::move(why.sentences);
        if (!why.suggestion.empty()) report_.suggestion = std::move(why.suggestion);
        return finish();
    }

    [[nodiscard]] bool is_docker(const NameServer& server) const {
        return handles_.docker && is_embedded_resolver(context_.targets.front(), server.to_string());
    }

    void find_servers_behind() {
        const auto has_docker =
            std::ranges::any_of(plan_.conf.servers, [&](const auto& one) { return is_docker(one); });
        if (!plan_.all || !has_docker) return;
        auto row = handles_.docker->read(context_.targets.front(), external_, output_);
        if (!row) {
            remarks_.push_back("which servers stand behind 127.0.0.11 is not known: " + row.error().message);
            return;
        }
        auto behind = servers_behind(*row, request_.from);
        plan_.behind = std::move(behind.servers);
        remarks_.insert(remarks_.end(), behind.remarks.begin(), behind.remarks.end());
        docker_ = std::move(*row);
    }

    /// Where Docker's resolver did not answer: what its rules and sockets say, where they can be read.
    Explanation look_at_docker(const DnsLookup& lookup) {
        const auto is_silent = [&](const DnsServerAnswers& one) {
            return is_docker(one.server) && std::ranges::none_of(one.exchanges, [](const auto& exchange) {
                       return exchange.message.has_value();
                   });
        };
        if (!std::ranges::any_of(lookup.answers, is_silent) || handles_.loopback_down) return {};
        const auto& target = context_.targets.front();
        if (!read_docker()) return {};
        auto finding = explain_embedded_resolver(target, *docker_, handles_.docker->engine_answers());
        if (finding) return {std::move(finding->message), std::move(finding->suggestion)};
        const bool has_engine = std::ranges::find(context_.engines, target.runtime,
                                                  &api::EngineSocket::runtime) != context_.engines.end();
        const bool forbidden = std::ranges::any_of(lookup.answers, [](const DnsServerAnswers& one) {
            return std::ranges::any_of(one.exchanges, [](const DnsExchange& exchange) {
                return !exchange.attempts.empty() &&
                       exchange.attempts.back().outcome == api::DnsAttemptOutcome::forbidden;
            });
        });
        if (handles_.docker->engine_answers() || !has_engine || forbidden) return {};
        return {
            "127.0.0.11 gives no answer, and Docker itself gives none within a second: it hangs or does not "
            "run",
            "docker ps (where that hangs too: restart Docker, then docker restart " + target.name + ")"};
    }

    bool read_docker() {
        if (docker_) return true;
        auto row = handles_.docker->read(context_.targets.front(), external_, output_);
        if (row) docker_ = std::move(*row);
        return docker_.has_value();
    }

    /// Where Docker's resolver has no answer: what is known of its way to the servers behind it.
    Explanation look_at_upstreams(const DnsLookup& lookup) {
        // Its own names it answers in a millisecond or so: a shorter silence is no sign of others.
        constexpr double long_enough_us = 100'000;
        const auto came_to_nothing = [](const DnsExchange& exchange) {
            return exchange.outcome == NameOutcome::server_failure ||
                   (exchange.outcome == NameOutcome::timed_out && exchange.elapsed_us >= long_enough_us);
        };
        const bool any = std::ranges::any_of(lookup.answers, [&](const DnsServerAnswers& one) {
            return is_docker(one.server) && std::ranges::any_of(one.exchanges, came_to_nothing);
        });
        if (!any || handles_.loopback_down || !read_docker()) return {};
        const auto& target = context_.targets.front();
        UpstreamWay way;
        way.upstreams = docker_->upstreams;
        if (handles_.route) way = look_at_routes(handles_.route.get(), std::move(way.upstreams));
        way.internal = handles_.docker->internal_networks(target, output_);
        return explain_upstream_way(target, way);
    }

    void tell(const DnsLookup& lookup) {
        const auto& candidates = lookup.resolution.candidates;
        std::ranges::transform(candidates, std::back_inserter(report_.candidates), shown_dns_name);
        report_.outcome = dns_outcome(lookup.resolution.outcome);
        if (request_.all_servers) {
            report_.agreed = agree(lookup.answers);
            report_.silent = silent_servers(lookup.answers);
        }
        if (candidates.empty()) return;
        for (const auto& one : lookup.answers) {
            for (std::size_t i = 0; i < plan_.types.size(); ++i)
                tell(answer_event(request_.from, lookup.name, plan_.types[i], one.server, one.exchanges[i],
                                  one.behind ? "behind 127.0.0.11" : ""));
        }
    }

    Result<void> trace() {
        if (!is_dns_name(plan_.name) && plan_.name != ".") {
            report_.outcome = DnsOutcome::invalid_name;
            report_.explanations.push_back("'" + plan_.name + "' is no name that DNS could be asked for");
            return finish();
        }
        DnsTraceSetting setting{{*handles_.client, handles_.watch, output_},
                                plan_.conf,
                                {},
                                plan_.until,
                                plan_.transport,
                                [&](api::DnsReferral referral) {
                                    referral.from = request_.from;
                                    output_.event(referral);
                                }};
        if (!request_.root.empty()) {
            auto root = api::parse_dns_server(request_.root);
            if (!root) return root.error();
            setting.roots.push_back({{root->address, std::move(root->zone), root->port}, {}});
        }
        report_.explanations = std::move(remarks_);
        const auto end = trace_dns(plan_.name, plan_.types.front(), setting);
        if (!end) return end.error();
        auto answer = answer_event(request_.from, end->name, plan_.types.front(), end->server.server,
                                   end->exchange, end->server.name);
        report_.candidates.push_back(answer.name);
        report_.outcome = answer.outcome;
        if (!end->difficulty.empty()) {
            // A server that refers back has data for nobody.
            if (end->exchange.message) report_.outcome = answer.outcome = DnsOutcome::refused;
            report_.explanations.push_back(end->difficulty);
        }
        tell(answer);
        return finish();
    }

    Result<void> finish() {
        report_.elapsed_ms = to_ms(Clock::now() - begin_);
        output_.event(report_);
        return {};
    }

    Handles& handles_;
    const DnsRequest& request_;
    const Context& context_;
    Output& output_;
    Clock::time_point begin_;
    DnsPlan plan_;
    std::vector<ExternalServer> external_;  ///< that resolv.conf notes
    std::vector<std::string> remarks_;
    bool default_server_ = false;
    std::optional<api::EmbeddedResolverRow> docker_;
    DnsReport report_;
};

Result<void> run(Handles& handles, const DnsRequest& request, const Context& context, Output& output) {
    return Dns(handles, request, context, output).run();
}

/// 17 MiB are what the program and its libraries are mapped to.
constexpr std::uint64_t address_space = 48ULL << 20;

const Registration<DnsRequest> registered{operation<prepare, run>({.net_admin = true,
                                                                   .processes = true,
                                                                   .engines = true,
                                                                   .resolver_files = true,
                                                                   .ip_sockets = true,
                                                                   .cpu_seconds = 1,
                                                                   .address_space = address_space})};

}  // namespace

}  // namespace netlab::operations
