#include "common/api/dns.hpp"

#include "daemon/operations/container_text.hpp"
#include "daemon/operations/dns_explanation.hpp"
#include "daemon/operations/dns_plan.hpp"
#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/dns_trace.hpp"
#include "daemon/operations/operation.hpp"

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
    UniqueFd resolv_conf;
    UniqueFd hosts;
    TargetWatch watch;
};

Result<Handles> prepare(Namespaces& namespaces, const DnsRequest& request, const Context& context) {
    Handles handles;
    if (!context.targets.empty()) {
        auto watch = TargetWatch::open(context.targets.front(), namespaces[0]);
        if (!watch) return watch.error();
        handles.watch = std::move(*watch);
    }
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    // Of a server that a trace is referred to, both addresses are asked for.
    const std::size_t at_once = request.trace ? 2 : requested_types(request).size();
    auto client = DnsClient::open(request.tcp ? 0 : at_once, request.tcp ? at_once : 0);
    if (!client) return client.error();
    handles.client = std::move(*client);
    handles.resolv_conf = std::move(namespaces[0].resolv_conf);
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
        const auto resolv_conf = read_container_text(handles_.resolv_conf.get());
        if (!resolv_conf) return resolv_conf.error();
        auto plan = make_dns_plan(request_, resolv_conf->text, begin_);
        if (!plan) return plan.error();
        plan_ = std::move(*plan);
        if (request_.trace) return trace();
        const auto hosts = read_container_text(handles_.hosts.get());
        if (!hosts) return hosts.error();
        auto files = answers_of_files(request_, plan_, hosts->text);
        if (files.decide) return tell(files);
        return ask(std::move(files.in_hosts));
    }

  private:
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
        const auto lookup = look_up(plan_, {*handles_.client, handles_.watch, output_});
        if (!lookup) return lookup.error();
        tell(*lookup);
        auto as_is = ask_as_is(*lookup);
        if (!as_is) return as_is.error();
        auto why =
            explain_dns({context_, request_, plan_, *lookup, std::move(in_hosts), std::move(*as_is), {}});
        report_.explanations = std::move(why.sentences);
        if (!why.suggestion.empty()) report_.suggestion = std::move(why.suggestion);
        return finish();
    }

    void tell(const DnsLookup& lookup) {
        const auto& candidates = lookup.resolution.candidates;
        std::ranges::transform(candidates, std::back_inserter(report_.candidates), dotted);
        report_.outcome = dns_outcome(lookup.resolution.outcome);
        if (request_.all_servers) {
            report_.agreed = agree(lookup.answers);
            report_.silent = silent_servers(lookup.answers);
        }
        if (candidates.empty()) return;
        for (const auto& one : lookup.answers) {
            for (std::size_t i = 0; i < plan_.types.size(); ++i)
                tell(answer_event(request_.from, lookup.name, plan_.types[i], one.server, one.exchanges[i]));
        }
    }

    /// A name of the search list answered before the name itself was asked for: what that would have given.
    Result<std::optional<DnsServerAnswers>> ask_as_is(const DnsLookup& lookup) {
        const auto& resolution = lookup.resolution;
        const auto is_name = [&](const std::string& candidate) {
            return same_dns_name(candidate, plan_.name);
        };
        if (plan_.all || resolution.outcome != NameOutcome::resolved ||
            std::ranges::any_of(resolution.candidates, is_name))
            return std::optional<DnsServerAnswers>();
        const auto& server = lookup.answers.front().server;
        std::vector<DnsCall> calls;
        for (const auto type : plan_.types)
            calls.push_back({server, plan_.name, type, plan_.transport, true});
        constexpr std::chrono::seconds patience{1};
        const auto until = std::min(plan_.until, Clock::now() + patience);
        auto exchanges = handles_.client->ask(calls, until, handles_.watch, output_);
        if (!exchanges) return exchanges.error();
        return std::optional(DnsServerAnswers{server, std::move(*exchanges)});
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
        const auto elapsed = std::chrono::floor<std::chrono::microseconds>(Clock::now() - begin_);
        report_.elapsed_ms = std::chrono::duration<double, std::milli>(elapsed).count();
        output_.event(report_);
        return {};
    }

    Handles& handles_;
    const DnsRequest& request_;
    const Context& context_;
    Output& output_;
    Clock::time_point begin_;
    DnsPlan plan_;
    DnsReport report_;
};

Result<void> run(Handles& handles, const DnsRequest& request, const Context& context, Output& output) {
    return Dns(handles, request, context, output).run();
}

const Registration<DnsRequest> registered{operation<prepare, run>(
    {.resolver_files = true, .ip_sockets = true, .cpu_seconds = 1, .address_space = 32ULL << 20})};

}  // namespace

}  // namespace netlab::operations
