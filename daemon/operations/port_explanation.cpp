#include "daemon/operations/port_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/firewall_programs.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/missed_chain.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/sysctl_table.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter_ipv4.h>

namespace netlab::operations {

namespace {

using api::PortVerdict;

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

std::string holder(const api::PortCarrier& carrier) {
    if (carrier.process && carrier.pid)
        return *carrier.process + ", PID " + std::to_string(*carrier.pid) + " on the host,";
    return "a process of the host";
}

bool is_answer(BlockedPacket kind) {
    return kind == BlockedPacket::answer_on_host || kind == BlockedPacket::answer_in_container ||
           kind == BlockedPacket::answer_of_host;
}

bool is_inside(BlockedPacket kind) {
    return kind == BlockedPacket::in_container || kind == BlockedPacket::answer_in_container;
}

/// Its flow is known by then.
bool is_of_flow(const PacketRole& role) {
    return is_answer(role.kind) || role.later;
}

/// "what comes from outside for 172.17.0.2:80"
std::string packet_words(const api::PortRow& row, const PacketRole& role, const kernel::PacketFacts& packet) {
    const auto from = endpoint_text(packet.source, packet.source_port);
    const auto to = endpoint_text(packet.destination, packet.destination_port);
    const std::string later = role.later ? ", behind the first packet" : "";
    switch (role.kind) {
        case BlockedPacket::answer_on_host:
        case BlockedPacket::answer_in_container:
            return "what " + row.target + " answers from " + from + later;
        case BlockedPacket::answer_of_host:
            return "what the host answers from " + from + later;
        case BlockedPacket::from_host:
            return "what the host itself sends to " + to + later;
        case BlockedPacket::on_host:
        case BlockedPacket::in_container:
            break;
    }
    return (role.named ? "what they send to " : "what comes from outside for ") + to + later;
}

/// Docker sets it, and makes the rules that accept what it publishes.
bool is_engines_policy(const kernel::RuleChain& chain) {
    return chain.name == "FORWARD" && (chain.table == "ip filter" || chain.table == "ip6 filter");
}

/// Whether a rule of the chain can say what it has to: for a packet whose destination is not yet, or not any
/// more, what the walk knows, or for an answer before conntrack has seen it, it cannot.
bool takes_rule(const kernel::FilterDecision& decision, const PacketRole& role,
                const kernel::PacketFacts& packet) {
    const auto& hook = *decision.chain->hook;
    // Frames are not of a flow yet, and their destination is another.
    if (decision.chain->table.starts_with("netdev ") || decision.chain->table.starts_with("bridge "))
        return false;
    if (hook.number == NF_INET_INGRESS) return false;
    // Where a rule keeps it from its flow it is no answer for the rules.
    if (is_of_flow(role) && (packet.flow.value_or(0) & kernel::flow_is_established) == 0) return false;
    const bool early = hook.number == NF_INET_PRE_ROUTING || hook.number == NF_INET_LOCAL_OUT;
    const bool before_conntrack = early && hook.priority <= NF_IP_PRI_CONNTRACK;
    const bool behind_dnat = early && hook.priority > NF_IP_PRI_NAT_DST;
    return !(is_of_flow(role) ? before_conntrack : behind_dnat && role.kind == BlockedPacket::on_host);
}

/// A rule for what a chain drops, which lets an answer through as any answer: at its end for what its policy
/// drops, before the one that drops by a map. Where that cannot be said, or nothing would come to it, or the
/// chain's names are more than words, what shows its rules.
std::string accept_command(const kernel::FilterDecision& decision, const PacketRole& role,
                           const kernel::PacketFacts& packet, const std::string& protocol) {
    const auto& chain = *decision.chain;
    const auto* rule = decision.rule;
    if (chain.owner) return ask_owner(chain.owner);
    const bool v4 = packet.destination.is_v4();
    const auto to = packet.destination.to_string();
    const auto port = std::to_string(packet.destination_port);
    const auto table = chain.table.substr(chain.table.find(' ') + 1);
    const bool has_place = rule == nullptr ? !decision.left_early : rule->handle && chain.hook;
    if (!has_place || !takes_rule(decision, role, packet) || !is_plain_word(table) ||
        !is_plain_word(chain.name))
        return "netlab firewall host  # shows what it accepts";
    if (chain.legacy) {
        return legacy_program(v4 ? "ip" : "ip6") + " -t " + table + " -A " + chain.name +
               (is_of_flow(role) ? std::string(" -m conntrack --ctstate ESTABLISHED,RELATED")
                                 : " -d " + to + " -p " + protocol + " --dport " + port) +
               " -j ACCEPT";
    }
    const auto iptables = iptables_program(chain.table.substr(0, chain.table.find(' ')), table);
    if (is_of_flow(role) && !iptables.empty()) {
        return iptables + " -t " + table + (rule == nullptr ? " -A " : " -I ") + chain.name +
               " -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT";
    }
    const auto place = chain.table + " " + chain.name +
                       (rule == nullptr ? std::string() : " handle " + std::to_string(*rule->handle));
    return (rule == nullptr ? "nft add rule " : "nft insert rule ") + place +
           (is_of_flow(role) ? std::string(" ct state established,related")
                             : (v4 ? " ip daddr " : " ip6 daddr ") + to + " " + protocol + " dport " + port) +
           " accept";
}

/// It is for one destination or one port, and so may go without letting in what it also keeps out.
bool is_narrow(const kernel::PacketRule& rule) {
    const auto& port = rule.destination_port;
    const auto& to = rule.destination;
    const bool one_port = port && !port->inverted && port->value.first == port->value.second;
    const bool one_address =
        to && !to->inverted && to->value.length() == (to->value.address().is_v4() ? 32U : 128U);
    return (one_port || one_address) && rule.sets.empty();
}

/// Removes the rule; says so where it drops more than what was asked about.
std::string removal(const kernel::PacketRule& rule, const std::string& command) {
    return command.empty() || is_narrow(rule)
               ? command
               : command + "  # or a rule before it that accepts: it drops more than this";
}

/// A command that removes the rule, on the host or in that target; where it is its table's owner who may, how
/// to find him.
std::string removal_of(const api::NatRule& rule, const api::Target* target = nullptr) {
    if (rule.owner_port) return ask_owner(rule.owner_port, target);
    const auto command = delete_command(rule);
    return target == nullptr ? command : command_in(*target, command);
}

/// ufw keeps iptables' chains by chains of its own, and sets their policies.
bool leads_to_ufw(const kernel::RuleChain& chain) {
    const auto programs = programs_behind(chain);
    return std::ranges::find(programs, "ufw") != programs.end();
}

/// By the program that keeps the firewall; "" where it is not one that can.
std::string permission_of_program(const kernel::FilterDecision& decision, const PacketRole& role,
                                  const kernel::PacketFacts& packet, const std::string& protocol) {
    if (role.kind != BlockedPacket::on_host || role.later || !packet.input) return {};
    const auto& chain = *decision.chain;
    const auto table = std::string_view(chain.table).substr(chain.table.find(' ') + 1);
    const auto owner = decision.rule == nullptr && leads_to_ufw(chain) ? std::string("ufw")
                                                                       : owner_by_names(table, chain.name);
    return permission_by(owner, chain.name,
                         {*packet.input, packet.output.value_or(""), protocol, packet.destination_port});
}

std::string host_end(const api::PortRow& row) {
    return endpoint_text(row.host_address.value_or(IpAddress()), row.host_port.value_or(0));
}

}  // namespace

std::string port_words(const api::PortRow& row, std::uint16_t port) {
    return upper(row.protocol) + " port " + std::to_string(port);
}

std::string restore_command(const api::PortRow& row) {
    const auto& owner = row.publisher.value_or(row.target);
    if (row.engine == api::Runtime::podman) return "podman network reload " + owner;
    // Who has joined its namespace stays in the old one.
    return "docker restart " + owner + (row.publisher ? " && docker restart " + row.target : "");
}

std::string restore_rules(const api::PortRow& row) {
    return restore_command(row) +
           (row.engine == api::Runtime::podman ? "" : "  # all of Docker's: systemctl restart docker");
}

std::string restore_chains(const api::PortRow& row) {
    return row.engine == api::Runtime::podman
               ? restore_command(row)
               : "systemctl restart docker  # which ends the containers unless live-restore is on";
}

Explanation explain_not_carried(const api::PortRow& row, bool chains_gone) {
    return {engine_name(row.engine) + " says that " + host_end(row) +
                " is published, and no rule and no process of the host leads to " + row.target +
                ": the rules may have been flushed",
            chains_gone ? restore_chains(row) : restore_rules(row)};
}

Explanation explain_shadowing_rule(const api::PortRow& row, const api::PortCarrier& carrier, bool nobody) {
    const auto& rule = *carrier.rule;
    auto text = place_of(rule) + " comes first and leads to " +
                (carrier.to ? endpoint_text(carrier.to->address, carrier.to->port) : std::string("the host"));
    if (carrier.owner) {
        text +=
            *carrier.owner == row.target ? ", another port of " + row.target : " (" + *carrier.owner + ")";
    } else {
        text += nobody ? ", which nobody has" : ", which no target that netlab knows has";
    }
    return {text, removal_of(rule)};
}

Explanation explain_redirected(const api::NatRule& rule, std::uint16_t port,
                               const std::optional<api::PortCarrier>& carrier) {
    auto text = place_of(rule) + " comes first and redirects it to port " + std::to_string(port) +
                " of the host, where ";
    if (!carrier) {
        text += "nothing takes it";
    } else {
        text += carrier->process && carrier->pid
                    ? *carrier->process + ", PID " + std::to_string(*carrier->pid) + ", has it"
                    : "a process has it";
    }
    return {text, removal_of(rule)};
}

Explanation explain_shadowing_process(const api::PortRow& row, const api::PortCarrier& carrier) {
    return {"no rule leads to " + row.target + ", and " + holder(carrier) + " has " + host_end(row),
            carrier.pid ? "end PID " + std::to_string(*carrier.pid) + ", or publish another port; then " +
                              restore_rules(row)
                        : restore_rules(row)};
}

Explanation explain_stale_proxy(const api::PortRow& row, const api::PortCarrier& carrier) {
    auto text = holder(carrier) + " leads to " +
                (carrier.to ? endpoint_text(carrier.to->address, carrier.to->port) : "another address");
    text += carrier.owner ? " (" + *carrier.owner + ")" : ", which is no address of " + row.target;
    return {text, restore_rules(row)};
}

Explanation explain_blocked(const api::PortRow& row, const api::Target& target, const PacketRole& role,
                            const kernel::FilterDecision& decision, const kernel::PacketFacts& packet,
                            const kernel::RuleChain* missed) {
    const bool inside = is_inside(role.kind);
    const auto what = packet_words(row, role, packet) + (role.later ? ", is dropped " : " is dropped ") +
                      (inside ? "in " + row.target + " " : std::string()) + "by ";
    const auto& chain = *decision.chain;
    if (decision.rule != nullptr) {
        const auto rule = describe_rule(chain, *decision.rule);
        const auto said = what + place_of(rule) + ": " + rule.text;
        if (auto program = permission_of_program(decision, role, packet, row.protocol); !program.empty())
            return {said, std::move(program)};
        if (chain.owner) return {said, ask_owner(chain.owner, inside ? &target : nullptr)};
        // A map has more to say than this.
        const auto command = decision.rule->verdicts ? accept_command(decision, role, packet, row.protocol)
                                                     : removal(*decision.rule, delete_command(rule));
        return {said, inside ? command_in(target, command) : command};
    }
    const auto policy = what + "the policy of " + chain.table + " " + chain.name + ", as no rule accepts it";
    if (inside) return {policy, "netlab firewall " + target.name + "  # shows what it accepts"};
    if (auto program = permission_of_program(decision, role, packet, row.protocol); !program.empty())
        return {policy, std::move(program)};
    if (!is_engines_policy(chain)) return {policy, accept_command(decision, role, packet, row.protocol)};
    // Docker's rules are for Docker's own bridges, and it sets the policy for all.
    if (row.engine == api::Runtime::podman)
        return {policy + " (where Docker runs beside Podman, that policy is Docker's)",
                accept_command(decision, role, packet, row.protocol)};
    if (missed == nullptr) return {policy + ": the rules may have been flushed", restore_chains(row)};
    const auto blank = chain.table.find(' ');
    const auto jump = explain_missed_chain(chain.table.substr(0, blank) + (chain.legacy ? " (legacy)" : ""),
                                           chain.table.substr(blank + 1), chain.name, missed->name,
                                           packet.output.value_or(""));
    return {policy + jump.explanation, jump.suggestion};
}

Explanation explain_sent_on(const api::Target& target, const api::NatRule& rule, const api::Endpoint& to) {
    return {place_of(rule) + " in " + target.name + " sends it on to " + endpoint_text(to.address, to.port),
            removal_of(rule, &target)};
}

Explanation explain_sent_elsewhere(const api::NatRule& rule, const api::Endpoint& to) {
    return {place_of(rule) + " of the host's sends elsewhere what its own programs send to " +
                endpoint_text(to.address, to.port) + ", docker-proxy, too: " + rule.text,
            removal_of(rule)};
}

Explanation explain_next_hop(const api::PortRow& row, const PacketRole& role,
                             const kernel::PacketFacts& packet, const Hindrance& hop) {
    return {packet_words(row, role, packet) + (hop.certain ? " does not get on: " : " may not get on: ") +
                hop.why.explanation,
            hop.why.suggestion};
}

Explanation explain_unrouted(const api::PortRow& row, const PacketRole& role,
                             const kernel::PacketFacts& packet, const HostRoute& route,
                             const std::string& output) {
    auto text = "the host ";
    const auto what = packet_words(row, role, packet);
    const auto came_by = packet.input && !packet.input->empty() ? ", which comes in by " + *packet.input : "";
    std::string out;
    if (route.error == EXDEV) {
        // fib_validate_source() of net/ipv4/fib_frontend.c.
        const auto input = packet.input.value_or("all");
        return {"rp_filter of " + input + " refuses " + what + ": the host would answer " +
                    packet.source.to_string() + " by another interface",
                "netlab routes host" + (is_plain_word(input)
                                            ? "  # or let it be: sysctl -w " +
                                                  sysctl_name("ipv4/conf/" + input + "/rp_filter") + "=2"
                                            : std::string())};
    }
    if (route.error != 0) {
        out = text + ("does not send on " + what + came_by + ": " + std::strerror(route.error));
    } else if (route.local) {
        out = text + ("takes for itself " + what);
    } else {
        out = text + ("sends " + what + " by " + route.output +
                      (output.empty() ? ", and takes nothing of it itself" : ", and not by " + output));
    }
    if (route.rule.explanation.empty())
        return {out, route.error == ENETUNREACH ? "netlab routes host" : "netlab rules host"};
    return {out + "; it goes by the policy rule " + route.rule.explanation, route.rule.suggestion};
}

Explanation explain_not_forwarded(const std::string& interface, const std::string& setting) {
    return {"the host does not forward what comes in by " + interface +
                (setting.empty() ? std::string() : ": " + setting + " is 0"),
            is_plain_word(setting) ? "sysctl -w " + setting + "=1" : std::string()};
}

Explanation explain_lost_address(const api::PortRow& row, const IpAddress& address) {
    return {row.target + " does not have " + address.to_string() + ", which " + engine_name(row.engine) +
                " gave it and leads this port to",
            engine_command(row.engine) + " restart " + row.target};
}

Explanation explain_down(const api::PortRow& row, const std::string& interface) {
    const auto where = row.to ? row.to->address.to_string() : row.target;
    return {"the host's interface " + interface + ", which leads to " + where + ", is down",
            up_command(interface)};
}

Explanation explain_refused_back(const api::PortRow& row, const IpAddress& client, const Explanation& why) {
    return {row.target + " may not send its answers to " + client.to_string() +
                (why.explanation.empty() ? std::string() : ": " + why.explanation),
            why.suggestion};
}

Explanation explain_no_way_back(const api::PortRow& row, Family family) {
    return {row.target + " has no " + (family == Family::ipv4 ? "IPv4" : "IPv6") +
                " route to the outside: its answers to who comes from there do not leave",
            "netlab routes " + row.target + "  # shows what it has"};
}

}  // namespace netlab::operations
