#include "common/api/dns.hpp"

#include "daemon/operations/container_text.hpp"
#include "daemon/operations/dns_explanation.hpp"
#include "daemon/operations/dns_lookup.hpp"
#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/dns_trace.hpp"
#include "daemon/operations/hosts_file.hpp"
#include "daemon/operations/operation.hpp"

#include <algorithm>

/// `netlab dns`: one question to DNS from a target's network namespace.
namespace netlab::operations {

namespace {

using api::Context;
using api::DnsAnswer;
using api::DnsOutcome;
using api::DnsReport;
using api::DnsRequest;
using api::DnsTransport;
using Clock = Output::Clock;

struct Handles {
    std::optional<DnsClient> client;
    UniqueFd resolv_conf;
    UniqueFd hosts;
    TargetWatch watch;
};

/// The types of the request by their numbers.
std::vector<std::uint16_t> types_of(const DnsRequest& request) {
    if (const auto* type = api::find_dns_type(request.type)) return {type->number};
    if (IpAddress::parse(request.name)) return {dns_type::ptr};
    // One way at a time is followed, as dig does.
    if (request.trace) return {dns_type::a};
    return {dns_type::a, dns_type::aaaa};
}

Result<Handles> prepare(Namespaces& namespaces, const DnsRequest& request, const Context& context) {
    Handles handles;
    if (!context.targets.empty()) {
        auto watch = TargetWatch::open(context.targets.front(), namespaces[0]);
        if (!watch) return watch.error();
        handles.watch = std::move(*watch);
    }
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    // Of a server that a trace is referred to, both addresses are asked for.
    const std::size_t at_once = request.trace ? 2 : types_of(request).size();
    auto client = DnsClient::open(request.tcp ? 0 : at_once, request.tcp ? at_once : 0);
    if (!client) return client.error();
    handles.client = std::move(*client);
    handles.resolv_conf = std::move(namespaces[0].resolv_conf);
    handles.hosts = std::move(namespaces[0].hosts);
    return handles;
}

DnsOutcome outcome_of(NameOutcome outcome) {
    switch (outcome) {
        case NameOutcome::resolved:
            return DnsOutcome::answered;
        case NameOutcome::no_data:
            return DnsOutcome::no_data;
        case NameOutcome::no_such_name:
            return DnsOutcome::no_such_name;
        case NameOutcome::server_failure:
            return DnsOutcome::server_failure;
        case NameOutcome::refused:
            return DnsOutcome::refused;
        case NameOutcome::timed_out:
            return DnsOutcome::timed_out;
        case NameOutcome::no_server:
            return DnsOutcome::no_server;
        case NameOutcome::invalid_name:
            break;
    }
    return DnsOutcome::invalid_name;
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
        auto made = make_plan();
        if (!made) return made;
        if (request_.trace) return trace();
        auto filed = answer_by_files();
        if (!filed) return filed.error();
        if (*filed) return finish();
        auto lookup = look_up(plan_, {*handles_.client, handles_.watch, output_});
        if (!lookup) return lookup.error();
        tell(*lookup);
        if (auto explained = explain(*lookup); !explained) return explained;
        return finish();
    }

  private:
    Result<void> make_plan() {
        const auto text = read_container_text(handles_.resolv_conf.get());
        if (!text) return text.error();
        plan_.conf = parse_resolv_conf(text->text);
        address_ = IpAddress::parse(request_.name).has_value();
        plan_.name = address_ ? reverse_dns_name(*IpAddress::parse(request_.name)) + "." : request_.name;
        plan_.types = types_of(request_);
        if (request_.type.empty() && plan_.conf.no_aaaa) std::erase(plan_.types, dns_type::aaaa);
        if (!request_.servers.empty()) plan_.conf.servers.clear();
        for (const auto& word : request_.servers) {
            auto server = api::parse_dns_server(word);
            if (!server) return server.error();
            plan_.conf.servers.push_back({server->address, std::move(server->zone), server->port});
        }
        if (!request_.search) plan_.conf.search.clear();
        plan_.all = request_.all_servers;
        plan_.transport = request_.tcp ? DnsTransport::tcp : DnsTransport::udp;
        plan_.until = begin_ + std::chrono::microseconds(static_cast<std::int64_t>(request_.wait_ms * 1000));
        return {};
    }

    /// Whom a program would ask, and not one server or another way in particular.
    [[nodiscard]] bool asks_as_programs_do() const {
        return request_.servers.empty() && !request_.all_servers && !request_.tcp;
    }

    /// What the hosts file has of that type.
    [[nodiscard]] std::vector<std::string> in_hosts(std::string_view text, std::uint16_t type) const {
        std::vector<std::string> data;
        if (type == dns_type::ptr && address_) {
            // The first is the address' name, the others are aliases.
            auto names = hosts_names(text, *IpAddress::parse(request_.name));
            if (!names.empty()) data.push_back(dotted(bare(std::move(names.front()))));
        }
        if (type != dns_type::a && type != dns_type::aaaa) return data;
        const auto family = type == dns_type::a ? Family::ipv4 : Family::ipv6;
        for (const auto& address : hosts_addresses(text, request_.name, family))
            data.push_back(address.to_string());
        return data;
    }

    /// True where programs in FROM ask no server: the name is in its hosts file, or is localhost.
    Result<bool> answer_by_files() {
        const auto text = read_container_text(handles_.hosts.get());
        if (!text) return text.error();
        std::vector<DnsAnswer> answers;
        for (const auto type : plan_.types) {
            answers.push_back(file_answer("/etc/hosts", type, in_hosts(text->text, type)));
            for (const auto& record : answers.back().answers)
                in_hosts_.push_back(record.data);
        }
        if (in_hosts_.empty() && is_localhost(request_.name)) {
            answers.clear();
            for (const auto type : plan_.types) {
                std::vector<std::string> data;
                if (type == dns_type::a) data.emplace_back("127.0.0.1");
                if (type == dns_type::aaaa) data.emplace_back("::1");
                answers.push_back(file_answer("localhost", type, data));
            }
        }
        const bool found =
            std::ranges::any_of(answers, [](const auto& answer) { return !answer.answers.empty(); });
        if (!found || !asks_as_programs_do()) return false;
        report_.outcome = DnsOutcome::answered;
        in_hosts_.clear();
        for (const auto& answer : answers) {
            report_.records += answer.answers.size();
            output_.event(answer);
        }
        return true;
    }

    [[nodiscard]] DnsAnswer file_answer(std::string file, std::uint16_t type,
                                        const std::vector<std::string>& data) const {
        DnsAnswer answer;
        answer.from = request_.from;
        answer.name = dotted(bare(plan_.name));
        answer.qtype = dns_type_name(type);
        answer.outcome = data.empty() ? DnsOutcome::no_data : DnsOutcome::answered;
        answer.server = std::move(file);
        answer.transport = DnsTransport::file;
        for (const auto& one : data)
            answer.answers.push_back({answer.name, answer.qtype, std::nullopt, one});
        return answer;
    }

    static bool is_localhost(std::string_view name) { return same_dns_name(name, "localhost"); }

    static std::string bare(std::string name) {
        if (name.ends_with('.')) name.pop_back();
        return name;
    }

    Result<void> trace() {
        DnsTraceSetting setting{{*handles_.client, handles_.watch, output_},
                                plan_.conf,
                                {},
                                plan_.until,
                                plan_.transport,
                                [&](const api::DnsReferral& referral) {
                                    auto told = referral;
                                    told.from = request_.from;
                                    output_.event(told);
                                }};
        if (!request_.root.empty()) {
            auto root = api::parse_dns_server(request_.root);
            if (!root) return root.error();
            setting.roots.push_back({{root->address, std::move(root->zone), root->port}, {}});
        }
        if (!is_dns_name(plan_.name) && plan_.name != ".") {
            report_.outcome = DnsOutcome::invalid_name;
            report_.explanations.push_back("'" + plan_.name + "' is no name that DNS could be asked for");
            return finish();
        }
        const auto end = trace_dns(plan_.name, plan_.types.front(), setting);
        if (!end) return end.error();
        const auto name = bare(plan_.name);
        report_.candidates.push_back(dotted(name));
        // A server that refers back to itself has data for nobody.
        report_.outcome = end->difficulty.empty() ? outcome_of(end->exchange.outcome)
                          : end->exchange.message ? DnsOutcome::refused
                                                  : outcome_of(end->exchange.outcome);
        tell(name, end->server.server, plan_.types.front(), end->exchange, end->server.name);
        if (!end->difficulty.empty()) report_.explanations.push_back(end->difficulty);
        return finish();
    }

    void tell(const DnsLookup& lookup) {
        for (const auto& candidate : lookup.resolution.candidates)
            report_.candidates.push_back(dotted(candidate));
        report_.outcome = outcome_of(lookup.resolution.outcome);
        if (request_.all_servers) {
            report_.agreed = agree(lookup.answers);
            report_.silent = silent_servers(lookup.answers);
        }
        if (lookup.resolution.candidates.empty()) return;
        for (const auto& answers : lookup.answers) {
            for (std::size_t i = 0; i < plan_.types.size(); ++i)
                tell(lookup.name, answers.server, plan_.types[i], answers.exchanges[i]);
        }
    }

    /// `note`: what else is known of the server.
    void tell(const std::string& name, const NameServer& server, std::uint16_t type,
              const DnsExchange& exchange, const std::string& note = {}) {
        DnsAnswer answer;
        answer.from = request_.from;
        answer.name = dotted(name);
        answer.qtype = dns_type_name(type);
        answer.outcome = outcome_of(exchange.outcome);
        answer.server = server.to_string();
        answer.server_note = note;
        answer.transport = exchange.transport;
        answer.elapsed_us = exchange.elapsed_us;
        answer.attempts = exchange.attempts;
        if (exchange.message) {
            const auto& message = *exchange.message;
            answer.rcode = dns_rcode_name(message.rcode);
            answer.flags = message.flags;
            answer.answers = shown_records(message.answers);
            answer.authority = shown_records(message.authority);
            answer.additional = shown_records(message.additional);
            if (message.more_records > 0) answer.more_records = message.more_records;
            answer.bytes = static_cast<std::uint32_t>(message.size);
            report_.records += message.answers.size();
        }
        output_.event(answer);
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
        std::vector<DnsCall> calls;
        for (const auto type : plan_.types)
            calls.push_back({lookup.answers.front().server, plan_.name, type, plan_.transport, true});
        constexpr std::chrono::seconds patience{1};
        const auto until = std::min(plan_.until, Clock::now() + patience);
        auto exchanges = handles_.client->ask(calls, until, handles_.watch, output_);
        if (!exchanges) return exchanges.error();
        return std::optional(DnsServerAnswers{lookup.answers.front().server, std::move(*exchanges)});
    }

    Result<void> explain(const DnsLookup& lookup) {
        auto as_is = ask_as_is(lookup);
        if (!as_is) return as_is.error();
        auto why = explain_dns({context_, request_, plan_, lookup, in_hosts_, std::move(*as_is), {}});
        report_.explanations = std::move(why.sentences);
        if (!why.suggestion.empty()) report_.suggestion = std::move(why.suggestion);
        return {};
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
    bool address_ = false;
    DnsPlan plan_;
    std::vector<std::string> in_hosts_;  ///< where it was not gone by
    DnsReport report_;
};

Result<void> run(Handles& handles, const DnsRequest& request, const Context& context, Output& output) {
    return Dns(handles, request, context, output).run();
}

const Registration<DnsRequest> registered{operation<prepare, run>(
    {.resolver_files = true, .ip_sockets = true, .cpu_seconds = 1, .address_space = 32ULL << 20})};

}  // namespace

}  // namespace netlab::operations
