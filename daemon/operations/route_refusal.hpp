#pragma once

#include "daemon/kernel/route_entry.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/kernel/rule.hpp"
#include "daemon/operations/explanation.hpp"

#include <optional>
#include <span>
#include <string>

/// Where policy rules and routes lead a packet, and which of them says on purpose that nothing goes there:
/// blackhole, unreachable, prohibit. The kernel answers with an errno alone, which has other causes, too.
namespace netlab::operations {

/// Where a packet has been led. Points into the rules and routes that were gone through.
struct RuleWalk {
    enum class End : std::uint8_t {
        unknown,  ///< a rule asks for what is not known of the packet, or does what is not known
        nowhere,  ///< no table that it was led to has a route
        refused,  ///< by `rule`, or by `route` of the table that `rule` led to
        routed,   ///< by `route`
    };
    End end = End::unknown;
    const kernel::Rule* rule = nullptr;  ///< the one that decided
    const kernel::Route* route = nullptr;
};

/// As fib_rules_lookup() in net/core/fib_rules.c goes through the rules. `rules` in the kernel's order and
/// `routes` of all tables, both of one namespace; `input`: the interface's name where the packet comes in, ""
/// where it is made there. Pure.
[[nodiscard]] RuleWalk walk_rules(std::span<const kernel::Rule> rules, std::span<const kernel::Route> routes,
                                  const kernel::RouteQuery& query, const std::string& input);

struct RouteRefusal {
    std::string what;  ///< "the route blackhole 203.0.113.0/24", "the policy rule 100: from all unreachable"
    std::string command;  ///< that takes it away, in its namespace
    friend bool operator==(const RouteRefusal&, const RouteRefusal&) = default;
};

/// The one that refuses at the end of that walk; nullopt: none does, or that is not known. Pure.
[[nodiscard]] std::optional<RouteRefusal> find_refusal(std::span<const kernel::Rule> rules,
                                                       std::span<const kernel::Route> routes,
                                                       const kernel::RouteQuery& query,
                                                       const std::string& input);

/// The same for `run`: asks the kernel of that route socket.
[[nodiscard]] std::optional<RouteRefusal> ask_refusal(int route_socket, const kernel::RouteQuery& query,
                                                      const std::string& input);

/// The policy rule that is why the kernel has answered so, as ip(8) lists it. Of an `error` that is one which
/// refuses, or led to a route that does: "5: from all lookup 100, and there the route unreachable default",
/// and what removes that. Without an error one, other than those every kernel begins with, whose table has
/// the route; nothing removes it. Empty where there is none, or it cannot be told. Pure.
[[nodiscard]] Explanation find_policy_rule(std::span<const kernel::Rule> rules,
                                           std::span<const kernel::Route> routes,
                                           const kernel::RouteQuery& query, const std::string& input,
                                           int error);

/// The same for `run`, without an error: asks the kernel of that route socket.
[[nodiscard]] std::string ask_policy_rule(int route_socket, const kernel::RouteQuery& query,
                                          const std::string& input);

/// A rule for which it is the packet's mark that counts, as ip(8) lists it; "" where there is none. `input`:
/// nullopt is not known. Pure.
[[nodiscard]] std::string find_rule_by_mark(std::span<const kernel::Rule> rules,
                                            const kernel::RouteQuery& query,
                                            const std::optional<std::string>& input);

}  // namespace netlab::operations
