#include "daemon/operations/why_source.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::WhyProtocol;

/// Where it leaves the last namespace that routes it on; with a probe only where it was seen to.
const WayPoint* exit_of(const WhyFacts& facts) {
    const auto& points = facts.way.points;
    const auto found = std::find_if(points.rbegin(), points.rend(),
                                    [](const WayPoint& one) { return one.hop.kind == "route" && one.port; });
    if (found == points.rend()) return nullptr;
    return !facts.probed || found->hop.seen.value_or(false) ? &*found : nullptr;
}

class Explainer {
  public:
    Explainer(const WhyFacts& facts, const WayPoint& exit) : facts_(facts), exit_(exit) {}

    [[nodiscard]] Explanation explain() const {
        // Who can answer it as it comes need not be told otherwise.
        if (may_know_way_back() && !facts_.no_way_back && !facts_.lost_answer) return {};
        const auto source = leaving_source();
        if (!source) return {};
        const auto& leaving = facts_.leaving;
        if (leaving && !leaving->is_hosts && !is_shadowed() && leaving->nat.to == *source)
            return by_nobodys(leaving->nat);
        if (!is_private(*source)) return {};
        for (const auto& network : from().networks) {
            for (const auto& prefix : network.addresses) {
                if (prefix.address() == *source) return not_masqueraded(network, prefix);
            }
        }
        return {};
    }

  private:
    [[nodiscard]] const api::Target& from() const { return facts_.context.targets.front(); }

    [[nodiscard]] bool is_shadowed() const {
        return facts_.leaving && !facts_.leaving->nat.shadowed_by.empty();
    }
    /// Between containers nothing is to be translated.
    [[nodiscard]] bool is_for_container() const {
        return facts_.way.end == api::RouteStep::delivered && facts_.way.end_place &&
               is_container(target_at(facts_.context, *facts_.way.end_place));
    }
    /// Of others it is seen only in what becomes of it.
    [[nodiscard]] bool may_know_way_back() const {
        return is_for_container() || (!facts_.probed && facts_.way.end == api::RouteStep::delivered);
    }

    /// As it was seen, or, where nothing was sent, as the rules read.
    [[nodiscard]] std::optional<IpAddress> leaving_source() const {
        if (!facts_.probed) return facts_.leaving ? facts_.leaving->address : std::nullopt;
        const auto sighting = std::ranges::find_if(facts_.sightings, [&](const Sighting& one) {
            return !one.answer && one.outgoing && one.port == *exit_.port;
        });
        return sighting == facts_.sightings.end() ? std::nullopt : std::optional(sighting->source.address);
    }

    [[nodiscard]] std::string left() const {
        const std::string what = facts_.flow.protocol == WhyProtocol::icmp  ? "the echo"
                                 : facts_.flow.protocol == WhyProtocol::tcp ? "the SYN"
                                                                            : "the datagram";
        return what + (facts_.probed ? " left " : " leaves ") + exit_.hop.target + " by " +
               exit_.hop.interface + " with ";
    }

    [[nodiscard]] Explanation not_masqueraded(const api::Membership& network, const IpPrefix& own) const {
        const auto text = left() + from().name + "'s own private address " + own.address().to_string() +
                          ", to which whoever is outside has no way back: ";
        if (is_shadowed()) {
            const auto cause = explain_shadowed_nat(facts_.leaving->nat);
            return {text + cause.explanation, cause.suggestion};
        }
        if (is_for_container()) return {};
        if (facts_.rules && facts_.rules->untracks) return explain_untracked(text, *facts_.rules->untracks);
        // Before the chain's other rules, one of which may end it.
        const auto& output = exit_.hop.interface;
        return {text + "no MASQUERADE or SNAT rule is there for " + network.name,
                is_plain_word(output) ? "iptables -t nat -I POSTROUTING -s " + network_text(own) + " -o " +
                                            output + " -j MASQUERADE"
                                      : std::string()};
    }

    /// Whoever is outside may have been told to send what is for it here.
    [[nodiscard]] Explanation by_nobodys(const SourceNat& nat) const {
        const auto& rule = *nat.rule;
        return {left() + "the source " + nat.to->to_string() + ", which " + place_of(rule) + " gives it (" +
                    rule.text + ") and which is no address of " + facts_.host +
                    "'s: an answer comes back only where whoever is outside sends what is for it to " +
                    facts_.host,
                rule.owner_port ? ask_owner(rule.owner_port) : delete_command(rule)};
    }

    const WhyFacts& facts_;
    const WayPoint& exit_;
};

}  // namespace

Explanation explain_source(const WhyFacts& facts) {
    const auto* exit = exit_of(facts);
    return exit == nullptr ? Explanation() : Explainer(facts, *exit).explain();
}

Explanation explain_untracked(const std::string& what, const api::NatRule& rule) {
    return {what + "the rule " + place_of(rule) +
                " takes it from conntrack, so that nothing may translate it: " + rule.text,
            rule.owner_port ? ask_owner(rule.owner_port) : delete_command(rule)};
}

Explanation explain_zones(const WhyFacts& facts) {
    const bool translated = facts.translated || translated_source(facts.sightings);
    if (!translated || !facts.rules || !facts.rules_back) return {};
    const auto& there = facts.rules->zone;
    const auto& back = facts.rules_back->zone;
    if (!there && !back) return {};
    constexpr std::uint16_t none = 0;
    const auto number = there ? there->of_answers : none;
    const auto number_back = back ? back->of_answers : none;
    if (number && number == number_back) return {};
    const auto& rule = (there ? *there : *back).rule;
    const auto* certain = number && number_back ? " gives " : " may give ";
    return {(facts.probed ? "somebody has answered, and the answer" : "its answer") +
                std::string(" is not led back: ") + place_of(rule) + certain +
                (there ? "the packet another zone of conntrack's than its answer has: "
                       : "the answer another zone of conntrack's than the packet has: ") +
                rule.text,
            rule.owner_port ? ask_owner(rule.owner_port) : delete_command(rule)};
}

}  // namespace netlab::operations
