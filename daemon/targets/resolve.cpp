#include "common/described.hpp"
#include "common/text.hpp"
#include "daemon/targets/index.hpp"
#include "daemon/targets/registry.hpp"

#include <algorithm>

/// The two questions of a request: which target is meant, and who is at the other end.
namespace netlab::targets {

namespace {

Resolution process(std::int32_t pid) {
    Resolution out;
    out.target.runtime = api::Runtime::pid;
    out.target.id = std::to_string(pid);
    out.target.name = "pid:" + out.target.id;
    out.target.state = api::State::running;
    out.target.pid = pid;
    out.reference.way = Way::process;
    out.reference.pid = pid;
    return out;
}

bool share_network(const api::Target& a, const api::Target& b) {
    if (a.runtime != b.runtime) return false;
    return std::ranges::any_of(a.networks, [&](const api::Membership& network) {
        return !network.name.empty() &&
               std::ranges::find(b.networks, network.name, &api::Membership::name) != b.networks.end();
    });
}

/// The one that `from` would mean: `closer` says which are nearer to it. nullptr where that leaves several.
template <class Closer>
const View* closest(Index::Matches matches, Closer closer) {
    Index::Matches near;
    std::ranges::copy_if(matches, std::back_inserter(near),
                         [&](const View* view) { return closer(view->target); });
    if (!near.empty()) matches = std::move(near);
    return matches.size() == 1 ? matches.front() : nullptr;
}

/// As resolvers compare names: without the case, and without the root's dot.
std::string folded(std::string_view name) {
    if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
    std::string out(name);
    std::ranges::transform(
        out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

/// The running targets that the DNS of a network of `from`'s knows by that name: their own, or an alias
/// there.
Index::Matches known_on_networks(const Index& index, std::string_view name, const api::Target& from) {
    const auto wanted = folded(name);
    const auto is_one = [&](const std::string& other) { return folded(other) == wanted; };
    Index::Matches out;
    for (const auto& view : index.views()) {
        if (!view.reference || view.hidden || view.target.runtime != from.runtime) continue;
        const bool known = std::ranges::any_of(view.target.networks, [&](const api::Membership& network) {
            const bool shared =
                !network.name.empty() &&
                std::ranges::find(from.networks, network.name, &api::Membership::name) != from.networks.end();
            return shared && (is_one(view.target.name) || std::ranges::any_of(network.aliases, is_one));
        });
        if (known) out.push_back(&view);
    }
    return out;
}

Peer peer_of(const View& view, api::PeerMatch match) {
    return {view.target, view.reference, match};
}

/// The running containers on a network of that name, the first of them.
std::vector<std::string> members_of(const Index& index, std::string_view network) {
    constexpr std::size_t most = 4;
    std::vector<std::string> out;
    for (const auto& view : index.views()) {
        const auto& networks = view.target.networks;
        const bool member = view.target.state == api::State::running &&
                            std::ranges::find(networks, network, &api::Membership::name) != networks.end();
        if (member && out.size() < most) out.push_back(view.target.name);
    }
    return out;
}

std::string engines_down(const Registry& registry, std::optional<api::Runtime> runtime) {
    std::string remark;
    for (const auto engine : {api::Runtime::docker, api::Runtime::podman}) {
        if (runtime && *runtime != engine) continue;
        const auto state = registry.engine_state(engine);
        if (!state || state->up) continue;
        if (!remark.empty()) remark += "; ";
        remark += described::enumerator_name(engine);
        remark += " does not answer";
        if (!state->message.empty()) remark += " (" + state->message + ")";
        remark += ", its newer containers are not known";
    }
    return remark;
}

}  // namespace

Result<Resolution> Registry::resolve(std::string_view text) const {
    const auto& index = this->index();
    auto word = split(text);
    if (word.runtime == api::Runtime::pid) {
        const auto pid = parse_pid(word.name);
        if (!pid) return pid.error();
        return process(*pid);
    }
    if (text == "host") word.runtime = api::Runtime::host;
    auto matches = index.find(word);
    if (!word.unknown_prefix.empty())
        matches = index.find({std::nullopt, text, {}});  // a namespace's name may hold a colon
    if (matches.empty() && text.starts_with('/')) matches = index.find({std::nullopt, text.substr(1), {}});
    if (matches.empty()) {
        if (const auto there = members_of(index, text); !there.empty()) {
            return Error{errc::no_such_target,
                         quoted(text) + " is a network, not a target",
                         "name who is on it: " + join_or(there),
                         {}};
        }
        return no_such_target(word, index.names(word.runtime), engines_down(*this, word.runtime));
    }
    if (matches.size() > 1) {
        std::vector<std::string> candidates;
        for (const auto* view : matches)
            candidates.push_back(index.unambiguous_word(*view));
        return ambiguous_target(text, std::move(candidates));
    }
    const auto& view = *matches.front();
    if (!view.reference) return not_running(view.target);
    return Resolution{view.target, *view.reference};
}

std::vector<Resolution> Registry::namespaces() const {
    std::vector<Resolution> out;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> place;
    for (const auto& view : index().views()) {
        const auto& identity = view.target.namespace_;
        if (!view.reference || !identity || identity->inode == 0) continue;
        const auto [known, fresh] = place.try_emplace({identity->device, identity->inode}, out.size());
        if (fresh) {
            out.push_back({view.target, *view.reference});
        } else if (view.target.runtime == api::Runtime::host) {
            out[known->second] = {view.target, *view.reference};
        }
    }
    return out;
}

Result<std::vector<Resolution>> Registry::members(std::string_view network) const {
    std::vector<Resolution> out;
    std::set<std::string> known;
    for (auto& one : namespaces()) {
        const auto& networks = one.target.networks;
        const bool engine =
            one.target.runtime == api::Runtime::docker || one.target.runtime == api::Runtime::podman;
        if (!engine) continue;
        for (const auto& membership : networks)
            known.insert(membership.name);
        const bool member = std::ranges::find(networks, network, &api::Membership::name) != networks.end();
        if (member) out.push_back(std::move(one));
    }
    if (!out.empty()) return out;
    const bool shared = std::ranges::any_of(list(), [&](const api::Target& target) {
        return target.state == api::State::running &&
               std::ranges::find(target.networks, network, &api::Membership::name) != target.networks.end();
    });
    if (shared) {
        return Error{
            errc::no_such_target,
            "the containers on '" + std::string(network) + "' have no network namespace of their own",
            "netlab ls shows whose they share",
            {}};
    }
    const auto names = nearest(network, std::vector<std::string>(known.begin(), known.end()));
    return Error{errc::no_such_target,
                 "no running container is on a network '" + std::string(network) + "'",
                 names.empty() ? "netlab networks shows them" : "did you mean " + join_or(names) + "?",
                 {}};
}

std::vector<Engine> Registry::engines() const {
    std::vector<Engine> out;
    for (const auto& [engine, state] : engines_)
        out.push_back(engine);
    return out;
}

EngineState Registry::state_of(const Engine& engine) const {
    const auto found = engines_.find(engine);
    return found == engines_.end() ? EngineState{} : found->second;
}

std::vector<std::string> Registry::similar(std::string_view word) const {
    return nearest(word, index().names(std::nullopt));
}

Result<std::optional<Peer>> Registry::find_peer(std::string_view text, const api::Target& from) const {
    using api::PeerMatch;
    const auto& index = this->index();
    auto word = split(text);
    if (const auto address = IpAddress::parse(text)) {
        const auto* found = closest(index.find_address(*address),
                                    [&](const api::Target& other) { return share_network(from, other); });
        return found != nullptr ? std::optional(peer_of(*found, PeerMatch::address)) : std::nullopt;
    }
    if (word.runtime) {
        auto found = resolve(text);
        if (found) {
            return std::optional(
                Peer{std::move(found->target), std::move(found->reference), PeerMatch::explicit_});
        }
        if (found.error().code != errc::target_not_running) return found.error();
        return std::optional(peer_of(*index.find(word).front(), PeerMatch::explicit_));
    }
    if (!word.unknown_prefix.empty()) return std::optional<Peer>();
    if (text == "host") {
        word.runtime = api::Runtime::host;
        const auto host = index.find(word);
        return host.empty() ? std::nullopt : std::optional(peer_of(*host.front(), PeerMatch::host));
    }
    const auto* found = closest(index.find_named(word),
                                [&](const api::Target& other) { return other.runtime == from.runtime; });
    if (found == nullptr) {
        const auto known = known_on_networks(index, word.name, from);
        if (known.size() == 1) found = known.front();
    }
    return found != nullptr ? std::optional(peer_of(*found, PeerMatch::name)) : std::nullopt;
}

}  // namespace netlab::targets
