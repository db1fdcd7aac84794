#include "common/api/nat.hpp"

#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/container_path.hpp"
#include "daemon/operations/engine_answers.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/nat_judgement.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/way_out_view.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

/// `netlab nat`: the way of packets between containers and the outside of the host.
namespace netlab::operations::nat {

namespace {

using api::NatVerdict;

struct Handles {
    std::size_t host = 0;  ///< place
    /// Of the targets' namespaces, by their first places; not the host's, nor with `all`.
    std::map<std::size_t, HostRules> own_rules;
    HostRules rules;
    KnownNamespaces known;
    Engines engines;
};

/// Of the targets that are asked for, once of those that share a namespace.
std::map<std::size_t, HostRules> ask_containers(Namespaces& namespaces, std::size_t host,
                                                const api::Context& context) {
    std::map<std::size_t, HostRules> out;
    std::set<std::pair<std::uint64_t, std::uint64_t>> seen{{namespaces[host].device, namespaces[host].inode}};
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        const auto& one = namespaces[i];
        const bool is_first = one.net && seen.emplace(one.device, one.inode).second;
        if (is_first && namespaces.enter(i)) out.emplace(i, HostRules::ask_of_container());
    }
    return out;
}

Result<Handles> prepare(Namespaces& namespaces, const api::NatRequest& request, const api::Context& context) {
    const auto host = find_host(namespaces);
    if (!host) return host_not_known();
    // Sockets of engines are of the daemon's own namespace.
    Engines engines(namespaces, context);
    auto own_rules =
        request.all ? std::map<std::size_t, HostRules>() : ask_containers(namespaces, *host, context);
    if (auto entered = namespaces.enter(*host); !entered) return entered.error();
    auto rules = HostRules::ask();
    return Handles{*host, std::move(own_rules), std::move(rules), KnownNamespaces(namespaces, context),
                   std::move(engines)};
}

constexpr Family families[] = {Family::ipv4, Family::ipv6};

/// An address that a member of the subnet may have.
IpAddress member_of(const IpPrefix& subnet) {
    auto bytes = subnet.address().bytes();
    std::vector<std::uint8_t> octets(bytes.begin(), bytes.end());
    octets.back() = static_cast<std::uint8_t>(octets.back() | 2U);
    return IpAddress::from_bytes(octets);
}

class Inspection {
  public:
    Inspection(Handles& handles, const api::NatRequest& request, const api::Context& context, Output& output)
        : handles_(handles),
          request_(request),
          context_(context),
          engines_(handles.engines, output),
          topology_(read_topology(handles.known, context)),
          view_(handles.known, topology_, handles.host, context.truncated),
          rules_(handles.rules.read(view_.names())),
          own_rules_(read_own_rules()),
          ways_(handles.known, topology_.topology, view_, rules_, own_rules_) {}

    /// The networks of the engines, and what is known of each.
    void read_networks() { engines_.read(); }

    Result<void> target(std::size_t i, Rows& rows) {
        if (request_.all) return {};
        rows.note(topology_.consistent);
        const auto& target = context_.targets[i];
        const auto place = handles_.known.home(i);
        const auto& facts = topology_.topology[place];
        if (place == view_.place()) {
            host_network(target, rows);
        } else if (!handles_.known.socket(place)) {
            return handles_.known.socket(place).error();
        } else {
            const InterfaceNames names(facts.links);
            for (const auto& address : facts.addresses) {
                const auto& own = address.prefix.address();
                if (!own.is_loopback() && !own.is_link_local())
                    out_of_target(target, place, address, names, rows);
            }
        }
        incoming(rows, [&](const api::NatInRow& row) {
            return row.to && place != view_.place() && facts.has_address(row.to->address);
        });
        return {};
    }

    /// What does not belong to one target.
    Result<void> rest(Rows& rows) {
        if (request_.all) {
            rows.note(topology_.consistent);
            for (const auto& network : engines_.networks())
                out_of_network(network, rows);
            incoming(rows, [](const api::NatInRow&) { return true; });
        }
        for (const auto& failure : engines_.failures())
            rows.failure(failure);
        return {};
    }

  private:
    [[nodiscard]] std::map<std::size_t, RuleSet> read_own_rules() {
        std::map<std::size_t, RuleSet> out;
        for (auto& [place, rules] : handles_.own_rules)
            out.emplace(place, rules.read(InterfaceNames(topology_.topology[place].links)));
        return out;
    }

    void host_network(const api::Target& target, Rows& rows) {
        for (const auto family : families) {
            const auto& way = ways_.outside(family);
            if (!way.address) continue;
            api::NatOutRow row;
            row.target = target.name;
            row.family = family;
            row.output = row.interface = way.interface;
            row.as = way.address;
            row.verdict = NatVerdict::host_network;
            row.explanation = target.name + " has the host's network: nothing is translated";
            add(row, rows);
        }
    }

    void out_of_target(const api::Target& target, std::size_t place, const kernel::Address& address,
                       const InterfaceNames& names, Rows& rows) {
        const auto& source = address.prefix.address();
        api::NatOutRow row;
        row.target = target.name;
        row.family = source.family();
        row.source = address.prefix;
        row.interface = names[address.index];
        for (const auto& network : target.networks) {
            const bool its = std::ranges::any_of(
                network.addresses, [&](const IpPrefix& one) { return one.address() == source; });
            if (its) row.network = network.name;
        }
        const auto* network = engines_.network_of(target, row.network);
        row.internal = network != nullptr && network->internal;
        const auto route = kernel::query_route(handles_.known.socket(place)->get(),
                                               {ways_.anybody(row.family), {}, 0, 0, 0, false});
        const bool routed = route && route->error == 0 && route->route;
        row.by_default = routed && route->route->hop.index == address.index;
        if (row.by_default) row.gateway = route->route->hop.gateway;
        const auto entry = ways_.entry_of({place, address.index});
        if (!entry) {
            row.verdict = NatVerdict::not_by_host;
            row.explanation =
                "its interface " + row.interface +
                " is not joined to the host's network namespace: the host does not translate it";
        } else {
            judge(way_of(target, row, *entry), row);
        }
        if (!routed) {
            // Where there is none nothing refuses.
            const bool refused = route && route->error != ENETUNREACH;
            no_route(target, row, refused ? wrong_route(target, source) : std::nullopt);
        } else if (!row.by_default) {
            row.explanation = "its default route is by " + names[route->route->hop.index] +
                              ": what goes to the outside leaves there" +
                              (row.explanation.empty() ? "" : "; by this one: " + row.explanation);
        }
        const bool bridge_down =
            entry && !is_up(topology_.topology[entry->bridge.place], entry->bridge.index);
        if (!bridge_down) tell_broken_path(target, source, row);
        tell_internal(row.network, row);
        add(row, rows);
    }

    void judge(const WayOut& way, api::NatOutRow& row) const {
        judge_way_out(rules_.of(row.family), way, row);
        const bool given = row.verdict == NatVerdict::translated && row.as;
        if (!given || topology_.topology[view_.place()].has_address(*row.as)) return;
        row.explanation += (row.explanation.empty() ? "" : "; ") + row.as->to_string() +
                           " is no address of the host's: an answer comes back only where whoever is outside "
                           "sends what is for it to the host";
    }

    /// With what is the target's own.
    [[nodiscard]] WayOut way_of(const api::Target& target, const api::NatOutRow& row,
                                const WayOutView::Entry& entry) const {
        const auto own = own_rules_.find(handles_.known.home(place_of_target(target)));
        const auto& own_rules = own != own_rules_.end() ? own->second : unread_;
        auto way = ways_.way(*row.source, entry);
        way.target = &target;
        way.engine = target.runtime;
        way.interface = row.interface;
        way.own_rules = &own_rules.of(row.family);
        auto lost = path_of(target).undiscovered(rules_, own_rules, way.source);
        if (lost && (!way.undiscovered || lost->certain)) way.undiscovered = std::move(lost);
        return way;
    }

    [[nodiscard]] std::size_t place_of_target(const api::Target& target) const {
        return static_cast<std::size_t>(&target - context_.targets.data());
    }

    /// Kept, for it keeps what it has asked: a target may have thousands of addresses.
    [[nodiscard]] const ContainerPath& path_of(const api::Target& target) const {
        const auto i = place_of_target(target);
        return paths_.try_emplace(i, handles_.known, topology_.topology, view_, context_, i).first->second;
    }

    /// Beneath the rules: a cable, a route or a neighbour entry, without which no packet comes to them.
    void tell_broken_path(const api::Target& target, const IpAddress& source, api::NatOutRow& row) const {
        const auto& path = path_of(target);
        auto broken = path.broken(source);
        if (!broken && row.by_default) broken = wrong_route(target, source);
        if (broken) return tell_stop(NatVerdict::blocked, *broken, row);
        const bool fine = row.verdict == NatVerdict::translated || row.verdict == NatVerdict::routed;
        if (!fine || !row.by_default) return;
        const auto route = path.back({source, ways_.anybody(row.family)});
        if (!route.by_host) tell_stop(NatVerdict::unknown, past_host(target, route), row);
    }

    /// The host's rules have no word of what goes to another gateway.
    [[nodiscard]] Explanation past_host(const api::Target& target, const RouteBack& route) const {
        std::string to = "whoever answers for it there";
        if (route.gateway) {
            const auto owners = view_.way(*route.gateway).owners;
            to = route.gateway->to_string() + ", which " +
                 (owners.empty() ? "nobody that netlab knows" : owners.front()) + " has and the host has not";
        }
        return {target.name + " sends what is for the outside by " + route.interface + " to " + to +
                    ": what becomes of it then netlab does not know",
                is_plain_word(target.name) ? "netlab routes " + target.name : std::string()};
    }

    static void no_route(const api::Target& target, api::NatOutRow& row,
                         const std::optional<Explanation>& why) {
        row.by_default = false;
        const std::string family = row.family == Family::ipv4 ? "IPv4" : "IPv6";
        tell_stop(NatVerdict::no_route,
                  why.value_or(Explanation{
                      target.name + " has no " + family + " route to the outside: nothing leaves", {}}),
                  row);
    }

    /// What refuses to send the target's packets to the outside, or sends them to the wrong neighbour.
    [[nodiscard]] std::optional<Explanation> wrong_route(const api::Target& target,
                                                         const IpAddress& source) const {
        auto route = path_of(target).back({source, ways_.anybody(source.family())});
        if (route.why && route.kind == RouteBack::Kind::refused)
            route.why->explanation = target.name + " may not send to the outside: " + route.why->explanation;
        return route.why;
    }

    static void tell_stop(NatVerdict verdict, const Explanation& why, api::NatOutRow& row) {
        row.verdict = verdict;
        row.rule.reset();
        row.as.reset();
        row.explanation = why.explanation;
        row.suggestion = why.suggestion;
    }

    /// Nothing leaves an internal network, in whichever way its engine sees to that.
    static void tell_internal(const std::string& network, api::NatOutRow& row) {
        if (!row.internal) return;
        row.explanation =
            network + " is an internal network" + (row.explanation.empty() ? "" : ": " + row.explanation);
        row.suggestion.clear();
    }

    void out_of_network(const api::NetworkRow& network, Rows& rows) {
        if (network.driver != "bridge") {
            const bool other = network.driver == "macvlan" || network.driver == "ipvlan";
            if (!other) return;
            api::NatOutRow row;
            row.network = network.name;
            row.verdict = NatVerdict::not_by_host;
            row.interface = network.parent.value_or("");
            row.explanation = "a " + network.driver + " network: the host does not translate it";
            if (!network.subnets.empty()) row.source = network.subnets.front().subnet;
            return add(row, rows);
        }
        for (const auto& subnet : network.subnets) {
            api::NatOutRow row;
            row.network = network.name;
            row.family = subnet.subnet.address().family();
            row.internal = network.internal;
            row.source = subnet.subnet;
            row.gateway = subnet.gateway;
            row.bridge = network.bridge.value_or("");
            const auto index = view_.names().find(row.bridge);
            if (index) {
                const auto member = member_of(subnet.subnet);
                auto way =
                    ways_.way(*IpPrefix::make(member, subnet.subnet.length()), {{view_.place(), *index}});
                way.engine = network.engine;
                judge(way, row);
                if (row.as == member) row.as.reset();
            } else {
                row.explanation = "its bridge is not there";
                // Podman makes it for the first member.
                if (network.engine == api::Runtime::podman) {
                    row.explanation += ", as long as it has no member";
                    rows.add(row);
                    continue;
                }
            }
            tell_internal(network.name, row);
            add(row, rows);
        }
    }

    template <class Wanted>
    void incoming(Rows& rows, Wanted wanted) {
        for (const auto family : families) {
            const auto& chains = rules_.of(family).chains;
            for (const auto& found : find_dnat_rules(chains)) {
                auto row = describe_dnat(found, family, chains);
                if (!wanted(row)) continue;
                if (row.to) find_owner(row);
                const auto& way = ways_.outside(family);
                if (way.address && rules_.of(family).known)
                    row.shadowed_by =
                        find_shadowing(chains, found, *way.address, ways_.anybody(family), way.interface);
                if (row.shadowed_by) rows.finding();
                rows.add(row);
            }
        }
    }

    void find_owner(api::NatInRow& row) {
        const auto owners = view_.way(row.to->address).owners;
        // The host may have lost its way to whom it is.
        row.target = owners.empty() ? given_to(row.to->address) : owners.front();
        for (const auto& network : engines_.networks()) {
            const bool its = std::ranges::any_of(network.subnets, [&](const api::NetworkSubnet& one) {
                return one.subnet.contains(row.to->address);
            });
            if (its) row.network = network.name;
        }
    }

    /// Whom an engine gave that address, for anybody can give himself one; of what none of them knows, who
    /// alone has it.
    std::string given_to(const IpAddress& address) {
        if (auto given = engines_.given_to(address)) return std::move(*given);
        const auto& topology = topology_.topology;
        auto all = topology.owners(address);
        std::erase_if(all, [&](Port one) { return one.place == view_.place(); });
        return all.size() == 1 ? topology[all.front().place].target : std::string();
    }

    static void add(const api::NatOutRow& row, Rows& rows) {
        rows.add(row);
        const bool bad = row.verdict == NatVerdict::no_route || row.verdict == NatVerdict::blocked ||
                         row.verdict == NatVerdict::not_forwarded;
        // What is routed on purpose has no private address, or somebody who knows the way back.
        const bool unanswerable = row.verdict == NatVerdict::routed && !row.suggestion.empty();
        if (((bad || unanswerable) && !row.internal) || row.verdict == NatVerdict::unknown) rows.finding();
    }

    Handles& handles_;
    const api::NatRequest& request_;
    const api::Context& context_;
    EngineAnswers engines_;
    ReadTopology topology_;
    HostView view_;
    RuleSet rules_;
    std::map<std::size_t, RuleSet> own_rules_;            ///< by the place where their namespace is known
    mutable std::map<std::size_t, ContainerPath> paths_;  ///< by the target's place
    RuleSet unread_;                                      ///< where they could not be asked for
    WayOutView ways_;
};

Result<void> run(Handles& handles, const api::NatRequest& request, const api::Context& context,
                 Output& output) {
    if (const auto& host = handles.known.socket(handles.host); !host) return host.error();
    Inspection inspection(handles, request, context, output);
    inspection.read_networks();
    return inspect_each(
        context, output, [&](std::size_t i, Rows& rows) { return inspection.target(i, rows); },
        [&](Rows& rows) { return inspection.rest(rows); });
}

const Registration<api::NatRequest> registered{
    operation<prepare, run>({.net_admin = true,
                             .engines = true,
                             .cpu_seconds = 60,
                             .address_space = large_tables,
                             .descriptors = 4 * many_descriptors})};

}  // namespace

}  // namespace netlab::operations::nat
