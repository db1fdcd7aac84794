#include "daemon/operations/why_translation.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

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

/// Of iptables-legacy's rules that translate no trace tells.
bool translates_by_legacy(const FamilyRules& rules) {
    return std::ranges::any_of(rules.chains, [](const kernel::RuleChain& chain) {
        return chain.legacy && std::ranges::any_of(chain.rules, changes_destination);
    });
}

/// It went past the rules that would have changed its destination: whatever they say, they have not.
bool came_untranslated(const WhyFacts& facts, const FamilyRules& rules, std::optional<std::size_t> host) {
    if (!facts.probed) return false;
    const bool left = std::ranges::any_of(facts.sightings, [&](const Sighting& one) {
        return !one.answer && one.outgoing && one.port.place == host;
    });
    const bool answered = facts.end && facts.end->kind == ProbeEnd::Kind::answered;
    const bool tells = !translates_by_legacy(rules);
    const bool passed =
        tells && std::ranges::any_of(facts.trace, [&](const TracedStep& one) {
            return one.place == host && !one.step.answer &&
                   (one.step.hook == "input" || one.step.hook == "forward" || one.step.hook == "postrouting");
        });
    return left || answered || passed;
}

/// As it comes to the hook whose NAT changes sources, and that hook.
std::pair<kernel::PacketFacts, std::uint32_t> packet_at_last_hook(const FamilyRules& rules,
                                                                  const HostPassage& passage,
                                                                  const Flow& flow, const IpAddress& source,
                                                                  const api::Endpoint& destination) {
    auto facts = packet_facts(passage, flow, source);
    const bool local = passage.input.empty() || passage.input == "lo";
    const std::uint32_t first = local ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    const bool marked = kernel::find_drop(rules.chains, first, facts).effects.marks ||
                        kernel::find_nat(rules.chains, first, facts).effects.marks;
    const bool translated = destination.address != flow.remote || destination.port != flow.remote_port;
    facts.destination = destination.address;
    facts.destination_port = destination.port;
    facts.flow = kernel::flow_is_new | (translated ? kernel::flow_has_dnat : 0U);
    facts.output = passage.output;
    facts.destination_local = passage.for_host;
    const auto marks = [&](std::uint32_t hook) {
        return kernel::find_drop(rules.chains, hook, facts).effects.marks;
    };
    const std::uint32_t last = passage.for_host ? NF_INET_LOCAL_IN : NF_INET_POST_ROUTING;
    if (marked || (!local && !passage.for_host && marks(NF_INET_FORWARD)) || marks(last)) facts.mark.reset();
    return {facts, last};
}

}  // namespace

std::optional<api::Endpoint> destination_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                                  const Flow& flow, const IpAddress& source,
                                                  const OwnAddress& own) {
    auto facts = packet_facts(passage, flow, source);
    facts.destination_local = passage.for_host;
    const auto hook =
        passage.input.empty() || passage.input == "lo" ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    const auto before = kernel::find_drop(rules.chains, hook, facts, kernel::HookPart::before_dnat).effects;
    // What conntrack does not see no rule translates.
    if (before.untracks != nullptr) return std::nullopt;
    if (before.marks) facts.mark.reset();
    const auto nat = kernel::find_nat(rules.chains, hook, facts);
    if (nat.uncertain || nat.rule == nullptr || !changes_destination(*nat.rule)) return std::nullopt;
    return destination_of(*nat.rule, flow, hook == NF_INET_LOCAL_OUT ? std::string() : passage.input, own);
}

std::optional<IpAddress> source_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                         const Flow& flow, const IpAddress& source,
                                         const api::Endpoint& destination, const OwnAddress& own) {
    if (!rules.known) return std::nullopt;
    const auto [facts, last] = packet_at_last_hook(rules, passage, flow, source, destination);
    const auto nat = kernel::find_nat(rules.chains, last, facts);
    if (nat.uncertain) return std::nullopt;
    if (nat.rule == nullptr) return source;
    return nat.action == kernel::RuleAction::masquerade ? own(passage.output) : nat.rule->to_address;
}

std::optional<SourceNat> source_nat_by_rules(const FamilyRules& rules, const HostPassage& passage,
                                             const Flow& flow, const IpAddress& source,
                                             const api::Endpoint& destination) {
    if (passage.for_host || passage.lost) return std::nullopt;
    const auto [facts, last] = packet_at_last_hook(rules, passage, flow, source, destination);
    return find_source_nat(rules.chains, last, facts);
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

std::optional<api::Endpoint> find_translation(WhyFacts& facts, const FamilyRules& rules,
                                              const TranslationAtHost& host, const OwnAddress& own) {
    const auto told =
        host.place ? destination_by_trace(facts.trace, rules, *host.place, facts.flow, own) : std::nullopt;
    if (auto seen = translated_destination(facts.flow, facts.sightings)) return seen;
    if (told) return told;
    if (!host.passage || !host.source || came_untranslated(facts, rules, host.place)) return std::nullopt;
    return destination_by_rules(rules, *host.passage, facts.flow, *host.source, own);
}

std::optional<std::size_t> translating_place(const WhyFacts& facts, std::optional<std::size_t> host) {
    const bool by_host =
        host && std::ranges::any_of(facts.way.points, [&](const WayPoint& one) { return one.place == host; });
    const bool left_with_it = std::ranges::any_of(facts.sightings, [&](const Sighting& one) {
        return one.port.place == 0 && !one.answer && one.outgoing && one.destination == *facts.translated;
    });
    if (left_with_it && host != 0) return 0;
    return by_host ? host : facts.way.end_place;
}

}  // namespace netlab::operations
