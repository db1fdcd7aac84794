#include "daemon/operations/why_asleep.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"

namespace netlab::operations {

Explanation explain_paused(const std::optional<Sleep>& asleep) {
    if (!asleep) return {};
    const auto& target = asleep->target;
    const auto is_paused = target.name + " is paused";
    const auto command = engine_command(target.runtime) + " unpause " + target.name;
    switch (asleep->extent) {
        case Sleep::Extent::some:
            return {is_paused +
                        ", and of the sockets that share the port it has one: who comes to that gets no "
                        "answer of a program's",
                    command};
        case Sleep::Extent::unknown:
            return {is_paused + ", and whether it is its program that listens netlab does not know", {}};
        case Sleep::Extent::all:
            break;
    }
    return {is_paused + ": its kernel answers, and no program in it does", command};
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
