#include "daemon/front/router.hpp"

#include "common/json.hpp"
#include "common/text.hpp"
#include "daemon/front/role_use.hpp"
#include "daemon/front/worker_context.hpp"

#include <algorithm>

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

/// The roles without which `checks` would refuse this request: of an echo that floods, host.
template <class Request>
api::Roles needed_roles(const Request& request, Result<void> (*checks)(const Request&, api::Roles)) {
    api::Roles needed;
    if (checks == nullptr || !checks(request, api::Roles::all())) return needed;
    const auto every = api::Roles::all().list();
    for (const auto role : every) {
        api::Roles others;
        for (const auto other : every) {
            if (other != role) others.add(other);
        }
        if (!checks(request, others)) needed.add(role);
    }
    return needed;
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

template <class Request>
api::Roles roles_in_use(const Request& request, const api::Context& context,
                        const targets::Registry& registry) {
    if constexpr (requires { used_roles(request, context, true); }) {
        return used_roles(request, context, is_host_among(context.targets, registry));
    } else {
        return {};
    }
}

/// Tells the audit what is looked at.
void tell_targets(const api::Context& context, AuditEntry& entry) {
    const auto tell = [&](const api::Target& target) {
        AuditTarget told{target.id.empty() ? target.name : target.id,
                         target.namespace_ ? target.namespace_->inode : 0};
        if (std::ranges::find(entry.targets, told) == entry.targets.end())
            entry.targets.push_back(std::move(told));
    };
    std::ranges::for_each(context.targets, tell);
    // TO's namespace is entered, too, where TO is a target.
    if (context.peer) tell(*context.peer);
}

void add_roles(api::Roles more, AuditEntry& entry) {
    for (const auto role : more.list())
        entry.roles.add(role);
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
    tell_targets(context, entry);
    add_roles(roles_in_use(request, context, registry), entry);
    if constexpr (row<I>.published_port != nullptr) {
        // Several targets may have the host's addresses, and a name may lead to one of them: only where it is
        // certain that TO is another target there is nothing to look for.
        const bool may_be_host = !context.peer || is_host_among(std::span(&*context.peer, 1), registry);
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
    add_roles(needed_roles(*request, row<I>.check), entry);
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
