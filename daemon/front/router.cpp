#include "daemon/front/router.hpp"

#include "common/json.hpp"
#include "common/text.hpp"

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
    auto value = json::parse(body);
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

/// The other end's namespace is for its addresses only: an operation starts without it where it is gone.
void add_peer(const targets::NamespaceReference& known, api::Context& context, Job& job) {
    auto reference = launcher_reference(known);
    if (!reference) return;
    reference->may_fail = 1;
    job.namespaces.push_back(*reference);
    context.peer_namespace = true;
}

/// The targets that the row's words name, as the worker's context and as the launcher's references.
template <std::size_t I, class Request>
Result<api::Context> resolve(const Request& request, const targets::Registry& registry, Job& job,
                             AuditEntry& entry) {
    api::Context context;
    if constexpr (row<I>.target != nullptr) {
        auto found = registry.resolve(request.*row<I>.target);
        if (!found) return found.error();
        if (found->target.namespace_) entry.inode = found->target.namespace_->inode;
        auto reference = launcher_reference(found->reference);
        if (!reference) return reference.error();
        job.namespaces.push_back(*reference);
        context.targets.push_back(std::move(found->target));
        if constexpr (row<I>.peer != nullptr) {
            auto peer = registry.find_peer(request.*row<I>.peer, context.targets.front());
            if (!peer) return peer.error();
            if (*peer) {
                context.peer_match = (*peer)->match;
                if ((*peer)->reference) add_peer(*(*peer)->reference, context, job);
                context.peer = std::move((*peer)->target);
            }
        }
    }
    return context;
}

template <std::size_t I>
Result<Plan> plan_row(std::string_view body, const Knowledge& knowledge, AuditEntry& entry) {
    using Request = typename std::tuple_element_t<I, std::remove_const_t<decltype(api::catalogue)>>::Request;
    auto request = read_body<Request>(row<I>.verb, body);
    if (!request) return request.error();
    if constexpr (row<I>.target != nullptr) entry.target = (*request).*row<I>.target;
    if constexpr (row<I>.peer != nullptr) entry.peer = (*request).*row<I>.peer;
    if (auto checked = check(*request, knowledge.roles, row<I>.check); !checked) return checked.error();
    Plan plan;
    if constexpr (row<I>.kind == api::Kind::registry) {
        plan.answer = answer(*request, knowledge);
    } else {
        plan.job.operation = static_cast<std::uint16_t>(I);
        plan.job.deadline_ms = deadline_ms(*request, row<I>.deadline_ms);
        auto context = resolve<I>(*request, knowledge.registry, plan.job, entry);
        if (!context) return context.error();
        plan.job.request = binary::encode(api::Order<Request>{std::move(*context), std::move(*request)});
    }
    return plan;
}

template <std::size_t... I>
std::vector<Route> make_routes(std::index_sequence<I...>) {
    std::vector<Route> routes;
    const auto add = [&]<std::size_t N>(std::integral_constant<std::size_t, N>) {
        if constexpr (is_public<std::remove_const_t<decltype(row<N>)>>) {
            routes.push_back({row<N>.name, row<N>.verb, row<N>.path, row<N>.role, row<N>.kind, &plan_row<N>});
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
