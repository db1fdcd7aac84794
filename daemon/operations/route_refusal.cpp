#include "daemon/operations/route_refusal.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/operations/decisive_route.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/policy_rules.hpp"

#include <algorithm>
#include <limits>

#include <linux/fib_rules.h>

namespace netlab::operations {

namespace {

/// What is known of a packet that is only asked about.
struct Asked {
    const kernel::RouteQuery& query;
    std::string input;
};

bool is_in(const std::optional<IpPrefix>& prefix, const std::optional<IpAddress>& address) {
    return !prefix || (address && prefix->contains(*address));
}

/// nullopt: that is not known.
std::optional<bool> matches(const kernel::Rule& rule, const Asked& packet) {
    const auto& query = packet.query;
    const bool every_uid = !rule.uids || (rule.uids->first == 0 &&
                                          rule.uids->second == std::numeric_limits<std::uint32_t>::max());
    const bool is_known =
        every_uid && !rule.source_ports && !rule.destination_ports && rule.ip_protocol == 0 && !rule.l3mdev;
    // fib_rule_match(): what is made here comes in by "lo", and a rule for an output is for who asks for it.
    const bool fits = (rule.input.empty() || rule.input == packet.input) && rule.output.empty() &&
                      rule.tos == 0 && !rule.tunnel &&
                      (!rule.mask || ((rule.mark ^ query.mark) & *rule.mask) == 0) &&
                      is_in(rule.from, query.from) && is_in(rule.to, query.destination);
    const bool inverted = (rule.flags & FIB_RULE_INVERT) != 0;
    if (fits && !is_known) return std::nullopt;
    return fits != inverted;
}

bool is_before(const kernel::Route& one, const kernel::Route& other) {
    if (one.destination.length() != other.destination.length())
        return one.destination.length() > other.destination.length();
    return one.metric.value_or(0) < other.metric.value_or(0);
}

/// The table's entry for it; nullptr: it has none.
const kernel::Route* look_up(std::span<const kernel::Route> routes, std::uint32_t table,
                             const IpAddress& destination) {
    const kernel::Route* best = nullptr;
    for (const auto& route : routes) {
        const bool covers = route.table == table && !route.from && route.tos == 0 &&
                            route.destination.address().family() == destination.family() &&
                            route.destination.contains(destination);
        if (covers && (best == nullptr || is_before(route, *best))) best = &route;
    }
    return best;
}

RouteRefusal refusal_of(const kernel::Rule& rule) {
    return {"the policy rule " + std::to_string(rule.priority) + ": " + policy_rule_text(rule),
            delete_command(rule)};
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

}  // namespace

std::optional<RouteRefusal> find_refusal(std::span<const kernel::Rule> rules,
                                         std::span<const kernel::Route> routes,
                                         const kernel::RouteQuery& query, const std::string& input) {
    const Asked packet{query, input.empty() ? "lo" : input};
    const auto family = query.destination.is_v4() ? AF_INET : AF_INET6;
    std::uint32_t first = 0;
    for (const auto& rule : rules) {
        if (rule.family != family || rule.priority < first) continue;
        const auto matched = matches(rule, packet);
        if (!matched) return std::nullopt;
        if (!*matched) continue;
        if (rule.action == FR_ACT_GOTO) first = rule.goto_priority.value_or(0);
        if (refuses(rule)) return refusal_of(rule);
        if (rule.action != FR_ACT_TO_TBL) continue;
        const auto* route = look_up(routes, rule.table, query.destination);
        if (route == nullptr || route->kind == RTN_THROW) continue;
        if (rule.suppress_prefix_length && route->destination.length() <= *rule.suppress_prefix_length)
            continue;
        if (rule.suppress_group) return std::nullopt;
        return refuses(*route) ? std::optional(refusal_of(*route)) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<RouteRefusal> ask_refusal(int route_socket, const kernel::RouteQuery& query,
                                        const std::string& input) {
    const auto rules = kernel::dump_rules(route_socket);
    const auto routes = kernel::dump_routes(route_socket, 0);
    if (!rules || !routes) return std::nullopt;
    return find_refusal(rules->rows, routes->rows, query, input);
}

}  // namespace netlab::operations
