#include "daemon/operations/why_asleep.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"

namespace netlab::operations {

Explanation explain_paused(const api::Target& target) {
    if (target.state != api::State::paused) return {};
    Explanation out{target.name + " is paused: its kernel answers, and no program in it does",
                    engine_command(target.runtime) + " unpause " + target.name};
    if (target.namespace_ && !target.namespace_->shared_with.empty())
        out.explanation += "; " + list_and(target.namespace_->shared_with) + " in its network namespace may";
    return out;
}

Explanation explain_ignored_echoes(const WhyFacts& facts) {
    const std::string setting =
        facts.flow.remote.is_v4() ? "net.ipv4.icmp_echo_ignore_all" : "net.ipv6.icmp.echo_ignore_all";
    const auto command = "sysctl -w " + setting + "=0";
    const auto& place = facts.way.end_place;
    return {facts.final_target + " answers no echo: " + setting + " is 1 there",
            place ? command_in(target_at(facts.context, *place), command) : std::string()};
}

}  // namespace netlab::operations
