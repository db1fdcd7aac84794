#include "daemon/operations/route_refusal.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/operations/decisive_route.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/policy_rules.hpp"

#include <algorithm>
#include <iterator>

#include <linux/fib_rules.h>

namespace netlab::operations {

namespace {

/// Three answers: nullopt is "not known".
using Known = std::optional<bool>;

/// What is known of a packet that is only asked about.
struct Asked {
    const kernel::RouteQuery& query;
    std::optional<std::string> input;  ///< "lo" of what is made here
};

Asked asked(const kernel::RouteQuery& query, std::optional<std::string> input) {
    // ip_route_output_key_hash() in net/ipv4/route.c: LOOPBACK_IFINDEX.
    if (input && input->empty()) input = "lo";
    return {query, std::move(input)};
}

std::uint8_t family_of(const kernel::RouteQuery& query) {
    return query.destination.is_v4() ? AF_INET : AF_INET6;
}

bool is_in(const std::optional<IpPrefix>& prefix, const std::optional<IpAddress>& address) {
    return !prefix || (address && prefix->contains(*address));
}

Known comes_in_by(const kernel::Rule& rule, const Asked& packet) {
    if (rule.input.empty()) return true;
    return packet.input ? Known(rule.input == *packet.input) : std::nullopt;
}

/// A rule for an output is for who asks for that output.
Known leaves_by(const kernel::Rule& rule, const kernel::RouteQuery& query) {
    if (rule.output.empty()) return true;
    return query.output == 0 ? Known(false) : std::nullopt;
}

Known has_protocol(const kernel::Rule& rule, const kernel::RouteQuery& query) {
    if (rule.ip_protocol == 0) return true;
    return query.protocol != 0 ? Known(rule.ip_protocol == query.protocol) : std::nullopt;
}

Known has_port(const std::optional<std::pair<std::uint16_t, std::uint16_t>>& range, std::uint16_t port) {
    if (!range) return true;
    return port != 0 ? Known(range->first <= port && port <= range->second) : std::nullopt;
}

/// fib_rule_match(), the mark and the inversion left out.
Known fits_without_mark(const kernel::Rule& rule, const Asked& packet) {
    const auto& query = packet.query;
    const Known conditions[] = {
        rule.tos == 0 && !rule.tunnel.value_or(0),
        is_in(rule.from, query.from) && is_in(rule.to, query.destination),
        comes_in_by(rule, packet),
        leaves_by(rule, query),
        has_protocol(rule, query),
        has_port(rule.source_ports, query.source_port),
        has_port(rule.destination_ports, query.destination_port),
        // Whose it is, and of which VRF, is not known.
        asks_for_user(rule) || rule.l3mdev ? std::nullopt : Known(true),
    };
    if (std::ranges::find(conditions, Known(false)) != std::end(conditions)) return false;
    if (std::ranges::find(conditions, Known()) != std::end(conditions)) return std::nullopt;
    return true;
}

Known matches(const kernel::Rule& rule, const Asked& packet) {
    const auto mask = asks_for_mark(rule) ? rule.mask.value_or(0xFFFFFFFF) : 0;
    const bool marked = ((rule.mark ^ packet.query.mark) & mask) == 0;
    const auto fits = marked ? fits_without_mark(rule, packet) : Known(false);
    if (!fits) return std::nullopt;
    return *fits != ((rule.flags & FIB_RULE_INVERT) != 0);
}

bool is_before(const kernel::Route& one, const kernel::Route& other) {
    if (one.destination.length() != other.destination.length())
        return one.destination.length() > other.destination.length();
    const auto from_length = [](const kernel::Route& route) { return route.from ? route.from->length() : 0; };
    if (from_length(one) != from_length(other)) return from_length(one) > from_length(other);
    return one.metric.value_or(0) < other.metric.value_or(0);
}

/// The table's entry for it; nullptr: it has none.
const kernel::Route* look_up(std::span<const kernel::Route> routes, std::uint32_t table,
                             const kernel::RouteQuery& query) {
    const auto& destination = query.destination;
    const kernel::Route* best = nullptr;
    for (const auto& route : routes) {
        const bool covers = route.table == table && is_in(route.from, query.from) && route.tos == 0 &&
                            route.destination.address().family() == destination.family() &&
                            route.destination.contains(destination);
        if (covers && (best == nullptr || is_before(route, *best))) best = &route;
    }
    return best;
}

RouteRefusal refusal_of(const kernel::Rule& rule) {
    return {"the policy rule " + listed_rule(rule), delete_command(rule)};
}

RouteRefusal refusal_of(const kernel::Route& route) {
    const auto text = refusing_text(route);
    const bool main = route.table == RT_TABLE_MAIN;
    const auto name = kernel::table_name(route.table);
    const auto where = main ? std::string() : " table " + name;
    return {"the route " + text + (main ? "" : " in its table " + name),
            is_plain_word(name) ? ip_command(route.destination.address()) + "route del " + text + where
                                : std::string()};
}

/// What one rule that matches makes of the packet; nullopt: the next one is asked.
std::optional<RuleWalk> follow(const kernel::Rule& rule, std::span<const kernel::Route> routes,
                               const kernel::RouteQuery& query) {
    using End = RuleWalk::End;
    if (refuses(rule)) return RuleWalk{End::refused, &rule, nullptr};
    if (rule.action != FR_ACT_TO_TBL) return RuleWalk{End::unknown, &rule, nullptr};
    const auto* route = look_up(routes, rule.table, query);
    if (route == nullptr || route->kind == RTN_THROW) return std::nullopt;
    // What a route refuses is an error, which fib4_rule_suppress() and fib6_rule_suppress() are not asked of.
    if (refuses(*route)) return RuleWalk{End::refused, &rule, route};
    if (rule.suppress_prefix_length && route->destination.length() <= *rule.suppress_prefix_length)
        return std::nullopt;
    // Of which group the route's interface is, is not known.
    return RuleWalk{rule.suppress_group ? End::unknown : End::routed, &rule, route};
}

}  // namespace

RuleWalk walk_rules(std::span<const kernel::Rule> rules, std::span<const kernel::Route> routes,
                    const kernel::RouteQuery& query, const std::string& input) {
    const auto packet = asked(query, input);
    const auto has_priority = [&](std::uint32_t priority) {
        return std::ranges::any_of(rules, [&](const kernel::Rule& rule) {
            return rule.family == family_of(query) && rule.priority == priority;
        });
    };
    std::uint32_t first = 0;
    for (const auto& rule : rules) {
        if (rule.family != family_of(query) || rule.priority < first) continue;
        const auto matched = matches(rule, packet);
        if (!matched) return {RuleWalk::End::unknown, &rule, nullptr};
        if (!*matched || rule.action == FR_ACT_NOP) continue;
        if (rule.action == FR_ACT_GOTO) {
            // One whose target is not there (FIB_RULE_UNRESOLVED) is passed over.
            if (rule.goto_priority && has_priority(*rule.goto_priority)) first = *rule.goto_priority;
            continue;
        }
        if (const auto end = follow(rule, routes, query)) return *end;
    }
    return {RuleWalk::End::nowhere, nullptr, nullptr};
}

std::optional<RouteRefusal> find_refusal(std::span<const kernel::Rule> rules,
                                         std::span<const kernel::Route> routes,
                                         const kernel::RouteQuery& query, const std::string& input) {
    const auto walk = walk_rules(rules, routes, query, input);
    if (walk.end != RuleWalk::End::refused) return std::nullopt;
    return walk.route == nullptr ? refusal_of(*walk.rule) : refusal_of(*walk.route);
}

std::optional<RouteRefusal> ask_refusal(int route_socket, const kernel::RouteQuery& query,
                                        const std::string& input) {
    const auto rules = kernel::dump_rules(route_socket);
    const auto routes = kernel::dump_routes(route_socket, 0);
    if (!rules || !routes) return std::nullopt;
    return find_refusal(rules->rows, routes->rows, query, input);
}

Explanation find_policy_rule(std::span<const kernel::Rule> rules, std::span<const kernel::Route> routes,
                             const kernel::RouteQuery& query, const std::string& input, int error) {
    const auto walk = walk_rules(rules, routes, query, input);
    if (error == 0) {
        const bool special = walk.end == RuleWalk::End::routed && !is_default_rule(*walk.rule);
        return {special ? listed_rule(*walk.rule) : std::string(), {}};
    }
    if (walk.end != RuleWalk::End::refused) return {};
    if (walk.route == nullptr) return {listed_rule(*walk.rule), delete_command(*walk.rule)};
    return {listed_rule(*walk.rule) + ", and there the route " + refusing_text(*walk.route),
            refusal_of(*walk.route).command};
}

std::string ask_policy_rule(int route_socket, const kernel::RouteQuery& query, const std::string& input) {
    const auto rules = kernel::dump_rules(route_socket);
    const auto routes = kernel::dump_routes(route_socket, 0);
    if (!rules || !routes) return {};
    return find_policy_rule(rules->rows, routes->rows, query, input, 0).explanation;
}

std::string find_rule_by_mark(std::span<const kernel::Rule> rules, const kernel::RouteQuery& query,
                              const std::optional<std::string>& input) {
    const auto packet = asked(query, input);
    const auto found = std::ranges::find_if(rules, [&](const kernel::Rule& rule) {
        return rule.family == family_of(query) && asks_for_mark(rule) &&
               fits_without_mark(rule, packet) != Known(false);
    });
    return found == rules.end() ? std::string() : listed_rule(*found);
}

}  // namespace netlab::operations
