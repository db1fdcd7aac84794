#include "daemon/operations/name_explanation.hpp"

#include "common/text.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <cctype>

namespace netlab::operations {

namespace {

using api::Runtime;
using api::State;
using api::Target;

std::string by_address(const ReachRequest& request) {
    return request.again(request.to, "--address");
}

std::string or_by_address(const std::string& command, const ReachRequest& request) {
    if (command.empty()) return by_address(request);
    return command + "  # or by its address: " + by_address(request);
}

// ---- what DNS said

/// "127.0.0.11", "192.0.2.1 and 192.0.2.2": the servers that said so, or all where none did.
std::string servers_that_said(const Resolution& resolution, NameOutcome outcome) {
    std::vector<std::string> names;
    for (const auto& asked : resolution.asked) {
        if (asked.outcome == outcome) names.push_back(asked.server);
    }
    if (names.empty())
        std::ranges::transform(resolution.asked, std::back_inserter(names), &AskedServer::server);
    return list_and(names);
}

/// Why, in the servers' or the kernel's words: one for all of them, or each its own; "" where nothing is
/// known.
std::string reasons(const Resolution& resolution) {
    std::vector<std::string> different;
    std::vector<std::string> each;
    for (const auto& asked : resolution.asked) {
        if (asked.outcome != resolution.outcome || asked.reason.empty()) continue;
        if (std::ranges::find(different, asked.reason) == different.end()) different.push_back(asked.reason);
        each.push_back(asked.server + ": " + asked.reason);
    }
    return different.size() == 1 ? different.front() : list_and(each);
}

std::string quoted(const std::string& name) {
    return "'" + name + "'";
}

std::string asked_names(const Resolution& resolution) {
    std::vector<std::string> names;
    constexpr std::size_t most = 6;
    for (const auto& name : resolution.candidates) {
        if (names.size() < most) names.push_back(quoted(name));
    }
    if (resolution.candidates.size() > most) names.emplace_back("others");
    return join_or(names);
}

std::string dns_sentence(const ReachRequest& request, const Resolution& resolution) {
    const auto servers = servers_that_said(resolution, resolution.outcome);
    const auto names = resolution.candidates.empty() ? quoted(request.to) : asked_names(resolution);
    const bool several = servers.find(" and ") != servers.npos;
    const auto why = reasons(resolution);
    const auto verb = [&](const char* one, const char* many) { return servers + (several ? many : one); };
    switch (resolution.outcome) {
        case NameOutcome::no_such_name:
            return verb(" says", " say") + " that there is no " + names + " (NXDOMAIN)";
        case NameOutcome::no_data: {
            const std::string kind = !request.family                  ? "address"
                                     : request.family == Family::ipv4 ? "IPv4 address"
                                                                      : "IPv6 address";
            if (servers.empty()) return "there is no " + kind + " for " + names;
            return verb(" knows ", " know ") + names + ", but no " + kind + " for it (no data)";
        }
        case NameOutcome::server_failure:
            return verb(" fails", " fail") + " to look up " + names + " (" +
                   (why.empty() ? "SERVFAIL" : why) + ")";
        case NameOutcome::refused:
            return verb(" refuses", " refuse") + " to look up " + names +
                   (why.empty() ? "" : " (" + why + ")");
        case NameOutcome::timed_out:
            return verb(" gives", " give") + " no answer for " + names;
        case NameOutcome::no_server:
            if (!why.empty()) return servers + " cannot be asked for " + names + ": " + why;
            return servers + " cannot be asked for " + names + ": no route to " + (several ? "them" : "it") +
                   ", or nothing serves DNS there";
        case NameOutcome::invalid_name:
            return quoted(request.to) + " is no name that DNS could be asked for";
        case NameOutcome::resolved:
            break;
    }
    return {};
}

// ---- why a name of netlab's is none to FROM

struct Pair {
    const Target& from;
    const Target& peer;
    const ReachRequest& request;
    const Resolution& resolution;
};

std::string start_command(const Target& peer) {
    const bool startable = peer.state == State::created || peer.state == State::exited;
    return startable && is_container(peer) ? engine_command(peer.runtime) + " start " + peer.name
                                           : std::string{};
}

std::string state_word(const Target& target) {
    return boost::describe::enum_to_string(target.state, "not running");
}

/// Where one of the two is nothing that an engine's DNS serves.
std::optional<Explanation> no_engine_dns(const Pair& pair) {
    const auto& [from, peer, request, resolution] = pair;
    if (!is_container(peer)) {
        if (peer.runtime == Runtime::host) return std::nullopt;
        return Explanation{where_it_is(peer) + ": netlab knows it by that name, no DNS does",
                           by_address(request)};
    }
    if (!is_running(peer)) {
        return Explanation{
            peer.name + " does not run (" + state_word(peer) + "): it has no address and no name now",
            start_command(peer)};
    }
    const auto engine = engine_name(peer.runtime);
    if (!is_container(from)) {
        return Explanation{where_it_is(from) + ": names of containers are known only to containers, by " +
                               engine + "'s DNS on the networks that they share",
                           by_address(request)};
    }
    if (from.runtime != peer.runtime) {
        return Explanation{from.name + " is a " + engine_name(from.runtime) + " container and " + peer.name +
                               " a " + engine + " one: neither engine's DNS knows the other's",
                           by_address(request)};
    }
    return std::nullopt;
}

bool in_one_namespace(const Target& a, const Target& b) {
    return a.namespace_ && b.namespace_ && a.namespace_->inode != 0 &&
           a.namespace_->inode == b.namespace_->inode && a.namespace_->device == b.namespace_->device;
}

/// The peer lives in the network namespace of another container: DNS has that one's names only.
Explanation shared_namespace(const Pair& pair) {
    const auto& [from, peer, request, resolution] = pair;
    const auto others = peer.namespace_ ? peer.namespace_->shared_with : std::vector<std::string>{};
    const auto whose = others.empty() ? std::string("another container") : list_and(others);
    return {peer.name + " lives in the network namespace of " + whose + ": " + engine_name(peer.runtime) +
                "'s DNS knows only the names of that one",
            others.size() == 1 ? request.again(others.front()) : by_address(request)};
}

/// Where one of the two has no networks of its own.
std::optional<Explanation> no_networks(const Pair& pair) {
    const auto& [from, peer, request, resolution] = pair;
    const auto engine = engine_name(from.runtime);
    if (in_one_namespace(from, peer)) {
        return Explanation{from.name + " and " + peer.name + " live in one network namespace",
                           request.again("localhost")};
    }
    if (from.network_mode == "host") {
        return Explanation{where_it_is(from) + ": it asks the host's DNS servers, which know no containers",
                           by_address(request)};
    }
    if (from.network_mode == "none") return Explanation{where_it_is(from) + ", so no DNS either", {}};
    if (peer.network_mode == "host") {
        return Explanation{where_it_is(peer) + ": " + engine + "'s DNS has no name for it",
                           request.again("host")};
    }
    if (peer.network_mode == "none") return Explanation{where_it_is(peer) + ", so nothing reaches it", {}};
    if (shares_namespace(peer)) return shared_namespace(pair);
    return std::nullopt;
}

bool same_word(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// What an engine's DNS calls a container on the networks that it shares with another.
std::vector<std::string> dns_names(const Target& peer, const std::vector<std::string>& networks) {
    std::vector<std::string> names{peer.name};
    for (const auto& membership : peer.networks) {
        if (std::ranges::find(networks, membership.name) == networks.end()) continue;
        for (const auto& alias : membership.aliases) {
            if (std::ranges::find(names, alias) == names.end()) names.push_back(alias);
        }
    }
    return names;
}

/// The address of the engine's DNS as a container on those networks sees it.
std::vector<std::string> engine_servers(const Target& from, const std::vector<std::string>& networks) {
    if (from.runtime == Runtime::docker) return {"127.0.0.11"};
    std::vector<std::string> servers;
    for (const auto& membership : from.networks) {
        if (std::ranges::find(networks, membership.name) == networks.end()) continue;
        if (membership.gateway) servers.push_back(membership.gateway->to_string());
        if (membership.gateway_v6) servers.push_back(membership.gateway_v6->to_string());
    }
    return servers;
}

/// The name is there, only not with an address of the wanted family.
Explanation other_family(const Pair& pair) {
    if (!pair.request.family) return {};
    const bool v4 = *pair.request.family == Family::ipv4;
    for (const auto& membership : pair.peer.networks) {
        const bool has = std::ranges::any_of(membership.addresses, [&](const IpPrefix& prefix) {
            return prefix.address().family() != *pair.request.family;
        });
        if (has) return {{}, pair.request.again(pair.request.to, v4 ? "-6" : "-4")};
    }
    return {};
}

/// They share a network that has DNS for names, and yet.
Explanation known_but_not_found(const Pair& pair, const std::vector<std::string>& networks) {
    const auto& from = pair.from;
    const auto& peer = pair.peer;
    const auto& request = pair.request;
    const auto& asked_servers = pair.resolution.asked;
    const auto engine = engine_name(from.runtime);
    const auto both = from.name + " and " + peer.name + " are both on " + list_and(networks);
    const auto names = dns_names(peer, networks);
    const bool named =
        std::ranges::any_of(names, [&](const std::string& name) { return same_word(name, request.to); });
    if (!named) {
        return {
            both + ", where " + engine + "'s DNS calls it " + list_and(names) + ", not " + quoted(request.to),
            request.again(peer.name)};
    }
    const auto servers = engine_servers(from, networks);
    const bool asked = std::ranges::any_of(asked_servers, [&](const AskedServer& server) {
        return std::ranges::find(servers, server.server) != servers.end();
    });
    if (!asked && !servers.empty() && !asked_servers.empty()) {
        return {both + ", but the resolv.conf of " + from.name + " does not name " + engine + "'s DNS (" +
                    list_and(servers) + "), which alone knows containers",
                by_address(request)};
    }
    const auto outcome = pair.resolution.outcome;
    const bool silent = outcome == NameOutcome::timed_out || outcome == NameOutcome::no_server;
    if (!silent) return {both + ", where " + engine + "'s DNS would know it", by_address(request)};
    // Why not is another question: a rule of its own, lo, the engine, or a server behind it that was asked
    // for a name of the search list.
    return {both + ", where " + engine + "'s DNS would know it",
            by_address(request) + "  # what is wrong with that DNS: netlab resolv " + from.name};
}

/// `docker network connect net zz1`: FROM is on no network, and joins one of the other's.
std::string join_command(const Target& from, const Target& peer) {
    if (peer.networks.empty() || from.runtime != peer.runtime) return {};
    return engine_command(from.runtime) + " network connect " + peer.networks.front().name + " " + from.name;
}

Explanation why_unknown(const Pair& pair) {
    for (const auto* target : {&pair.from, &pair.peer}) {
        if (target->warning) return {target->name + ": " + *target->warning, {}};
    }
    if (auto e = no_engine_dns(pair)) return *e;
    if (pair.peer.runtime == Runtime::host) return {};
    if (auto e = no_networks(pair)) return *e;
    const auto& [from, peer, request, resolution] = pair;
    if (from.networks.empty())
        return {where_it_is(from) + ", " + where_it_is(peer), join_command(from, peer)};
    const auto connect = connect_command(from, peer);
    // One that is on no network has no address to try.
    const auto command = peer.networks.empty() ? connect : or_by_address(connect, request);
    auto shared = shared_networks(from, peer);
    if (shared.empty()) {
        return {from.name + " and " + peer.name + " share no network: " + where_it_is(from) + ", " +
                    where_it_is(peer),
                command};
    }
    const auto plain = default_network(from.runtime);
    std::erase(shared, plain);
    if (shared.empty()) {
        return {from.name + " and " + peer.name + " share only " + plain + ", " + engine_name(from.runtime) +
                    "'s default network, which has no DNS for the names of containers",
                command};
    }
    if (resolution.outcome == NameOutcome::no_data) return other_family(pair);
    return known_but_not_found(pair, shared);
}

/// Of a name that is nobody's whom netlab knows: why its servers say nothing.
std::string ask_resolver(const api::Context& context, const Resolution& resolution) {
    const bool failed = resolution.outcome == NameOutcome::timed_out ||
                        resolution.outcome == NameOutcome::no_server ||
                        resolution.outcome == NameOutcome::server_failure;
    return failed && !context.targets.empty() ? "netlab resolv " + context.targets.front().name
                                              : std::string();
}

}  // namespace

std::string what_dns_said(const ReachRequest& request, const Resolution& resolution) {
    return dns_sentence(request, resolution);
}

Explanation explain_unresolved(const api::Context& context, const ReachRequest& request,
                               const Resolution& resolution) {
    const auto said = dns_sentence(request, resolution);
    const bool known = context.peer && context.peer_match == api::PeerMatch::name && !context.targets.empty();
    if (!known) {
        if (context.similar.empty()) return {said, ask_resolver(context, resolution)};
        return {said + "; netlab knows " + list_and(context.similar), request.again(context.similar.front())};
    }
    auto why = why_unknown({context.targets.front(), *context.peer, request, resolution});
    why.explanation = why.explanation.empty() ? said : why.explanation + ". " + said;
    return why;
}

}  // namespace netlab::operations
