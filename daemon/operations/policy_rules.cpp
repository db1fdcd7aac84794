#include "daemon/operations/policy_rules.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/kernel/rule_parts.hpp"
#include "daemon/operations/host_command.hpp"

#include <limits>

#include <linux/rtnetlink.h>

namespace netlab::operations {

namespace {

using namespace kernel::rule_parts;

constexpr std::uint32_t whole_mask = 0xFFFFFFFF;

std::string conditions_text(const kernel::Rule& rule) {
    std::string text = (rule.flags & FIB_RULE_INVERT) != 0 ? "not " : "";
    text += "from " + (rule.from ? prefix_text(*rule.from) : std::string("all"));
    if (rule.to) text += " to " + prefix_text(*rule.to);
    if (rule.tos != 0) text += " tos " + kernel::hexadecimal(rule.tos);
    if (asks_for_mark(rule)) text += " fwmark " + mark_text(rule.mark, rule.mask.value_or(whole_mask));
    if (!rule.input.empty()) text += " iif " + rule.input;
    if (!rule.output.empty()) text += " oif " + rule.output;
    if (asks_for_user(rule))
        text += " uidrange " + std::to_string(rule.uids->first) + "-" + std::to_string(rule.uids->second);
    if (rule.ip_protocol != 0) text += " ipproto " + protocol_name(rule.ip_protocol);
    if (rule.source_ports) text += " sport " + ports_text(*rule.source_ports);
    if (rule.destination_ports) text += " dport " + ports_text(*rule.destination_ports);
    if (rule.tunnel) text += " tun_id " + std::to_string(*rule.tunnel);
    return text;
}

std::string table_text(const kernel::Rule& rule) {
    std::string text = rule.l3mdev ? "l3mdev" : "lookup " + kernel::table_name(rule.table);
    if (rule.suppress_prefix_length)
        text += " suppress_prefixlength " + std::to_string(*rule.suppress_prefix_length);
    if (rule.suppress_group) text += " suppress_ifgroup " + std::to_string(*rule.suppress_group);
    return text;
}

/// What ip(8) would take for something else, or refuse.
bool is_written_whole(const kernel::Rule& rule) {
    const auto is_plain = [](const std::string& name) { return name.empty() || is_plain_word(name); };
    const bool action = refuses(rule) || rule.action == FR_ACT_TO_TBL;
    return action && is_plain(rule.input) && is_plain(rule.output) && !rule.tunnel && !rule.realms &&
           is_plain_word(kernel::table_name(rule.table));
}

}  // namespace

bool refuses(const kernel::Rule& rule) {
    return rule.action == FR_ACT_BLACKHOLE || rule.action == FR_ACT_UNREACHABLE ||
           rule.action == FR_ACT_PROHIBIT;
}

bool asks_for_mark(const kernel::Rule& rule) {
    return rule.mark != 0 || rule.mask.has_value();
}

bool asks_for_user(const kernel::Rule& rule) {
    constexpr auto last = std::numeric_limits<std::uint32_t>::max();
    return rule.uids && *rule.uids != std::pair(std::uint32_t{0}, last);
}

std::string policy_rule_text(const kernel::Rule& rule) {
    const auto text = conditions_text(rule) + " ";
    if (rule.action == FR_ACT_TO_TBL) return text + table_text(rule);
    if (refuses(rule)) return text + kernel::route_kind_name(rule.action);
    if (rule.action != FR_ACT_GOTO) return text + "nop";
    return text + "goto" + (rule.goto_priority ? " " + std::to_string(*rule.goto_priority) : "");
}

std::string listed_rule(const kernel::Rule& rule) {
    return std::to_string(rule.priority) + ": " + policy_rule_text(rule);
}

std::string delete_command(const kernel::Rule& rule) {
    const auto command = std::string(rule.family == AF_INET6 ? "ip -6" : "ip") + " rule del pref " +
                         std::to_string(rule.priority);
    return is_written_whole(rule) ? command + " " + policy_rule_text(rule) : command;
}

bool is_default_rule(const kernel::Rule& rule) {
    const bool table =
        rule.table == RT_TABLE_LOCAL || rule.table == RT_TABLE_MAIN || rule.table == RT_TABLE_DEFAULT;
    return table && policy_rule_text(rule) == "from all lookup " + kernel::table_name(rule.table);
}

}  // namespace netlab::operations
