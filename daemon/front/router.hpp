#pragma once

#include "common/api/catalogue.hpp"
#include "daemon/front/answers.hpp"
#include "daemon/front/audit.hpp"
#include "daemon/front/references.hpp"
#include "daemon/front/workers.hpp"

#include <span>
#include <string>
#include <string_view>

/// From a request to what is to be done: pure, no I/O. Everything here comes from the catalogue; a new row
/// needs no line of this, but one of api::Kind::registry needs its answer() in answers.hpp.
namespace netlab::front {

/// What an allowed request comes to.
struct Plan {
    std::string answer;  ///< JSON, where the row is of api::Kind::registry
    Job job;             ///< else
    api::Cost cost;      ///< with `job`
};

/// A public row of the catalogue.
struct Route {
    std::string_view name;
    api::Verb verb;
    std::string_view path;
    api::Role role;
    api::Kind kind;
    bool finishing;  ///< a client that shuts down its sending side has it finish
    /// Decodes the body, checks it, and resolves its target words. Tells `entry` those words as soon as they
    /// are known. errc::bad_request, errc::unknown_field, what the row's check says, what targets::Registry
    /// says.
    Result<Plan> (*plan)(std::string_view body, const Knowledge& knowledge, AuditEntry& entry);
};

[[nodiscard]] std::span<const Route> routes();

struct Found {
    const Route* route = nullptr;
    Error error;  ///< where there is no route: errc::not_found, errc::method_not_allowed, errc::bad_request
    std::string allow;  ///< the verbs that the path has, for errc::method_not_allowed
};

/// `target` is the request's, as it came. A query is refused: no row has one.
[[nodiscard]] Found find_route(std::string_view method, std::string_view target);

}  // namespace netlab::front
