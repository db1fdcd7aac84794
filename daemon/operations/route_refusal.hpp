#pragma once

#include "daemon/kernel/route_entry.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/kernel/rule.hpp"

#include <optional>
#include <span>
#include <string>

/// Routes and policy rules that say on purpose that nothing goes there: blackhole, unreachable, prohibit. The
/// kernel answers with an errno alone, which has other causes, too.
namespace netlab::operations {

struct RouteRefusal {
    std::string what;  ///< "the route blackhole 203.0.113.0/24", "the policy rule 100: from all unreachable"
    std::string command;  ///< that takes it away, in its namespace
    friend bool operator==(const RouteRefusal&, const RouteRefusal&) = default;
};

/// The one that decides, as fib_rules_lookup() in net/core/fib_rules.c goes through the rules. `rules` in the
/// kernel's order and `routes` of all tables, both of one namespace; `input`: the interface's name where the
/// packet comes in, "" where it is made there. nullopt: none does, or a rule before asks for what is not
/// known of the packet. Pure.
[[nodiscard]] std::optional<RouteRefusal> find_refusal(std::span<const kernel::Rule> rules,
                                                       std::span<const kernel::Route> routes,
                                                       const kernel::RouteQuery& query,
                                                       const std::string& input);

/// The same for `run`: asks the kernel of that route socket.
[[nodiscard]] std::optional<RouteRefusal> ask_refusal(int route_socket, const kernel::RouteQuery& query,
                                                      const std::string& input);

}  // namespace netlab::operations
