#include "daemon/operations/dns_plan.hpp"

#include "daemon/operations/dns_rdata.hpp"
#include "daemon/operations/hosts_file.hpp"
#include "daemon/operations/request_time.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::DnsAnswer;
using api::DnsOutcome;
using api::DnsRequest;
using api::DnsTransport;

std::string bare(std::string name) {
    if (name.ends_with('.')) name.pop_back();
    return name;
}

DnsAnswer file_answer(const DnsRequest& request, const DnsPlan& plan, std::uint16_t type, std::string file,
                      std::span<const std::string> data) {
    DnsAnswer answer;
    answer.from = request.from;
    answer.name = shown_dns_name(plan.name);
    answer.qtype = dns_type_name(type);
    answer.outcome = data.empty() ? DnsOutcome::no_data : DnsOutcome::answered;
    answer.server = std::move(file);
    answer.transport = DnsTransport::file;
    for (const auto& one : data)
        answer.answers.push_back({answer.name, answer.qtype, std::nullopt, one});
    return answer;
}

/// What the hosts file has of that type.
std::vector<std::string> hosts_data(const DnsRequest& request, std::string_view hosts, std::uint16_t type) {
    std::vector<std::string> data;
    if (type == dns_type::ptr) {
        const auto address = IpAddress::parse(request.name);
        // The first is the address' name, the others are aliases.
        auto names = address ? hosts_names(hosts, *address) : std::vector<std::string>{};
        if (!names.empty()) data.push_back(dotted(bare(std::move(names.front()))));
    }
    if (type != dns_type::a && type != dns_type::aaaa) return data;
    const auto family = type == dns_type::a ? Family::ipv4 : Family::ipv6;
    for (const auto& address : hosts_addresses(hosts, request.name, family))
        data.push_back(address.to_string());
    return data;
}

std::vector<std::string> localhost_data(std::uint16_t type) {
    if (type == dns_type::a) return {"127.0.0.1"};
    if (type == dns_type::aaaa) return {"::1"};
    return {};
}

bool has_records(const DnsAnswer& answer) {
    return !answer.answers.empty();
}

}  // namespace

std::vector<std::uint16_t> requested_types(const DnsRequest& request) {
    if (const auto* type = api::find_dns_type(request.type)) return {type->number};
    if (IpAddress::parse(request.name)) return {dns_type::ptr};
    // One way at a time is followed, as dig does.
    if (request.trace) return {dns_type::a};
    return {dns_type::a, dns_type::aaaa};
}

Result<DnsPlan> make_dns_plan(const DnsRequest& request, const ResolvConf& conf,
                              Output::Clock::time_point begin) {
    DnsPlan plan;
    plan.conf = conf;
    const auto address = IpAddress::parse(request.name);
    plan.name = address ? reverse_dns_name(*address) + "." : request.name;
    plan.types = requested_types(request);
    if (request.type.empty() && plan.conf.no_aaaa) std::erase(plan.types, dns_type::aaaa);
    if (!request.servers.empty()) plan.conf.servers.clear();
    for (const auto& word : request.servers) {
        auto server = api::parse_dns_server(word);
        if (!server) return server.error();
        plan.conf.servers.push_back({server->address, std::move(server->zone), server->port});
    }
    plan.conf.search.resize(request.search ? std::min(plan.conf.search.size(), DnsPlan::most_searched) : 0);
    plan.all = request.all_servers;
    // An option of the file's servers, and not of one that is named.
    const bool stream = request.tcp || (plan.conf.use_vc && request.servers.empty());
    plan.transport = stream ? DnsTransport::tcp : DnsTransport::udp;
    plan.until = begin + from_ms(request.wait_ms);
    return plan;
}

ServersBehind servers_behind(const api::EmbeddedResolverRow& docker, const std::string& from) {
    ServersBehind behind;
    for (const auto& upstream : docker.upstreams) {
        auto server = api::parse_dns_server(upstream.server);
        if (upstream.from_host || !server) {
            behind.remarks.push_back("127.0.0.11 also asks " + upstream.server +
                                     ", from the host's namespace: from " + from + " that is another server");
            continue;
        }
        behind.servers.push_back({server->address, std::move(server->zone), server->port});
    }
    if (docker.upstreams.empty())
        behind.remarks.emplace_back("which servers stand behind 127.0.0.11 is not known");
    return behind;
}

DnsFileAnswers answers_of_files(const DnsRequest& request, const DnsPlan& plan, std::string_view hosts) {
    DnsFileAnswers found;
    for (const auto type : plan.types) {
        const auto data = hosts_data(request, hosts, type);
        found.answers.push_back(file_answer(request, plan, type, "/etc/hosts", data));
        found.in_hosts.insert(found.in_hosts.end(), data.begin(), data.end());
    }
    if (found.in_hosts.empty() && same_dns_name(request.name, "localhost")) {
        found.answers.clear();
        for (const auto type : plan.types)
            found.answers.push_back(file_answer(request, plan, type, "localhost", localhost_data(type)));
    }
    // Whom a program would ask, and not one server or another way in particular.
    const bool as_programs = request.servers.empty() && !request.all_servers && !request.tcp;
    found.decide = as_programs && std::ranges::any_of(found.answers, has_records);
    return found;
}

DnsAnswer answer_event(std::string_view from, const std::string& name, std::uint16_t type,
                       const NameServer& server, const DnsExchange& exchange, std::string note) {
    DnsAnswer answer;
    answer.from = from;
    answer.name = shown_dns_name(name);
    answer.qtype = dns_type_name(type);
    answer.outcome = dns_outcome(exchange.outcome);
    answer.server = server.to_string();
    answer.server_note = std::move(note);
    answer.transport = exchange.transport;
    answer.elapsed_us = exchange.elapsed_us;
    answer.attempts = exchange.attempts;
    if (!exchange.message) return answer;
    const auto& message = *exchange.message;
    answer.rcode = dns_rcode_name(message.rcode);
    answer.flags = message.flags;
    answer.answers = shown_records(message.answers);
    answer.authority = shown_records(message.authority);
    answer.additional = shown_records(message.additional);
    if (message.more_records > 0) answer.more_records = message.more_records;
    if (message.extra_bytes > 0) answer.extra_bytes = static_cast<std::uint32_t>(message.extra_bytes);
    answer.bytes = static_cast<std::uint32_t>(message.size);
    return answer;
}

DnsOutcome dns_outcome(NameOutcome outcome) {
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

}  // namespace netlab::operations
