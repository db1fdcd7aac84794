#include "daemon/operations/packet_explanation.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/missed_chain.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/sysctl_table.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter_ipv4.h>

namespace netlab::operations {

namespace {

/// Docker sets it, and makes the rules that accept what it publishes.
bool is_engines_policy(const kernel::RuleChain& chain) {
    return chain.name == "FORWARD" && (chain.table == "ip filter" || chain.table == "ip6 filter");
}

bool is_of_flow(const DroppedPacket& dropped) {
    return dropped.passes_by == PassesBy::flow;
}

/// Whether a rule of the chain can say what it has to: for a packet whose destination is not yet, or not any
/// more, what the walk knows, or for an answer before conntrack has seen it, it cannot.
bool takes_rule(const DroppedPacket& dropped, const kernel::FilterDecision& decision) {
    const auto& hook = *decision.chain->hook;
    // Frames are not of a flow yet, and their destination is another.
    if (decision.chain->table.starts_with("netdev ") || decision.chain->table.starts_with("bridge "))
        return false;
    if (hook.number == NF_INET_INGRESS) return false;
    // Where a rule keeps it from its flow it is no answer for the rules.
    if (is_of_flow(dropped) && (dropped.facts.flow.value_or(0) & kernel::flow_is_established) == 0)
        return false;
    const bool early = hook.number == NF_INET_PRE_ROUTING || hook.number == NF_INET_LOCAL_OUT;
    const bool before_conntrack = early && hook.priority <= NF_IP_PRI_CONNTRACK;
    const bool behind_dnat = early && hook.priority > NF_IP_PRI_NAT_DST;
    return !(is_of_flow(dropped) ? before_conntrack : behind_dnat && dropped.has_dnat);
}

std::string source_text(const DroppedPacket& dropped) {
    return dropped.source ? network_text(*dropped.source) : dropped.facts.source.to_string();
}

/// What a rule that lets it pass asks for, in nft's words.
std::string nft_conditions(const DroppedPacket& dropped) {
    const auto& packet = dropped.facts;
    const std::string ip = packet.destination.is_v4() ? "ip " : "ip6 ";
    switch (dropped.passes_by) {
        case PassesBy::flow:
            return "ct state established,related";
        case PassesBy::source:
            return ip + "saddr " + source_text(dropped);
        case PassesBy::destination:
            break;
    }
    return ip + "daddr " + packet.destination.to_string() + " " + dropped.protocol + " dport " +
           std::to_string(packet.destination_port);
}

/// In iptables'.
std::string iptables_conditions(const DroppedPacket& dropped) {
    const auto& packet = dropped.facts;
    switch (dropped.passes_by) {
        case PassesBy::flow:
            return "-m conntrack --ctstate ESTABLISHED,RELATED";
        case PassesBy::source:
            return "-s " + source_text(dropped);
        case PassesBy::destination:
            break;
    }
    return "-d " + packet.destination.to_string() + " -p " + dropped.protocol + " --dport " +
           std::to_string(packet.destination_port);
}

/// A rule for what a chain drops, which lets an answer through as any answer: at its end for what its policy
/// drops, before the one that drops by a map. Where that cannot be said, or nothing would come to it, or the
/// chain's names are more than words, what shows its rules.
std::string accept_command(const DroppedPacket& dropped, const kernel::FilterDecision& decision) {
    const auto& chain = *decision.chain;
    const auto* rule = decision.rule;
    if (chain.owner) return ask_owner(chain.owner);
    const auto table = chain.table.substr(chain.table.find(' ') + 1);
    const bool has_place = rule == nullptr ? !decision.left_early : rule->handle && chain.hook;
    if (!has_place || !takes_rule(dropped, decision) || !is_plain_word(table) || !is_plain_word(chain.name))
        return "netlab firewall host  # shows what it accepts";
    if (chain.legacy) {
        return legacy_program(dropped.facts.destination.is_v4() ? "ip" : "ip6") + " -t " + table + " -A " +
               chain.name + " " + iptables_conditions(dropped) + " -j ACCEPT";
    }
    const auto iptables = iptables_program(chain.table.substr(0, chain.table.find(' ')), table);
    if (is_of_flow(dropped) && !iptables.empty()) {
        return iptables + " -t " + table + (rule == nullptr ? " -A " : " -I ") + chain.name + " " +
               iptables_conditions(dropped) + " -j ACCEPT";
    }
    const auto place = chain.table + " " + chain.name +
                       (rule == nullptr ? std::string() : " handle " + std::to_string(*rule->handle));
    return (rule == nullptr ? "nft add rule " : "nft insert rule ") + place + " " + nft_conditions(dropped) +
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

/// ufw keeps iptables' chains by chains of its own, and sets their policies.
bool leads_to_ufw(const kernel::RuleChain& chain) {
    const auto programs = programs_behind(chain);
    return std::ranges::find(programs, "ufw") != programs.end();
}

/// By the program that keeps the firewall; "" where it is not one that can.
std::string permission_of_program(const DroppedPacket& dropped, const kernel::FilterDecision& decision) {
    if (!dropped.program_flow) return {};
    const auto& chain = *decision.chain;
    const auto table = std::string_view(chain.table).substr(chain.table.find(' ') + 1);
    const auto owner = decision.rule == nullptr && leads_to_ufw(chain) ? std::string("ufw")
                                                                       : owner_by_names(table, chain.name);
    return permission_by(owner, chain.name, *dropped.program_flow);
}

Explanation explain_policy(const DroppedPacket& dropped, const kernel::FilterDecision& decision,
                           const std::string& what, const kernel::RuleChain* missed) {
    const auto& chain = *decision.chain;
    const auto policy = what + "the policy of " + chain.table + " " + chain.name + ", as no rule accepts it";
    if (dropped.inside != nullptr) {
        const auto& name = dropped.inside->name;
        return {policy, is_plain_word(name) ? "netlab firewall " + name + "  # shows what it accepts"
                                            : std::string()};
    }
    if (auto program = permission_of_program(dropped, decision); !program.empty())
        return {policy, std::move(program)};
    const bool by_engine = dropped.engine == api::Runtime::docker || dropped.engine == api::Runtime::podman;
    if (!is_engines_policy(chain) || !by_engine) return {policy, accept_command(dropped, decision)};
    // Docker's rules are for Docker's own bridges, and it sets the policy for all.
    if (dropped.engine == api::Runtime::podman)
        return {policy + " (where Docker runs beside Podman, that policy is Docker's)",
                accept_command(dropped, decision)};
    if (missed == nullptr) return {policy + ": the rules may have been flushed", restore_dockers_chains()};
    const auto blank = chain.table.find(' ');
    const auto jump = explain_missed_chain(chain.table.substr(0, blank) + (chain.legacy ? " (legacy)" : ""),
                                           chain.table.substr(blank + 1), chain.name, missed->name,
                                           dropped.facts.output.value_or(""));
    return {policy + jump.explanation, jump.suggestion};
}

}  // namespace

std::string restore_dockers_chains() {
    return "systemctl restart docker  # which ends the containers unless live-restore is on";
}

Explanation explain_drop(const DroppedPacket& dropped, const kernel::FilterDecision& decision,
                         const kernel::RuleChain* missed) {
    const auto what = dropped.words + " is dropped " +
                      (dropped.inside != nullptr ? "in " + dropped.inside->name + " " : std::string()) +
                      "by ";
    if (decision.rule == nullptr) return explain_policy(dropped, decision, what, missed);
    const auto& chain = *decision.chain;
    const auto rule = describe_rule(chain, *decision.rule);
    const auto said = what + place_of(rule) + ": " + rule.text;
    if (auto program = permission_of_program(dropped, decision); !program.empty())
        return {said, std::move(program)};
    if (chain.owner) return {said, ask_owner(chain.owner, dropped.inside)};
    // A map has more to say than this.
    const auto command = decision.rule->verdicts ? accept_command(dropped, decision)
                                                 : removal(*decision.rule, delete_command(rule));
    return {said, dropped.inside != nullptr ? command_in(*dropped.inside, command) : command};
}

Explanation explain_next_hop(const std::string& what, const Hindrance& hop) {
    return {what + (hop.certain ? " does not get on: " : " may not get on: ") + hop.why.explanation,
            hop.why.suggestion};
}

Explanation explain_unrouted(const std::string& what, const kernel::PacketFacts& packet,
                             const HostRoute& route, const std::string& output) {
    auto text = "the host ";
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

}  // namespace netlab::operations
