#include "daemon/operations/resolver.hpp"

#include "daemon/operations/container_text.hpp"
#include "daemon/operations/hosts_file.hpp"
#include "daemon/operations/numeric_host.hpp"
#include "daemon/operations/resolver_files.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using Clock = Output::Clock;

Resolution resolved(std::vector<IpAddress> addresses, std::string_view name, std::string by) {
    Resolution resolution;
    resolution.outcome = NameOutcome::resolved;
    resolution.addresses = std::move(addresses);
    resolution.name = name;
    resolution.resolved_by = std::move(by);
    return resolution;
}

std::vector<IpAddress> loopbacks(std::optional<Family> family) {
    std::vector<IpAddress> addresses;
    if (family != Family::ipv6) addresses.push_back(*IpAddress::parse("127.0.0.1"));
    if (family != Family::ipv4) addresses.push_back(*IpAddress::parse("::1"));
    return addresses;
}

/// One candidate at all the servers, as often as the configuration says.
struct Round {
    DnsClient& dns;
    const ResolvConf& conf;
    std::vector<Family> families;
    Clock::time_point end;
    bool hurried;  ///< each server has its share of what is left, if that is less than its timeout
    const TargetWatch& watch;
    Output& output;

    /// What all the servers made of it; the addresses go into `resolution`.
    Result<NameOutcome> ask(const std::string& name, Resolution& resolution) const {
        resolution.asked.clear();
        for (unsigned attempt = 0; attempt < conf.attempts; ++attempt) {
            for (std::size_t i = 0; i < conf.servers.size() && Clock::now() < end; ++i) {
                const auto asked = ask_one(i, attempt, name, resolution);
                if (!asked) return asked.error();
                if (attempt == 0) resolution.asked.emplace_back();
                resolution.asked[i] = *asked;
                if (!is_answer(asked->outcome)) continue;
                if (asked->outcome == NameOutcome::resolved) resolution.resolved_by = asked->server;
                return asked->outcome;
            }
        }
        std::vector<NameOutcome> outcomes;
        for (const auto& asked : resolution.asked)
            outcomes.push_back(asked.outcome);
        return join(outcomes);
    }

    [[nodiscard]] Clock::duration timeout(std::size_t server, unsigned attempt) const {
        const Clock::duration whole = server_timeout(conf, server);
        if (!hurried) return whole;
        const auto all = conf.servers.size();
        const auto left = all - server + (conf.attempts - 1 - attempt) * all;
        return std::min(whole, (end - Clock::now()) / static_cast<int>(left));
    }

    Result<AskedServer> ask_one(std::size_t server, unsigned attempt, const std::string& name,
                                Resolution& resolution) const {
        std::vector<DnsCall> calls;
        for (const auto family : families)
            calls.push_back({conf.servers[server], name,
                             family == Family::ipv4 ? dns_type::a : dns_type::aaaa,
                             conf.use_vc ? api::DnsTransport::tcp : api::DnsTransport::udp});
        const auto until = std::min(end, Clock::now() + timeout(server, attempt));
        const auto exchanges = dns.ask(calls, until, watch, output);
        if (!exchanges) return exchanges.error();
        resolution.addresses.clear();
        std::vector<NameOutcome> outcomes;
        for (std::size_t i = 0; i < calls.size(); ++i) {
            const auto& exchange = (*exchanges)[i];
            outcomes.push_back(exchange.outcome);
            if (!exchange.message) continue;
            for (const auto& record : records_of(*exchange.message, name, calls[i].type)) {
                if (record.address) resolution.addresses.push_back(*record.address);
            }
        }
        const auto outcome = join(outcomes);
        return AskedServer{conf.servers[server].to_string(), outcome, reason_of(*exchanges, outcome)};
    }
};

}  // namespace

Result<Resolver> Resolver::open(TargetHandle& target, std::string name) {
    auto dns = DnsClient::open(2, 2);
    if (!dns) return dns.error();
    Resolver resolver(std::move(*dns));
    resolver.target_ = std::move(name);
    resolver.resolv_conf_ = std::move(target.resolv_conf);
    resolver.resolv_conf_file_ = std::move(target.resolv_conf_file);
    complete(resolver.resolv_conf_file_, resolver.resolv_conf_, "/etc/resolv.conf");
    resolver.hosts_ = std::move(target.hosts);
    return resolver;
}

Result<Resolution> Resolver::resolve(std::string_view name, std::optional<Family> family,
                                     const TargetWatch& watch, Output& output,
                                     std::chrono::milliseconds patience) {
    if (auto numeric = parse_numeric_host(name)) {
        if (family && numeric->address.family() != *family) {
            Resolution other;
            other.outcome = NameOutcome::no_data;
            other.name = name;
            return other;
        }
        auto resolution = resolved({numeric->address}, name, "numeric");
        resolution.zone = std::move(numeric->zone);
        return resolution;
    }
    const auto hosts = read_container_text(hosts_.get());
    if (!hosts) return hosts.error();
    if (auto addresses = hosts_addresses(hosts->text, name, family); !addresses.empty()) {
        return resolved(std::move(addresses), name, "/etc/hosts");
    }
    if (same_dns_name(name, "localhost")) return resolved(loopbacks(family), name, "localhost");
    return ask_dns(name, family, watch, output, patience);
}

Result<Resolution> Resolver::ask_dns(std::string_view name, std::optional<Family> family,
                                     const TargetWatch& watch, Output& output,
                                     std::chrono::milliseconds patience) {
    const auto file = read_resolv_conf_row(target_, {resolv_conf_file_, resolv_conf_.get()});
    if (auto known = need_known_servers(file.row, "give an address in place of the name"); !known)
        return known.error();
    const auto& conf = file.reading.conf;
    Round round{dns_, conf, {}, Clock::now() + patience, patience < longest, watch, output};
    if (family != Family::ipv6) round.families.push_back(Family::ipv4);
    if (family != Family::ipv4 && !conf.no_aaaa) round.families.push_back(Family::ipv6);

    Resolution resolution;
    if (round.families.empty()) {
        resolution.outcome = NameOutcome::no_data;
        return resolution;
    }
    NameSearch search(conf, name);
    while (Clock::now() < round.end) {
        const auto candidate = search.next();
        if (!candidate) break;
        resolution.candidates.push_back(*candidate);
        const auto outcome = round.ask(*candidate, resolution);
        if (!outcome) return outcome.error();
        if (*outcome == NameOutcome::resolved) {
            resolution.outcome = NameOutcome::resolved;
            resolution.name = *candidate;
            return resolution;
        }
        search.failed(*outcome);
    }
    resolution.outcome = search.outcome();
    return resolution;
}

}  // namespace netlab::operations
