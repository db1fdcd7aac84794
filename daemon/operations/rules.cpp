#include "common/api/rules.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/kernel/rule.hpp"
#include "daemon/kernel/rule_parts.hpp"
#include "daemon/operations/inspection.hpp"

/// `netlab rules`: RTM_GETRULE of each target.
namespace netlab::operations::rules {

namespace {

using Handles = std::vector<Result<UniqueFd>>;

Result<Handles> prepare(Namespaces& namespaces, const api::RulesRequest&, const api::Context& context) {
    return open_route_sockets(namespaces, context);
}

std::string prefix_text(const IpPrefix& prefix) {
    const unsigned whole = prefix.address().is_v4() ? 32 : 128;
    return prefix.length() == whole ? prefix.address().to_string() : prefix.to_string();
}

template <class Number>
std::string range_text(const std::pair<Number, Number>& range) {
    const auto first = std::to_string(range.first);
    return range.first == range.second ? first : first + "-" + std::to_string(range.second);
}

std::string realms_text(std::uint32_t realms) {
    const auto to = std::to_string(realms & 0xFFFF);
    return realms >> 16 == 0 ? to : std::to_string(realms >> 16) + "/" + to;
}

void set_action(const kernel::Rule& rule, api::RuleRow& row) {
    switch (rule.action) {
        case FR_ACT_TO_TBL:
            row.action = rule.l3mdev ? "l3mdev" : "lookup";
            if (!rule.l3mdev) row.table = kernel::table_name(rule.table);
            break;
        case FR_ACT_GOTO:
            row.action = "goto";
            row.goto_ = rule.goto_priority;
            row.unresolved = (rule.flags & FIB_RULE_UNRESOLVED) != 0;
            break;
        case FR_ACT_NOP:
            row.action = "nop";
            break;
        default:
            // FR_ACT_BLACKHOLE, _UNREACHABLE and _PROHIBIT are RTN_ of the same name.
            row.action = kernel::route_kind_name(rule.action);
    }
}

void set_conditions(const kernel::Rule& rule, api::RuleRow& row) {
    row.invert = (rule.flags & FIB_RULE_INVERT) != 0;
    row.from = rule.from ? prefix_text(*rule.from) : "all";
    if (rule.to) row.to = prefix_text(*rule.to);
    if (!rule.input.empty()) row.iif = rule.input;
    row.iif_detached = (rule.flags & FIB_RULE_IIF_DETACHED) != 0;
    if (!rule.output.empty()) row.oif = rule.output;
    row.oif_detached = (rule.flags & FIB_RULE_OIF_DETACHED) != 0;
    if (rule.mark != 0 || rule.mask) row.fwmark = kernel::hexadecimal(rule.mark);
    if (rule.mask && *rule.mask != 0xFFFFFFFF) row.fwmask = kernel::hexadecimal(*rule.mask);
    if (rule.tos != 0) row.tos = kernel::hexadecimal(rule.tos);
    if (rule.ip_protocol != 0) row.ipproto = kernel::rule_parts::protocol_name(rule.ip_protocol);
    if (rule.source_ports) row.sport = range_text(*rule.source_ports);
    if (rule.destination_ports) row.dport = range_text(*rule.destination_ports);
    if (rule.uids) row.uidrange = std::to_string(rule.uids->first) + "-" + std::to_string(rule.uids->second);
    row.tun_id = rule.tunnel;
}

api::RuleRow row_of(const std::string& target, const kernel::Rule& rule) {
    api::RuleRow row;
    row.target = target;
    row.family = rule.family == AF_INET ? Family::ipv4 : Family::ipv6;
    row.priority = rule.priority;
    set_conditions(rule, row);
    set_action(rule, row);
    row.suppress_prefixlength = rule.suppress_prefix_length;
    row.suppress_ifgroup = rule.suppress_group;
    if (rule.realms) row.realms = realms_text(*rule.realms);
    row.protocol = kernel::protocol_name(rule.protocol);
    return row;
}

Result<void> run(Handles& handles, const api::RulesRequest& request, const api::Context& context,
                 Output& output) {
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!handles[i]) return handles[i].error();
        const auto rules = kernel::dump_rules(handles[i]->get());
        if (!rules) return rules.error();
        rows.note(rules->consistent);
        for (const auto& rule : rules->rows) {
            const auto row = row_of(context.targets[i].name, rule);
            if (!request.family || row.family == *request.family) rows.add(row);
        }
        return {};
    });
}

const Registration<api::RulesRequest> registered{operation<prepare, run>({.descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::rules
