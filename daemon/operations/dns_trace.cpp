#include "daemon/operations/dns_trace.hpp"

#include "daemon/operations/dns_rdata.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using Clock = Output::Clock;

constexpr int most_zones = 16;
constexpr int most_questions = 64;
/// Of a server whose own name has to be traced, whose server's name has to be traced, …
constexpr int deepest = 3;
/// Of one zone; the others would say the same.
constexpr std::size_t most_servers = 4;

std::size_t labels(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return name.empty() ? 0 : static_cast<std::size_t>(std::ranges::count(name, '.')) + 1;
}

std::string bare(std::string name) {
    if (name.ends_with('.')) name.pop_back();
    return name;
}

class Trace {
  public:
    explicit Trace(const DnsTraceSetting& setting) : setting_(setting) {}

    Result<DnsTraceEnd> follow(const std::string& name, std::uint16_t type, int depth) {
        DnsTraceEnd end;
        end.name = name;
        end.zone = ".";
        auto servers = setting_.roots;
        if (servers.empty()) {
            auto known = ask_for_roots(end, depth);
            if (!known) return known.error();
            servers = std::move(*known);
            if (servers.empty()) return end;
        }
        for (int zones = 0; zones < most_zones; ++zones) {
            auto step = ask_zone(end, servers, name, type);
            if (!step) return step.error();
            if (*step != TraceStep::referral) return end;
            const auto delegation = delegation_of(*end.exchange.message, name);
            if (depth == 0) tell(end, delegation);
            auto next = servers_of(delegation, depth);
            if (!next) return next.error();
            end.zone = delegation.zone;
            end.exchange = {};
            servers = std::move(*next);
            if (servers.empty()) {
                end.exchange.outcome = NameOutcome::no_server;
                end.difficulty = "no address is to be found for any server of the zone " + delegation.zone;
                return end;
            }
        }
        end.difficulty = "the delegations do not end within " + std::to_string(most_zones) + " zones";
        return end;
    }

  private:
    [[nodiscard]] bool spent() const {
        return questions_ >= most_questions || Clock::now() >= setting_.until;
    }

    /// As the target's programs would ask; the servers of its resolv.conf know the way.
    Result<DnsLookup> look_up_here(const std::string& name, std::vector<std::uint16_t> types) {
        ++questions_;
        DnsPlan plan;
        plan.name = name;
        plan.types = std::move(types);
        plan.conf = setting_.conf;
        plan.conf.search.clear();
        const auto now = Clock::now();
        plan.until = now + (setting_.until - now) / 2;
        return look_up(plan, setting_.dns);
    }

    Result<std::vector<ZoneServer>> ask_for_roots(DnsTraceEnd& end, int depth) {
        auto lookup = look_up_here(".", {dns_type::ns});
        if (!lookup) return lookup.error();
        auto& answers = lookup->answers.front();
        end.server = {answers.server, {}};
        end.exchange = std::move(answers.exchanges.front());
        if (lookup->resolution.outcome != NameOutcome::resolved) {
            end.difficulty =
                answers.server.to_string() + " does not know the servers of the root: --root names one";
            return std::vector<ZoneServer>();
        }
        const auto delegation = delegation_of(*end.exchange.message, ".");
        if (depth == 0) tell(end, delegation);
        auto servers = servers_of(delegation, depth);
        if (servers && servers->empty())
            end.difficulty = "no address is to be found for any server of the root";
        end.exchange = {};
        return servers;
    }

    /// The zone's servers, one after the other, until one says something to go by.
    Result<TraceStep> ask_zone(DnsTraceEnd& end, const std::vector<ZoneServer>& servers,
                               const std::string& name, std::uint16_t type) {
        const auto count = std::min(servers.size(), most_servers);
        for (std::size_t i = 0; i < count && !spent(); ++i) {
            ++questions_;
            const auto now = Clock::now();
            constexpr std::chrono::seconds patience{2};
            const auto until = now + share_of(setting_.until - now, patience, count - i);
            const DnsCall call{servers[i].server, name, type, setting_.transport, false};
            auto exchanges =
                setting_.dns.client.ask({&call, 1}, until, setting_.dns.watch, setting_.dns.output);
            if (!exchanges) return exchanges.error();
            auto& exchange = exchanges->front();
            exchange.attempts.insert(exchange.attempts.begin(), end.exchange.attempts.begin(),
                                     end.exchange.attempts.end());
            end.exchange = std::move(exchange);
            end.server = servers[i];
            if (!end.exchange.message) continue;
            const auto step = trace_step(*end.exchange.message, end.zone, name);
            if (step != TraceStep::lame) return step;
        }
        end.difficulty = end.exchange.message ? "the servers of the zone " + end.zone +
                                                    " do not answer for it (lame delegation)"
                                              : "no server of the zone " + end.zone + " gives an answer";
        if (questions_ >= most_questions)
            end.difficulty = "it takes more than " + std::to_string(most_questions) + " questions";
        return TraceStep::lame;
    }

    void tell(const DnsTraceEnd& end, const Delegation& delegation) const {
        api::DnsReferral referral;
        referral.zone = end.zone;
        referral.server = end.server.server.to_string();
        referral.server_name = end.server.name;
        referral.transport = end.exchange.transport;
        referral.records = shown_records(delegation.servers);
        referral.glue = shown_records(delegation.glue);
        referral.bytes = static_cast<std::uint32_t>(end.exchange.message->size);
        referral.elapsed_us = end.exchange.elapsed_us;
        referral.attempts = end.exchange.attempts;
        setting_.tell(std::move(referral));
    }

    /// With their addresses, IPv4 first: those that came along, else those that are asked for.
    Result<std::vector<ZoneServer>> servers_of(const Delegation& delegation, int depth) {
        std::vector<ZoneServer> servers;
        const auto add = [&](const DnsResource& record, const std::string& name) {
            if (record.address && servers.size() < 2 * most_servers)
                servers.push_back({{*record.address, {}, 53}, name});
        };
        for (const auto& record : delegation.glue)
            add(record, record.name);
        for (const auto& record : delegation.servers) {
            if (!servers.empty() || spent()) break;
            auto found = addresses_of(record.data, depth);
            if (!found) return found.error();
            for (const auto& address : *found)
                add(address, record.data);
        }
        std::ranges::stable_sort(servers, {},
                                 [](const ZoneServer& one) { return one.server.address.is_v6(); });
        return servers;
    }

    /// Of a server whose name lies in another zone.
    Result<std::vector<DnsResource>> addresses_of(const std::string& name, int depth) {
        std::vector<DnsResource> found;
        if (setting_.roots.empty()) {
            auto lookup = look_up_here(name, {dns_type::a, dns_type::aaaa});
            if (!lookup) return lookup.error();
            for (const auto& exchange : lookup->answers.front().exchanges) {
                if (exchange.message)
                    found.insert(found.end(), exchange.message->answers.begin(),
                                 exchange.message->answers.end());
            }
            return found;
        }
        // A private root is not the one that FROM's servers know.
        if (depth == deepest) return found;
        for (const auto type : {dns_type::a, dns_type::aaaa}) {
            const auto end = follow(bare(name), type, depth + 1);
            if (!end) return end.error();
            if (end->exchange.message) found = end->exchange.message->answers;
            const bool any =
                std::ranges::any_of(found, [](const auto& one) { return one.address.has_value(); });
            if (any || spent()) break;
        }
        return found;
    }

    const DnsTraceSetting& setting_;
    int questions_ = 0;
};

}  // namespace

bool is_below(std::string_view name, std::string_view zone) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (zone.ends_with('.')) zone.remove_suffix(1);
    if (zone.empty()) return true;
    if (name.size() < zone.size() || !same_dns_name(name.substr(name.size() - zone.size()), zone))
        return false;
    return name.size() == zone.size() || name[name.size() - zone.size() - 1] == '.';
}

Delegation delegation_of(const DnsMessage& message, std::string_view name) {
    Delegation delegation;
    const bool asked_for = labels(name) == 0 && !message.answers.empty();
    const auto& section = asked_for ? message.answers : message.authority;
    for (const auto& record : section) {
        if (record.type != dns_type::ns || !is_below(name, record.name)) continue;
        if (delegation.servers.empty() || labels(record.name) > labels(delegation.zone)) {
            delegation.servers.clear();
            delegation.zone = record.name;
        }
        if (same_dns_name(record.name, delegation.zone)) delegation.servers.push_back(record);
    }
    for (const auto& record : message.additional) {
        const auto names_it = [&](const DnsResource& server) {
            return same_dns_name(server.data, record.name);
        };
        if (record.address && std::ranges::any_of(delegation.servers, names_it))
            delegation.glue.push_back(record);
    }
    return delegation;
}

TraceStep trace_step(const DnsMessage& message, std::string_view zone, std::string_view name) {
    if (message.rcode == dns_rcode::no_such_name) return TraceStep::final;
    if (message.rcode != dns_rcode::no_error) return TraceStep::lame;
    if (!message.answers.empty() || message.flags.aa) return TraceStep::final;
    const auto delegation = delegation_of(message, name);
    if (delegation.servers.empty()) return TraceStep::lame;
    return labels(delegation.zone) > labels(zone) ? TraceStep::referral : TraceStep::lame;
}

Result<DnsTraceEnd> trace_dns(const std::string& name, std::uint16_t type, const DnsTraceSetting& setting) {
    return Trace(setting).follow(bare(name), type, 0);
}

}  // namespace netlab::operations
