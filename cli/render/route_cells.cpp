#include "cli/render/route_cells.hpp"

#include "common/described.hpp"

#include <algorithm>

namespace netlab::cli {

namespace {

using Words = std::vector<std::string>;

bool is_bad_flag(const std::string& flag) {
    return flag == "dead" || flag == "linkdown" || flag == "unresolved";
}

void append_flags(Words& out, const Words& flags, const std::string& suffix) {
    for (const auto& flag : flags)
        out.push_back(flag + suffix);
}

void append_metrics(Words& out, const api::PathMetrics& metrics) {
    boost::mp11::mp_for_each<described::members<api::PathMetrics>>([&](auto member) {
        const auto& value = metrics.*member.pointer;
        using Value = std::remove_cvref_t<decltype(value)>;
        const std::string name = member.name;
        if constexpr (std::same_as<Value, std::optional<std::uint32_t>>) {
            const auto bare = name.substr(0, name.ends_with("_ms") ? name.size() - 3 : name.size());
            const bool locked = std::ranges::count(metrics.locked, bare) > 0;
            if (value)
                out.push_back(bare + (locked ? " lock " : " ") + std::to_string(*value) +
                              (bare == name ? "" : "ms"));
        } else if constexpr (std::same_as<Value, std::optional<std::string>>) {
            if (value) out.push_back(name + " " + *value);
        }
    });
}

}  // namespace

Cell gateway_cell(const api::RouteEntry& route) {
    if (route.nexthops.empty()) return route.gateway ? route.gateway->to_string() : "-";
    Words items;
    for (const auto& hop : route.nexthops)
        items.push_back((hop.gateway ? hop.gateway->to_string() : "-") + " weight " +
                        std::to_string(hop.weight));
    return items;
}

Cell interface_cell(const api::RouteEntry& route) {
    if (route.nexthops.empty()) return route.interface.value_or("-");
    Words items;
    for (const auto& hop : route.nexthops)
        items.push_back(hop.interface);
    return items;
}

Cell kind_cell(const api::RouteEntry& route) {
    const bool drops = route.kind == "blackhole" || route.kind == "unreachable" || route.kind == "prohibit";
    return {route.kind, drops ? Hue::bad : Hue::plain};
}

Cell details_cell(const api::RouteEntry& route) {
    Words items;
    append_flags(items, route.flags, "");
    for (const auto& hop : route.nexthops) {
        append_flags(items, hop.flags, " " + hop.interface);
        if (hop.encapsulation) items.push_back("encap " + *hop.encapsulation + " " + hop.interface);
    }
    if (route.from) items.push_back("from " + *route.from);
    if (route.tos) items.push_back("tos " + *route.tos);
    if (route.metrics) append_metrics(items, *route.metrics);
    if (route.preference && *route.preference != "medium") items.push_back("pref " + *route.preference);
    if (route.nexthop_id) items.push_back("nhid " + std::to_string(*route.nexthop_id));
    if (route.encapsulation) items.push_back("encap " + *route.encapsulation);
    if (route.expires_seconds) items.push_back("expires in " + std::to_string(*route.expires_seconds) + "s");
    Cell cell(std::move(items));
    const auto any_bad = [](const Words& flags) { return std::ranges::any_of(flags, is_bad_flag); };
    if (any_bad(route.flags) ||
        std::ranges::any_of(route.nexthops, [&](const auto& hop) { return any_bad(hop.flags); }))
        cell.hue = Hue::bad;
    return cell;
}

}  // namespace netlab::cli
