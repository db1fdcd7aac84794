#include "daemon/operations/why_rules.hpp"

#include "daemon/operations/rule_owner.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using api::WhyProtocol;

std::uint8_t protocol_number(const Flow& flow) {
    if (flow.protocol == WhyProtocol::tcp) return IPPROTO_TCP;
    if (flow.protocol == WhyProtocol::udp) return IPPROTO_UDP;
    if (flow.remote.is_v4()) return IPPROTO_ICMP;
    return IPPROTO_ICMPV6;
}

kernel::PacketFacts facts_of(const HostPassage& passage, const Flow& flow, const IpAddress& source) {
    kernel::PacketFacts facts;
    facts.source = source;
    facts.destination = flow.remote;
    facts.protocol = protocol_number(flow);
    if (flow.protocol != WhyProtocol::icmp) {
        // Of one that is not sent any that a program would get.
        constexpr std::uint16_t ephemeral = 40'000;
        facts.source_port = flow.own != 0 ? flow.own : ephemeral;
        facts.destination_port = flow.remote_port;
    }
    facts.input = passage.input;
    facts.flow = kernel::flow_is_new;
    return facts;
}

/// "ip nat" -> its family and its name.
api::WhyRule rule_of(const kernel::FilterDecision& decision, const std::string& target) {
    api::WhyRule rule;
    rule.target = target;
    const auto& chain = *decision.chain;
    const auto blank = chain.table.find(' ');
    rule.family = chain.table.substr(0, blank) + (chain.legacy ? " (legacy)" : "");
    rule.table = chain.table.substr(blank + 1);
    rule.chain = chain.name;
    rule.owner = owner_by_names(rule.table, rule.chain);
    rule.text = "policy drop";
    if (decision.rule == nullptr) return rule;
    rule.text = decision.rule->to_string();
    rule.handle = decision.rule->handle;
    if (decision.rule->number)
        rule.text = "rule " + std::to_string(*decision.rule->number) + ": " + rule.text;
    return rule;
}

/// Chains on a hook by whether they come before or behind those that translate destinations.
enum class Part : std::uint8_t { whole, before_dnat, behind_dnat };

/// All chains, but of those on that hook only these are still on it.
std::vector<kernel::RuleChain> on_hook(std::vector<kernel::RuleChain> chains, std::uint32_t hook, Part part) {
    constexpr std::int32_t dnat = -100;  // NF_IP_PRI_NAT_DST
    for (auto& chain : chains) {
        if (!chain.hook || chain.hook->number != hook || part == Part::whole) continue;
        if ((chain.hook->priority < dnat) != (part == Part::before_dnat)) chain.hook.reset();
    }
    return chains;
}

bool changes_destination(const kernel::PacketRule& rule) {
    return rule.action == kernel::RuleAction::dnat || rule.action == kernel::RuleAction::redirect;
}

/// Where such a rule leads what came in by `input` ("": what is made there); nullopt where that is not known.
std::optional<api::Endpoint> destination_of(const kernel::PacketRule& rule, const Flow& flow,
                                            const std::string& input, const OwnAddress& own) {
    const auto port = rule.to_port.value_or(flow.remote_port);
    if (rule.action == kernel::RuleAction::dnat)
        return api::Endpoint{rule.to_address.value_or(flow.remote), port};
    const auto address = own(input.empty() ? "lo" : input);
    return address ? std::optional(api::Endpoint{*address, port}) : std::nullopt;
}

/// nullptr where the table has no such rule.
const kernel::PacketRule* rule_of_step(const FamilyRules& rules, const api::WhyStep& step) {
    if (!step.handle) return nullptr;
    for (const auto& chain : rules.chains) {
        if (chain.legacy || chain.name != step.chain || chain.table != step.family + " " + step.table)
            continue;
        const auto found = std::ranges::find(chain.rules, step.handle, &kernel::PacketRule::handle);
        if (found != chain.rules.end()) return &*found;
    }
    return nullptr;
}

std::string doubt_of(const kernel::FilterDecision& decision) {
    if (decision.doubtful_chain == nullptr) return "a rule that netlab does not understand";
    auto text = decision.doubtful_chain->table + " " + decision.doubtful_chain->name;
    if (decision.doubtful != nullptr) text += ": " + decision.doubtful->to_string();
    return text;
}

}  // namespace

std::optional<HostPassage> passage_of(const Way& way, const std::string& host,
                                      std::optional<std::size_t> place, bool bridges_filter) {
    HostPassage passage;
    passage.target = host;
    bool there = false;
    for (const auto& point : way.points) {
        if (!place || point.place != place) continue;
        const auto& kind = point.hop.kind;
        if (point.forwards && !bridges_filter) return std::nullopt;
        there = true;
        if (point.forwards) {
            // Rules see the bridge, not its ports.
            passage.input = passage.output = point.hop.interface;
            continue;
        }
        if (kind == "destination") {
            passage.input = point.hop.interface;
            passage.for_host = true;
        } else if (kind == "source" || kind == "route") {
            passage.output = point.hop.interface;
        } else if ((kind == "port" || kind == "bridge") && passage.output.empty()) {
            passage.input = point.hop.interface;
        }
    }
    return there ? std::optional(passage) : std::nullopt;
}

std::optional<api::Endpoint> destination_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                                  const Flow& flow, const IpAddress& source,
                                                  const OwnAddress& own) {
    auto facts = facts_of(passage, flow, source);
    facts.destination_local = passage.for_host;
    const auto hook =
        passage.input.empty() || passage.input == "lo" ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    const auto nat = kernel::find_nat(rules.chains, hook, facts);
    if (nat.uncertain || nat.rule == nullptr || !changes_destination(*nat.rule)) return std::nullopt;
    return destination_of(*nat.rule, flow, hook == NF_INET_LOCAL_OUT ? std::string() : passage.input, own);
}

std::optional<api::Endpoint> destination_by_trace(std::vector<TracedStep>& trace, const FamilyRules& rules,
                                                  std::size_t host, const Flow& flow, const OwnAddress& own) {
    std::optional<api::Endpoint> out;
    for (auto& one : trace) {
        if (one.place != host || one.step.answer) continue;
        const auto* rule = rule_of_step(rules, one.step);
        if (rule == nullptr || !changes_destination(*rule)) continue;
        one.translates = true;
        if (const auto to = destination_of(*rule, flow, one.step.input, own)) out = to;
    }
    return out;
}

RulesDecision decide_by_rules(const FamilyRules& rules, const HostPassage& passage, const Flow& flow,
                              const IpAddress& source, const api::Endpoint& destination) {
    RulesDecision out;
    out.known = rules.known;
    auto facts = facts_of(passage, flow, source);
    const bool local = passage.input.empty() || passage.input == "lo";
    const auto look = [&](std::uint32_t hook, Part part) {
        const auto chains = on_hook(rules.chains, hook, part);
        const auto decision = kernel::find_drop(chains, hook, facts);
        if (decision.uncertain && out.doubt.empty()) out.doubt = doubt_of(decision);
        if (!decision.dropped || decision.uncertain || out.rule || decision.chain == nullptr) return;
        out.rule = rule_of(decision, passage.target);
        out.legacy = decision.chain->legacy;
        out.destination = {facts.destination, facts.destination_port};
    };
    const std::uint32_t first = local ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    if (local) facts.output = passage.output;
    look(first, Part::before_dnat);
    if (destination.address != facts.destination || destination.port != flow.remote_port) {
        facts.destination = destination.address;
        facts.destination_port = destination.port;
        facts.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    }
    facts.output = passage.output;
    look(first, Part::behind_dnat);
    facts.destination_local = passage.for_host;
    if (passage.for_host) {
        look(NF_INET_LOCAL_IN, Part::whole);
        return out;
    }
    if (!local) look(NF_INET_FORWARD, Part::whole);
    look(NF_INET_POST_ROUTING, Part::whole);
    return out;
}

}  // namespace netlab::operations
