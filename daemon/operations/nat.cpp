#include "common/api/nat.hpp"

#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/container_path.hpp"
#include "daemon/operations/engine_networks.hpp"
#include "daemon/operations/host_view.hpp"
#include "daemon/operations/nat_judgement.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

/// `netlab nat`: the way of packets between containers and the outside of the host.
namespace netlab::operations::nat {

namespace {

using api::NatVerdict;

struct Handles {
    std::size_t host = 0;  ///< place
    HostRules rules;
    KnownNamespaces known;
    Engines engines;
};

Result<Handles> prepare(Namespaces& namespaces, const api::NatRequest&, const api::Context& context) {
    const auto host = find_host(namespaces);
    if (!host) return host_not_known();
    // Sockets of engines are of the daemon's own namespace.
    Engines engines(namespaces, context);
    if (auto entered = namespaces.enter(*host); !entered) return entered.error();
    auto rules = HostRules::ask();
    return Handles{*host, std::move(rules), KnownNamespaces(namespaces, context), std::move(engines)};
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
          output_(output),
          topology_(read_topology(handles.known, context)),
          view_(handles.known, topology_, handles.host, context.truncated),
          rules_(handles.rules.read(view_.names())) {
        ClientNetworks named;
        for (const auto family : families)
            named.add(rules_.of(family).chains);
        view_.name_networks(named);
        // What containers' own routes name is asked for, too.
        for (std::size_t place = 0; place < handles.known.size(); ++place) {
            if (const auto& socket = handles.known.socket(place)) name_routed_networks(socket->get(), named);
        }
        for (const auto family : families) {
            const bool v4 = family == Family::ipv4;
            (v4 ? anybody_v4_ : anybody_v6_) = named.anybody(family);
            (v4 ? outside_v4_ : outside_v6_) = view_.outside(anybody(family));
        }
    }

    /// The networks of the engines, and what is known of each.
    void read_networks() { networks_ = ask_networks(false); }

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
            for (const auto& network : networks_)
                out_of_network(network, rows);
            incoming(rows, [](const api::NatInRow&) { return true; });
        }
        for (const auto& failure : failures_)
            rows.failure(failure);
        return {};
    }

  private:
    /// Of engines that have not failed yet.
    std::vector<api::NetworkRow> ask_networks(bool members) {
        std::vector<api::NetworkRow> out;
        for (std::size_t i = 0; i < handles_.engines.size(); ++i) {
            const auto name = handles_.engines.name(i);
            if (handles_.engines.absent(i) ||
                std::ranges::find(failures_, name, &api::TargetFailure::target) != failures_.end())
                continue;
            auto networks = handles_.engines.networks(i, members, output_);
            if (networks) {
                std::ranges::move(*networks, std::back_inserter(out));
            } else {
                failures_.push_back({name, networks.error()});
            }
        }
        return out;
    }

    [[nodiscard]] const HostOutside& outside(Family family) const {
        return family == Family::ipv4 ? outside_v4_ : outside_v6_;
    }

    [[nodiscard]] const IpAddress& anybody(Family family) const {
        return family == Family::ipv4 ? anybody_v4_ : anybody_v6_;
    }

    void host_network(const api::Target& target, Rows& rows) {
        for (const auto family : families) {
            const auto& way = outside(family);
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

    [[nodiscard]] const api::NetworkRow* network_of(const api::Target& target,
                                                    const std::string& name) const {
        const auto found = std::ranges::find_if(networks_, [&](const api::NetworkRow& one) {
            return one.engine == target.runtime && one.name == name;
        });
        return found == networks_.end() ? nullptr : &*found;
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
        const auto* network = network_of(target, row.network);
        row.internal = network != nullptr && network->internal;
        const auto route = kernel::query_route(handles_.known.socket(place)->get(),
                                               {anybody(row.family), {}, 0, 0, 0, false});
        const bool routed = route && route->error == 0 && route->route;
        row.by_default = routed && route->route->hop.index == address.index;
        if (row.by_default) row.gateway = route->route->hop.gateway;
        const auto bridge = bridge_of({place, address.index});
        if (!bridge) {
            row.verdict = NatVerdict::not_by_host;
            row.explanation =
                "its interface " + row.interface +
                " is not joined to the host's network namespace: the host does not translate it";
        } else {
            judge(way_from(source, *bridge), row);
        }
        if (!routed) {
            no_route(target, row);
        } else if (!row.by_default) {
            row.explanation = "its default route is by " + names[route->route->hop.index] +
                              ": what goes to the outside leaves there" +
                              (row.explanation.empty() ? "" : "; by this one: " + row.explanation);
        }
        const bool bridge_down = bridge && !is_up(topology_.topology[bridge->place], bridge->index);
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

    /// Beneath the rules: a cable, a route or a neighbour entry, without which no packet comes to them.
    void tell_broken_path(const api::Target& target, const IpAddress& source, api::NatOutRow& row) const {
        const auto i = static_cast<std::size_t>(&target - context_.targets.data());
        const auto broken =
            ContainerPath(handles_.known, topology_.topology, view_, context_, i).broken(source);
        if (!broken) return;
        row.verdict = NatVerdict::blocked;
        row.rule.reset();
        row.as.reset();
        row.explanation = broken->explanation;
        row.suggestion = broken->suggestion;
    }

    static void no_route(const api::Target& target, api::NatOutRow& row) {
        row.by_default = false;
        row.verdict = NatVerdict::no_route;
        row.rule.reset();
        row.as.reset();
        const std::string family = row.family == Family::ipv4 ? "IPv4" : "IPv6";
        row.explanation = target.name + " has no " + family + " route to the outside: nothing leaves";
        row.suggestion.clear();
    }

    /// Nothing leaves an internal network, in whichever way its engine sees to that.
    static void tell_internal(const std::string& network, api::NatOutRow& row) {
        if (!row.internal) return;
        row.explanation =
            network + " is an internal network" + (row.explanation.empty() ? "" : ": " + row.explanation);
        row.suggestion.clear();
    }

    /// The host's interface that packets come in by.
    [[nodiscard]] std::optional<Port> bridge_of(Port port) const {
        const auto& topology = topology_.topology;
        const auto other = topology.peer(port);
        if (!other || other->place != view_.place()) return std::nullopt;
        const auto master = topology.master(*other);
        return master ? master : other;
    }

    [[nodiscard]] WayOut way_from(const IpAddress& source, Port bridge) const {
        const auto family = source.family();
        WayOut way{source, anybody(family), view_.names()[bridge.index], {}};
        const auto in = view_.forwarding(family, bridge.index);
        way.forwards = in.forwards;
        way.forwarding = in.setting;
        way.down = !is_up(topology_.topology[bridge.place], bridge.index);
        const auto& out = outside(family);
        way.host_address = out.address;
        // Where the host's own packets leave; by another table for these where there are policy rules.
        const auto route = view_.route(packet_out(way));
        if (route.known && route.error == 0 && !route.local) way.output = route.output;
        way.by_mark = route.by_mark;
        if (way.output != out.interface) way.host_address.reset();
        if (const auto index = view_.names().find(way.output)) {
            const auto back = view_.forwarding(family, *index);
            way.forwards_answers = back.forwards;
            way.answers_forwarding = back.setting;
        }
        if (route.error == EXDEV)
            way.refused = Explanation{"rp_filter of " + way.bridge + " refuses what comes from " +
                                          source.to_string() + ": the host would answer by another interface",
                                      "netlab routes host"};
        if (route.error != 0 && !route.rule.explanation.empty())
            way.refused =
                Explanation{std::string("the host does not send it on: ") + std::strerror(route.error) +
                                ", by its policy rule " + route.rule.explanation,
                            route.rule.suggestion};
        return way;
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
                judge(way_from(member_of(subnet.subnet), {view_.place(), *index}), row);
                if (row.as == member_of(subnet.subnet)) row.as.reset();
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
                const auto& way = outside(family);
                if (way.address && rules_.of(family).known)
                    row.shadowed_by =
                        find_shadowing(chains, found, *way.address, anybody(family), way.interface);
                if (row.shadowed_by) rows.finding();
                rows.add(row);
            }
        }
    }

    void find_owner(api::NatInRow& row) {
        const auto owners = view_.way(row.to->address).owners;
        // The host may have lost its way to whom it is.
        row.target = owners.empty() ? given_to(row.to->address) : owners.front();
        for (const auto& network : networks_) {
            const bool its = std::ranges::any_of(network.subnets, [&](const api::NetworkSubnet& one) {
                return one.subnet.contains(row.to->address);
            });
            if (its) row.network = network.name;
        }
    }

    /// Whom an engine gave that address, for anybody can give himself one; of what none of them knows, who
    /// alone has it.
    std::string given_to(const IpAddress& address) {
        if (!members_) {
            members_.emplace();
            for (auto& network : ask_networks(true))
                std::ranges::move(network.members, std::back_inserter(*members_));
        }
        std::vector<std::string> given;
        for (const auto& member : *members_) {
            if (std::ranges::find(member.addresses, address, &IpPrefix::address) != member.addresses.end())
                given.push_back(member.name);
        }
        if (!given.empty()) return given.size() == 1 ? given.front() : std::string();
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
    Output& output_;
    ReadTopology topology_;
    HostView view_;
    RuleSet rules_;
    IpAddress anybody_v4_;
    IpAddress anybody_v6_;
    HostOutside outside_v4_;
    HostOutside outside_v6_;
    std::vector<api::NetworkRow> networks_;
    std::optional<std::vector<api::NetworkMember>> members_;  ///< of all; asked for when one is looked for
    std::vector<api::TargetFailure> failures_;
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
