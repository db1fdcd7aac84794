#include "daemon/operations/policy_rules.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/kernel/rule_parts.hpp"
#include "daemon/operations/host_command.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>

namespace netlab::operations {

namespace {

std::string prefix_text(const IpPrefix& prefix) {
    const unsigned whole = prefix.address().is_v4() ? 32 : 128;
    return prefix.length() == whole ? prefix.address().to_string() : prefix.to_string();
}

std::string ports_text(const std::pair<std::uint16_t, std::uint16_t>& ports) {
    const auto first = std::to_string(ports.first);
    return ports.first == ports.second ? first : first + "-" + std::to_string(ports.second);
}

bool has(const std::optional<std::pair<std::uint16_t, std::uint16_t>>& range, std::uint16_t port) {
    return !range || (range->first <= port && port <= range->second);
}

bool asks_for_mark(const kernel::Rule& rule) {
    return rule.mark != 0 || rule.mask.has_value();
}

/// As far as its conditions are understood; a mark is passed over.
bool concerns(const kernel::Rule& rule, const kernel::PacketFacts& packet) {
    if (rule.family != (packet.destination.is_v4() ? AF_INET : AF_INET6)) return false;
    const bool from_here = packet.input && packet.input->empty();
    const auto wanted_input = from_here ? std::string("lo") : packet.input.value_or(rule.input);
    const bool matches = (!rule.from || rule.from->contains(packet.source)) &&
                         (!rule.to || rule.to->contains(packet.destination)) &&
                         (rule.input.empty() || rule.input == wanted_input) &&
                         (rule.ip_protocol == 0 || rule.ip_protocol == packet.protocol) &&
                         has(rule.source_ports, packet.source_port) &&
                         has(rule.destination_ports, packet.destination_port);
    return matches != ((rule.flags & FIB_RULE_INVERT) != 0);
}

}  // namespace

bool refuses(const kernel::Rule& rule) {
    return rule.action == FR_ACT_BLACKHOLE || rule.action == FR_ACT_UNREACHABLE ||
           rule.action == FR_ACT_PROHIBIT;
}

std::string policy_rule_text(const kernel::Rule& rule) {
    std::string text = (rule.flags & FIB_RULE_INVERT) != 0 ? "not " : "";
    text += "from " + (rule.from ? prefix_text(*rule.from) : std::string("all"));
    if (rule.to) text += " to " + prefix_text(*rule.to);
    if (!rule.input.empty()) text += " iif " + rule.input;
    if (!rule.output.empty()) text += " oif " + rule.output;
    if (asks_for_mark(rule)) text += " fwmark " + kernel::hexadecimal(rule.mark);
    if (rule.ip_protocol != 0) text += " ipproto " + kernel::rule_parts::protocol_name(rule.ip_protocol);
    if (rule.source_ports) text += " sport " + ports_text(*rule.source_ports);
    if (rule.destination_ports) text += " dport " + ports_text(*rule.destination_ports);
    if (rule.action == FR_ACT_TO_TBL) return text + " lookup " + kernel::table_name(rule.table);
    if (refuses(rule)) return text + " " + kernel::route_kind_name(rule.action);
    return text + (rule.action == FR_ACT_GOTO ? " goto" : " nop");
}

std::string delete_command(const kernel::Rule& rule) {
    const auto command = std::string(rule.family == AF_INET6 ? "ip -6" : "ip") + " rule del pref " +
                         std::to_string(rule.priority);
    // Of names that are more than words, and of what ip(8) takes with more words, the priority alone.
    const auto is_plain = [](const std::string& name) { return name.empty() || is_plain_word(name); };
    const bool whole = is_plain(rule.input) && is_plain(rule.output) &&
                       (refuses(rule) || rule.action == FR_ACT_TO_TBL) &&
                       is_plain_word(kernel::table_name(rule.table));
    return whole ? command + " " + policy_rule_text(rule) : command;
}

bool is_default_rule(const kernel::Rule& rule) {
    const bool table =
        rule.table == RT_TABLE_LOCAL || rule.table == RT_TABLE_MAIN || rule.table == RT_TABLE_DEFAULT;
    return rule.action == FR_ACT_TO_TBL && table && !rule.from && !rule.to && rule.input.empty() &&
           rule.output.empty() && !asks_for_mark(rule) && rule.ip_protocol == 0 && !rule.source_ports &&
           !rule.destination_ports && !rule.suppress_prefix_length && !rule.suppress_group;
}

Explanation find_policy_rule(const std::vector<kernel::Rule>& rules, const kernel::PacketFacts& packet) {
    const auto find = [&](bool refusing) {
        return std::ranges::find_if(rules, [&](const kernel::Rule& rule) {
            return !is_default_rule(rule) && refuses(rule) == refusing && !asks_for_mark(rule) &&
                   concerns(rule, packet);
        });
    };
    auto found = find(true);
    if (found == rules.end()) found = find(false);
    if (found == rules.end()) return {};
    const auto priority = std::to_string(found->priority);
    return {priority + ": " + policy_rule_text(*found), delete_command(*found)};
}

std::string find_rule_by_mark(const std::vector<kernel::Rule>& rules, const kernel::PacketFacts& packet) {
    const auto found = std::ranges::find_if(
        rules, [&](const kernel::Rule& rule) { return asks_for_mark(rule) && concerns(rule, packet); });
    return found == rules.end() ? std::string()
                                : std::to_string(found->priority) + ": " + policy_rule_text(*found);
}

}  // namespace netlab::operations
