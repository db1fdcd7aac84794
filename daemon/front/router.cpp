#include "daemon/front/router.hpp"

#include "common/json.hpp"
#include "common/text.hpp"
#include "daemon/targets/points.hpp"
#include "daemon/targets/view.hpp"

#include <algorithm>
#include <set>

namespace netlab::front {

namespace {

constexpr std::uint32_t usual_deadline_ms = 10'000;

template <std::size_t I>
inline constexpr auto row = std::get<I>(api::catalogue);

template <class R>
inline constexpr bool is_public = requires(const R& r) {
    r.path;
};

template <class Request>
Result<Request> read_body(api::Verb verb, std::string_view body) {
    if (verb == api::Verb::get) {
        if (body.empty()) return Request{};
        return Error{errc::bad_request, "a GET request takes no body", {}, {}};
    }
    if (body.find_first_not_of(" \t\r\n") == body.npos) {
        return Error{errc::bad_request, "the request has no body", "a JSON object is needed", {}};
    }
    auto value = json::parse_request(body);
    if (!value) return value.error();
    return json::decode<Request>(*value);
}

// Functions, not `if constexpr`: under -fsanitize=undefined GCC 12 takes no function's address for a
// constant.

template <class Request>
Result<void> check(const Request& request, api::Roles roles,
                   Result<void> (*checks)(const Request&, api::Roles)) {
    if (checks == nullptr) return {};
    return checks(request, roles);
}

template <class Request>
std::uint32_t deadline_ms(const Request& request, std::uint32_t (*of_row)(const Request&)) {
    return of_row == nullptr ? usual_deadline_ms : of_row(request);
}

template <class Request>
api::Cost cost(const Request& request, const api::Context& context,
               api::Cost (*of_row)(const Request&, const api::Context&)) {
    return of_row == nullptr ? api::Cost{} : of_row(request, context);
}

/// As the audit line has them.
std::string words_of(const std::vector<std::string>& words, bool all) {
    std::string out = all ? "*" : "";
    for (const auto& word : words)
        out += (out.empty() ? "" : ",") + word;
    return out;
}

/// The other end's namespace is for its addresses only: an operation starts without it where it is gone.
void add_peer(const targets::NamespaceReference& known, api::Context& context, Job& job) {
    auto reference = launcher_reference(known);
    if (!reference) return;
    reference->may_fail = 1;
    job.namespaces.push_back(*reference);
    context.peer_namespace = true;
}

/// A target to run in: its reference for the launcher, and what of it is worth a place in the message.
Result<void> add_target(targets::Resolution found, api::Context& context, Job& job) {
    auto reference = launcher_reference(found.reference);
    if (!reference) return reference.error();
    job.namespaces.push_back(*reference);
    context.targets.push_back(std::move(found.target));
    return {};
}

/// Without what no operation looks at: 2,000 published ports would not fit into a message.
api::Target slim(api::Target target, bool with_networks) {
    target.image.clear();
    target.ports.clear();
    constexpr std::size_t most_named = 16;
    if (target.namespace_ && target.namespace_->shared_with.size() > most_named)
        target.namespace_->shared_with.resize(most_named);
    if (!with_networks) target.networks.clear();
    return target;
}

/// The running containers that have ports, or the host's network, whose ports are all theirs.
std::vector<targets::Resolution> with_ports(const targets::Registry& registry) {
    std::vector<targets::Resolution> out;
    for (const auto& target : registry.list()) {
        if (target.ports.empty() && target.network_mode != "host") continue;
        auto found =
            registry.resolve(std::string(described::enumerator_name(target.runtime)) + ":" + target.id);
        if (found) out.push_back(std::move(*found));
    }
    return out;
}

/// The targets of a row that runs in several, each once, in the order of the words.
Result<void> add_targets(const std::vector<std::string>& words, bool all, bool published,
                         const std::string& network, const targets::Registry& registry, api::Context& context,
                         Job& job) {
    std::vector<targets::Resolution> chosen;
    if (all) {
        if (!words.empty()) return Error{errc::bad_request, "targets or all of them, not both", {}, {}};
        chosen = published ? with_ports(registry) : registry.namespaces();
    }
    if (!network.empty()) {
        if (!words.empty()) return Error{errc::bad_request, "targets or a network, not both", {}, {}};
        auto members = registry.members(network);
        if (!members) return members.error();
        chosen = std::move(*members);
    }
    for (const auto& word : words) {
        auto found = registry.resolve(word);
        if (!found) return found.error();
        // In another container's namespace it has that one's.
        if (published && found->target.ports.empty())
            found->target.ports = registry.joined_ports(found->target);
        const bool twice = std::ranges::any_of(chosen, [&](const auto& other) {
            return other.target.id == found->target.id && other.target.runtime == found->target.runtime;
        });
        if (!twice) chosen.push_back(std::move(*found));
    }
    if (chosen.empty() && !all)
        return Error{errc::bad_request, "targets: at least one is needed, or all", {}, {}};
    if (chosen.size() > launcher::most_targets) {
        return Error{errc::limit_exceeded,
                     std::to_string(chosen.size()) + " namespaces are more than one request can ask",
                     "name " + std::to_string(launcher::most_targets) + " at most",
                     {}};
    }
    for (auto& one : chosen) {
        if (auto added = add_target(std::move(one), context, job); !added) return added;
        // One that has just ended must not cost the others their rows.
        if (chosen.size() > 1) job.namespaces.back().may_fail = 1;
    }
    return {};
}

/// The target lives in the host's namespace, by whatever name.
bool is_host(const api::Target& target, const targets::Registry& registry) {
    const auto host = registry.resolve("host");
    return target.namespace_ && host && host->target.namespace_ &&
           target.namespace_->inode == host->target.namespace_->inode &&
           target.namespace_->device == host->target.namespace_->device;
}

/// Who publishes a port of the host's, as far as anybody would want to know.
void add_publishers(std::uint16_t port, const targets::Registry& registry, api::Context& context, Job& job) {
    constexpr std::size_t most = 8;
    if (port == 0) return;
    for (const auto& target : registry.list()) {
        const auto other = [&](const api::PublishedPort& one) { return one.host_port != port; };
        if (context.publishers.size() == most || std::ranges::all_of(target.ports, other)) continue;
        auto found =
            registry.resolve(std::string(described::enumerator_name(target.runtime)) + ":" + target.id);
        if (!found) continue;
        const auto reference = launcher_reference(found->reference);
        if (!reference) continue;
        job.namespaces.push_back(*reference);
        job.namespaces.back().may_fail = 1;
        auto ports = std::move(found->target.ports);
        std::erase_if(ports, other);
        context.publishers.push_back(slim(std::move(found->target), true));
        context.publishers.back().ports = std::move(ports);
    }
}

/// The host's namespace, where what it does for a target is looked at.
Result<void> add_host(const targets::Registry& registry, api::Context& context, Job& job) {
    if (context.targets.front().runtime == api::Runtime::host) return {};
    const auto host = registry.resolve("host");
    if (!host) return host.error();
    auto reference = launcher_reference(host->reference);
    if (!reference) return reference.error();
    job.namespaces.push_back(*reference);
    context.host_namespace = true;
    return {};
}

/// Every other namespace that is known, as far as there is room.
void add_others(const targets::Registry& registry, api::Context& context, Job& job) {
    const auto is_chosen = [&](const api::Target& other) {
        return std::ranges::any_of(context.targets, [&](const api::Target& target) {
            return target.namespace_ && target.namespace_->inode == other.namespace_->inode &&
                   target.namespace_->device == other.namespace_->device;
        });
    };
    auto others = registry.namespaces();
    // The host is the last in order and the first in worth: the other ends of the containers' veths are
    // there.
    std::stable_partition(others.begin(), others.end(),
                          [](const auto& one) { return one.target.runtime == api::Runtime::host; });
    for (auto& other : others) {
        if (is_chosen(other.target)) continue;
        const auto reference = launcher_reference(other.reference);
        if (!reference) continue;
        if (job.namespaces.size() == launcher::most_targets) {
            context.truncated = true;
            return;
        }
        job.namespaces.push_back(*reference);
        job.namespaces.back().may_fail = 1;
        context.others.push_back(slim(std::move(other.target), false));
    }
}

/// Who else may hold a socket in a namespace, where it matters who does.
void add_residents(const targets::Registry& registry, api::Context& context) {
    using Identity = std::pair<std::uint64_t, std::uint64_t>;
    const auto identity = [](const api::Target& target) {
        return Identity(target.namespace_->device, target.namespace_->inode);
    };
    const auto is_shared = [](const api::Target& target) {
        return target.namespace_ && !target.namespace_->shared_with.empty();
    };
    const auto& all = registry.list();
    std::set<Identity> wanted;
    for (const auto& target : all) {
        if (is_shared(target) && target.state == api::State::paused) wanted.insert(identity(target));
    }
    std::set<std::string> owners;
    for (const auto& target : context.targets) {
        if (!is_shared(target) || targets::joined_container(target).empty()) continue;
        wanted.insert(identity(target));
        owners.insert(std::string(targets::joined_container(target)));
    }
    for (const auto& target : all) {
        const bool container =
            target.runtime == api::Runtime::docker || target.runtime == api::Runtime::podman;
        if (!container || !is_shared(target) || !wanted.contains(identity(target))) continue;
        // A namespace may have hundreds: who sleeps counts, and who publishes.
        if (target.state != api::State::paused && !owners.contains(target.id)) continue;
        auto& resident = context.residents.emplace_back(slim(target, false));
        resident.namespace_->shared_with.clear();
    }
}

/// Capture points and the namespaces that they are in.
Result<void> add_points(const std::vector<std::string>& words, const targets::Registry& registry,
                        api::Context& context, Job& job) {
    auto found = targets::find_points(registry, words);
    if (!found) return found.error();
    context.points = std::move(found->points);
    const bool several = found->targets.size() > 1;
    for (auto& target : found->targets) {
        if (auto added = add_target(std::move(target), context, job); !added) return added;
        if (several) job.namespaces.back().may_fail = 1;
    }
    return {};
}

/// The addresses of all running targets, as far as there is room for them in the message.
void add_names(const targets::Registry& registry, api::Context& context) {
    constexpr std::size_t room = 24 * 1024;
    std::set<std::pair<IpAddress, std::string>> known;  // several may live in one namespace
    std::size_t size = 0;
    auto all = registry.list();
    // A named namespace may be the host's: "host" says more.
    std::stable_partition(all.begin(), all.end(),
                          [](const auto& one) { return one.runtime == api::Runtime::host; });
    for (const auto& target : all) {
        // A paused one has its addresses still.
        if (target.state != api::State::running && target.state != api::State::paused) continue;
        for (const auto& network : target.networks) {
            for (const auto& prefix : network.addresses) {
                const auto& address = prefix.address();
                if (address.is_loopback() || address.is_link_local() ||
                    !known.emplace(address, target.name).second)
                    continue;
                constexpr std::size_t lengths = 2 * sizeof(std::uint32_t);
                size += lengths + target.name.size() + address.to_string().size();
                if (size > room) {
                    context.names_complete = false;
                    return;
                }
                context.names.push_back({address, target.name});
            }
        }
    }
}

/// The targets that the row's words name, as the worker's context and as the launcher's references.
template <std::size_t I, class Request>
Result<api::Context> resolve(const Request& request, const Knowledge& knowledge, Job& job,
                             AuditEntry& entry) {
    const auto& registry = knowledge.registry;
    api::Context context;
    context.roles = knowledge.roles.list();
    if constexpr (row<I>.engines) {
        for (auto& engine : registry.engines())
            context.engines.push_back({engine.runtime, std::move(engine.socket)});
    }
    if constexpr (row<I>.targets != nullptr) {
        std::string network;
        if constexpr (row<I>.network != nullptr) network = request.*row<I>.network;
        auto added = add_targets(request.*row<I>.targets, request.*row<I>.all, row<I>.published, network,
                                 registry, context, job);
        if (!added) return added.error();
    }
    if constexpr (row<I>.points != nullptr) {
        if (auto added = add_points(request.*row<I>.points, registry, context, job); !added)
            return added.error();
    }
    if constexpr (row<I>.names) add_names(registry, context);
    if constexpr (row<I>.target != nullptr) {
        auto found = registry.resolve(request.*row<I>.target);
        if (!found) return found.error();
        if (auto added = add_target(std::move(*found), context, job); !added) return added.error();
        if constexpr (row<I>.peer != nullptr) {
            auto peer = registry.find_peer(request.*row<I>.peer, context.targets.front());
            if (!peer) return peer.error();
            if (*peer) {
                context.peer_match = (*peer)->match;
                if ((*peer)->reference) add_peer(*(*peer)->reference, context, job);
                context.peer = std::move((*peer)->target);
            } else {
                context.similar = registry.similar(request.*row<I>.peer);
            }
        }
    }
    if constexpr (row<I>.host) {
        if (auto added = add_host(registry, context, job); !added) return added.error();
    }
    // Of several, none's networks are looked at, but for their ports.
    for (auto& target : context.targets) {
        if constexpr (row<I>.published) {
            target.image.clear();
            for (auto& network : target.networks)
                network.aliases.clear();
        } else {
            target = slim(std::move(target), row<I>.targets == nullptr);
        }
    }
    if (context.peer) context.peer = slim(std::move(*context.peer), true);
    if (context.targets.size() == 1 && context.targets.front().namespace_) {
        entry.inode = context.targets.front().namespace_->inode;
    }
    if (context.targets.size() == 1) entry.target_id = context.targets.front().id;
    if constexpr (row<I>.published_port != nullptr) {
        // Several targets may have the host's addresses, and a name may lead to one of them: only where it is
        // certain that TO is another target there is nothing to look for.
        const bool may_be_host = !context.peer || is_host(*context.peer, registry);
        if (may_be_host) add_publishers(request.*row<I>.published_port, registry, context, job);
    }
    if constexpr (row<I>.others) add_others(registry, context, job);
    if constexpr (row<I>.residents) add_residents(registry, context);
    return context;
}

template <std::size_t I>
Result<Plan> plan_row(std::string_view body, const Knowledge& knowledge, AuditEntry& entry) {
    using Request = typename std::tuple_element_t<I, std::remove_const_t<decltype(api::catalogue)>>::Request;
    auto request = read_body<Request>(row<I>.verb, body);
    if (!request) return request.error();
    if constexpr (row<I>.target != nullptr) entry.target = (*request).*row<I>.target;
    if constexpr (row<I>.targets != nullptr)
        entry.target = words_of((*request).*row<I>.targets, (*request).*row<I>.all);
    if constexpr (row<I>.points != nullptr) entry.target = words_of((*request).*row<I>.points, false);
    if constexpr (row<I>.filter != nullptr) entry.filter = (*request).*row<I>.filter;
    if constexpr (row<I>.network != nullptr) {
        if (!((*request).*row<I>.network).empty()) entry.target = "network:" + (*request).*row<I>.network;
    }
    if constexpr (row<I>.peer != nullptr) entry.peer = (*request).*row<I>.peer;
    if (auto checked = check(*request, knowledge.roles, row<I>.check); !checked) return checked.error();
    Plan plan;
    if constexpr (row<I>.kind == api::Kind::registry) {
        plan.answer = answer(*request, knowledge);
    } else {
        plan.job.operation = static_cast<std::uint16_t>(I);
        plan.job.deadline_ms = deadline_ms(*request, row<I>.deadline_ms);
        auto context = resolve<I>(*request, knowledge, plan.job, entry);
        if (!context) return context.error();
        plan.cost = cost(*request, *context, row<I>.cost);
        plan.job.request = binary::encode(api::Order<Request>{std::move(*context), std::move(*request)});
        if (plan.job.request.size() > launcher::largest_request)
            return Error{errc::limit_exceeded,
                         "what is known of these targets is more than one request can hold",
                         "name fewer",
                         {}};
    }
    return plan;
}

template <std::size_t... I>
std::vector<Route> make_routes(std::index_sequence<I...>) {
    std::vector<Route> routes;
    const auto add = [&]<std::size_t N>(std::integral_constant<std::size_t, N>) {
        if constexpr (is_public<std::remove_const_t<decltype(row<N>)>>) {
            routes.push_back({row<N>.name, row<N>.verb, row<N>.path, row<N>.role, row<N>.kind,
                              row<N>.finishing, &plan_row<N>});
        }
    };
    (add(std::integral_constant<std::size_t, I>{}), ...);
    return routes;
}

std::string_view verb_name(api::Verb verb) {
    return verb == api::Verb::get ? "GET" : "POST";
}

Error no_such_path(std::string_view path) {
    constexpr std::size_t longest = 64;
    std::vector<std::string> known;
    for (const auto& route : routes())
        known.emplace_back(route.path);
    const auto names = nearest(path, known);
    return {errc::not_found,
            "there is no " + valid_utf8(path.substr(0, longest)) + (path.size() > longest ? "…" : ""),
            names.empty() ? "known: " + join_or(known) : "did you mean " + join_or(names) + "?",
            {}};
}

}  // namespace

std::span<const Route> routes() {
    static const auto all = make_routes(std::make_index_sequence<api::catalogue_size>());
    return all;
}

Found find_route(std::string_view method, std::string_view target) {
    const auto path = target.substr(0, target.find('?'));
    Found found;
    for (const auto& route : routes()) {
        if (route.path != path) continue;
        if (verb_name(route.verb) == method) {
            if (path.size() == target.size()) return {&route, {}, {}};
            found.error = {errc::bad_request,
                           std::string(path) + " takes no query",
                           "leave out what follows the '?'",
                           {}};
            return found;
        }
        if (!found.allow.empty()) found.allow += ", ";
        found.allow += verb_name(route.verb);
    }
    if (found.allow.empty()) {
        found.error = no_such_path(path);
    } else {
        found.error = {errc::method_not_allowed,
                       std::string(path) + " does not know " + std::string(method.substr(0, 32)),
                       "use " + found.allow,
                       {}};
    }
    return found;
}

}  // namespace netlab::front
