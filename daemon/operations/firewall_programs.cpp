#include "daemon/operations/firewall_programs.hpp"

#include "daemon/operations/host_command.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

namespace {

/// The chains of its before.rules, which lead to its user's rules at their end.
bool is_before_ufws_rules(std::string_view chain) {
    constexpr std::array<std::string_view, 4> begins{"ufw-before-", "ufw6-before-", "ufw-not-local",
                                                     "ufw6-not-local"};
    return std::ranges::any_of(begins, [&](std::string_view begin) { return chain.starts_with(begin); });
}

/// Before its other rules, one of which may deny it.
std::string ufw_permission(const StoppedFlow& flow) {
    auto text = flow.output.empty()
                    ? "ufw prepend allow in on " + flow.input
                    : "ufw route prepend allow in on " + flow.input + " out on " + flow.output;
    if (!flow.protocol.empty())
        text += " to any port " + std::to_string(flow.port) + " proto " + flow.protocol;
    return text;
}

/// The zone that "filter_IN_public" is of; "" of a chain that is for more, or for less, than one.
std::string_view zone_of(std::string_view chain) {
    constexpr std::string_view begin = "filter_IN_";
    constexpr std::array<std::string_view, 6> parts{"_pre", "_log", "_deny", "_allow", "_post", "policy_"};
    if (!chain.starts_with(begin)) return {};
    chain.remove_prefix(begin.size());
    const bool is_part = std::ranges::any_of(
        parts, [&](std::string_view part) { return chain.ends_with(part) || chain.starts_with(part); });
    return is_part ? std::string_view() : chain;
}

std::string firewalld_permission(std::string_view chain, const StoppedFlow& flow) {
    // Others, as that of reverse paths, have no such command.
    if (!chain.starts_with("filter_IN") && !chain.starts_with("filter_F")) return {};
    const auto zone = zone_of(chain);
    if (flow.output.empty() && !flow.protocol.empty() && is_plain_word(zone))
        return "firewall-cmd --zone=" + std::string(zone) + " --add-port=" + std::to_string(flow.port) + "/" +
               flow.protocol;
    return flow.from_containers ? "firewall-cmd --zone=trusted --add-interface=" + flow.input : std::string();
}

}  // namespace

std::string permission_by(std::string_view owner, std::string_view chain, const StoppedFlow& flow) {
    if (!is_plain_word(flow.input) || (!flow.output.empty() && !is_plain_word(flow.output))) return {};
    if (owner == "ufw") return is_before_ufws_rules(chain) ? std::string() : ufw_permission(flow);
    return owner == "firewalld" ? firewalld_permission(chain, flow) : std::string();
}

}  // namespace netlab::operations
