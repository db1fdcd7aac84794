#include "daemon/operations/nat_judgement.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/port_judgement.hpp"
#include "daemon/operations/source_nat.hpp"

#include <algorithm>
#include <set>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using api::NatVerdict;
using kernel::PacketRule;
using kernel::RuleAction;
using kernel::RuleChain;

void say(api::NatOutRow& row, NatVerdict verdict, std::string explanation, std::string suggestion = {}) {
    row.verdict = verdict;
    row.explanation = std::move(explanation);
    row.suggestion = std::move(suggestion);
}

void doubt(api::NatOutRow& row, const RuleChain* chain, const PacketRule* rule) {
    std::string why = "not all of the host's rules are understood";
    if (rule != nullptr) {
        const auto described = describe_rule(*chain, *rule);
        why = place_of(described) + " may decide otherwise: " + described.text;
    }
    say(row, NatVerdict::unknown, std::move(why));
}

/// No rule that it meets translates it; one may be there all the same.
void untranslated(const FamilyRules& rules, const WayOut& way, const kernel::PacketFacts& packet,
                  api::NatOutRow& row) {
    row.as = way.source;
    const auto source_nat = find_source_nat(rules.chains, NF_INET_POST_ROUTING, packet);
    const bool shadowed = source_nat && !source_nat->shadowed_by.empty();
    Explanation cause{"no MASQUERADE or SNAT rule applies", {}};
    if (shadowed) {
        row.rule = source_nat->rule;
        row.shadowed_by = source_nat->shadowed_by.front();
        cause = explain_shadowed_nat(*source_nat);
    } else if (is_plain_word(way.output)) {
        const auto source = row.source ? network_text(*row.source) : way.source.to_string();
        cause.suggestion =
            "iptables -t nat -I POSTROUTING -s " + source + " -o " + way.output + " -j MASQUERADE";
    }
    const auto text =
        cause.explanation + ": it leaves with its own address, and whoever answers must know the way back";
    if (!is_private(way.source)) return say(row, NatVerdict::routed, text);
    say(row, NatVerdict::routed, text + "; of a private address nobody on the Internet does",
        cause.suggestion);
}

void untracked(const api::NatRule& rule, const WayOut& way, api::NatOutRow& row) {
    row.as = way.source;
    say(row, NatVerdict::routed,
        place_of(rule) + " takes it from conntrack, so that no rule may translate it: " + rule.text,
        is_private(way.source) ? removal_of(rule) : std::string());
}

void translate(const FamilyRules& rules, const WayOut& way, api::NatOutRow& row) {
    auto facts = packet_out(way);
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_FORWARD}) {
        const auto effects = kernel::find_drop(rules.chains, hook, facts).effects;
        if (effects.surely_untracks)
            return untracked(describe_rule(*effects.untrack_chain, *effects.untracks), way, row);
        if (effects.untracks != nullptr) return doubt(row, effects.untrack_chain, effects.untracks);
        if (effects.marks) facts.mark.reset();
    }
    if (!facts.mark && !way.by_mark.empty())
        return say(row, NatVerdict::unknown,
                   "a rule sets marks, and the host's policy rule " + way.by_mark + " goes by them");
    // Rules of NAT's last hook do not see it with every kernel.
    facts.input.reset();
    const auto nat = kernel::find_nat(rules.chains, NF_INET_POST_ROUTING, facts);
    if (nat.uncertain) return doubt(row, nat.doubtful_chain, nat.doubtful);
    if (nat.rule == nullptr) return untranslated(rules, way, facts, row);
    row.rule = describe_rule(*nat.chain, *nat.rule);
    switch (nat.rule->action) {
        case RuleAction::masquerade:
            row.as = way.host_address;
            return say(row, NatVerdict::translated, {});
        case RuleAction::snat:
            row.as = nat.rule->to_address ? nat.rule->to_address : way.source;
            return say(row, NatVerdict::translated, {});
        default:
            return say(row, NatVerdict::blocked, "it is dropped by " + place_of(*row.rule));
    }
}

/// Of one that is begun there, up to the last answer.
class Connection {
  public:
    /// All are borrowed.
    Connection(const FamilyRules& rules, const WayOut& way, api::NatOutRow& row)
        : rules_(rules), way_(way), row_(row) {}

    void judge() {
        const auto leaving = stop_of([](const NatTrace& trace) { return trace.leaving(); });
        if (is_certain(leaving)) return tell(*leaving);
        translate(rules_, way_, row_);
        if (row_.verdict == NatVerdict::blocked) return;
        const auto stop = answered();
        // Whose address nobody can answer needs no rule for that.
        const bool unanswerable = row_.verdict == NatVerdict::routed && is_private(way_.source);
        const auto& lost = way_.undiscovered;
        if (is_certain(stop)) {
            if (!unanswerable) {
                tell(*stop);
            } else if (!stop->of_no_flow) {
                remarks_.push_back("besides, " + stop->why.explanation);
            }
        } else if (lost && lost->certain) {
            tell({lost->why});
        } else if (leaving) {
            doubt(leaving->why, leaving->rule);
        } else if (!unanswerable && (stop || lost)) {
            doubt(stop ? stop->why : lost->why, std::nullopt);
        }
        for (const auto& remark : remarks_)
            row_.explanation += (row_.explanation.empty() ? "" : "; ") + remark;
    }

  private:
    static bool is_certain(const std::optional<WayStop>& stop) { return stop && stop->certain; }

    std::optional<WayStop> answered() {
        const auto as_if = [&](const std::optional<IpAddress>& as) {
            return stop_of([&](const NatTrace& trace) { return trace.answered(as); });
        };
        auto stop = as_if(row_.as);
        if (row_.verdict != NatVerdict::unknown || !is_certain(stop)) return stop;
        // A rule that is not understood may leave it its own address.
        auto untranslated = as_if(way_.source);
        return is_certain(untranslated) ? stop : untranslated;
    }

    /// What stops it by whichever port; what does by a web server's alone is a remark. Which of the rules on
    /// the way ask for a port the last of them does not say.
    template <class Trace>
    std::optional<WayStop> stop_of(Trace trace) {
        constexpr std::uint16_t https = 443;
        constexpr std::uint16_t http = 80;
        constexpr std::uint16_t no_service = 40'001;
        const auto secure = trace(NatTrace(rules_, way_, https));
        const auto plain = trace(NatTrace(rules_, way_, http));
        std::optional<WayStop> out;
        if (secure && plain) out = trace(NatTrace(rules_, way_, no_service));
        if (secure && secure != out) remark(https, *secure);
        if (plain && plain != out) remark(http, *plain);
        // Who may pass by one is not stopped for certain.
        if (is_certain(out) && !secure->certain) return secure;
        return is_certain(out) && !plain->certain ? plain : out;
    }

    /// Once of each port.
    void remark(std::uint16_t port, const WayStop& stop) {
        const auto begin = "port " + std::to_string(port) + ": ";
        const auto is_said = [&](const std::string& one) { return one.starts_with(begin); };
        if (std::ranges::none_of(remarks_, is_said)) remarks_.push_back(begin + stop.why.explanation);
    }

    void doubt(const Explanation& why, const std::optional<api::NatRule>& rule) {
        if (row_.verdict == NatVerdict::unknown) return;
        if (rule) row_.rule = rule;
        say(row_, NatVerdict::unknown, why.explanation, why.suggestion);
    }

    void tell(const WayStop& stop) {
        row_.rule = stop.rule;
        row_.shadowed_by.reset();
        if (!stop.answer) row_.as.reset();
        say(row_, NatVerdict::blocked, stop.why.explanation, stop.why.suggestion);
    }

    const FamilyRules& rules_;
    const WayOut& way_;
    api::NatOutRow& row_;
    std::vector<std::string> remarks_;
};

/// The chains that packets come to, of one hook or of any, by table and name.
std::set<std::pair<std::string, std::string>> reached_chains(const std::vector<RuleChain>& chains,
                                                             std::optional<std::uint32_t> hook) {
    std::set<std::pair<std::string, std::string>> reached;
    std::vector<const RuleChain*> left;
    const auto reach = [&](const RuleChain& chain) {
        const auto key = std::pair((chain.legacy ? "legacy " : "") + chain.table, chain.name);
        if (reached.insert(key).second) left.push_back(&chain);
    };
    for (const auto& chain : chains) {
        if (chain.hook && (!hook || chain.hook->number == *hook)) reach(chain);
    }
    while (!left.empty()) {
        const auto* chain = left.back();
        left.pop_back();
        for (const auto& rule : chain->rules) {
            const auto next = kernel::next_chains(rule);
            for (const auto& other : chains) {
                if (other.legacy == chain->legacy && other.table == chain->table &&
                    std::ranges::find(next, other.name) != next.end()) {
                    reach(other);
                }
            }
        }
    }
    return reached;
}

bool is_only(const std::optional<kernel::Condition<IpPrefix>>& condition, const IpAddress& address) {
    const unsigned whole = address.is_v4() ? 32 : 128;
    return condition && !condition->inverted && condition->value.length() == whole &&
           condition->value.address() == address;
}

std::string protocol_of(const PacketRule& rule) {
    if (!rule.protocol || rule.protocol->inverted) return {};
    switch (rule.protocol->value) {
        case IPPROTO_TCP:
            return "tcp";
        case IPPROTO_UDP:
            return "udp";
        case IPPROTO_SCTP:
            return "sctp";
        default:
            return std::to_string(rule.protocol->value);
    }
}

}  // namespace

void judge_way_out(const FamilyRules& rules, const WayOut& way, api::NatOutRow& row) {
    row.bridge = way.bridge;
    row.output = way.output;
    const std::string family = way.source.is_v4() ? "IPv4" : "IPv6";
    if (way.down)
        return say(row, NatVerdict::blocked,
                   "the host's interface " + way.bridge + ", which it comes in by, is down: nothing leaves",
                   up_command(way.bridge));
    if (way.forwards == false || way.forwards_answers == false) {
        const bool out = way.forwards == false;
        const auto& setting = out ? way.forwarding : way.answers_forwarding;
        const bool one = setting.find(".conf.all.") == setting.npos && !setting.ends_with("ip_forward");
        const auto& interface = out ? way.bridge : way.output;
        return say(row, NatVerdict::not_forwarded,
                   "the host does not forward " +
                       (one ? "what comes in by " + interface + " (" + setting + " is 0)" : family) + ": " +
                       (out ? "nothing leaves" : "no answer comes back"),
                   is_plain_word(setting) ? "sysctl -w " + setting + "=1" : std::string());
    }
    if (way.refused) return say(row, NatVerdict::no_route, way.refused->explanation, way.refused->suggestion);
    if (way.output.empty())
        return say(row, NatVerdict::no_route, "the host has no " + family + " route to the outside");
    if (!rules.known) return say(row, NatVerdict::unknown, "the host's rules could not be read as a whole");
    if (!way.forwards) return say(row, NatVerdict::unknown, "whether the host forwards could not be read");
    Connection(rules, way, row).judge();
}

std::vector<DnatRule> find_dnat_rules(const std::vector<RuleChain>& chains) {
    const auto reached = reached_chains(chains, std::nullopt);
    const auto from_outside = reached_chains(chains, NF_INET_PRE_ROUTING);
    std::vector<DnatRule> out;
    for (const auto& chain : chains) {
        const std::pair key((chain.legacy ? "legacy " : "") + chain.table, chain.name);
        for (const auto& rule : chain.rules) {
            if (rule.action == RuleAction::dnat)
                out.push_back({&chain, &rule, reached.contains(key), from_outside.contains(key)});
        }
    }
    return out;
}

std::optional<api::NatRule> find_hairpin(const std::vector<RuleChain>& chains, const api::Endpoint& target) {
    for (const auto& chain : chains) {
        for (const auto& rule : chain.rules) {
            const bool gives = rule.action == RuleAction::masquerade || rule.action == RuleAction::snat;
            const bool port = !rule.destination_port || (rule.destination_port->value.first <= target.port &&
                                                         target.port <= rule.destination_port->value.second);
            if (gives && port && is_only(rule.source, target.address) &&
                is_only(rule.destination, target.address))
                return describe_rule(chain, rule);
        }
    }
    return std::nullopt;
}

std::optional<api::NatRule> find_shadowing(const std::vector<RuleChain>& chains, const DnatRule& found,
                                           const IpAddress& host_address, const IpAddress& client,
                                           const std::string& interface) {
    const auto& rule = *found.rule;
    if (!found.reached || !rule.destination_port || !rule.protocol) return std::nullopt;
    const auto& to = rule.destination ? rule.destination->value.address() : host_address;
    const auto facts =
        packet_from_outside(client, to, rule.protocol->value, rule.destination_port->value.first, interface);
    if (!kernel::meets(rule, facts)) return std::nullopt;
    const auto first = kernel::find_nat(chains, NF_INET_PRE_ROUTING, facts);
    if (first.uncertain || first.rule == &rule) return std::nullopt;
    if (first.rule == nullptr) {
        // Nothing translates it: what ends the chain before.
        const auto unmet = kernel::find_unmet_nat(chains, NF_INET_PRE_ROUTING, facts);
        if (!unmet || unmet->unmet.rule != &rule) return std::nullopt;
        const auto& ending = unmet->ending.front();
        return describe_rule(*ending.chain, *ending.rule);
    }
    const bool elsewhere =
        first.rule->action != RuleAction::dnat || first.rule->to_address != rule.to_address ||
        first.rule->to_port.value_or(facts.destination_port) != rule.to_port.value_or(facts.destination_port);
    return elsewhere ? std::optional(describe_rule(*first.chain, *first.rule)) : std::nullopt;
}

api::NatInRow describe_dnat(const DnatRule& found, Family family, const std::vector<RuleChain>& chains) {
    const auto& rule = *found.rule;
    api::NatInRow row;
    row.family = family;
    row.protocol = protocol_of(rule);
    if (rule.destination && !rule.destination->inverted &&
        is_only(rule.destination, rule.destination->value.address()))
        row.host_address = rule.destination->value.address();
    if (rule.destination_port && !rule.destination_port->inverted)
        row.host_port = rule.destination_port->value.first;
    if (rule.to_address) {
        row.to = api::Endpoint{*rule.to_address, rule.to_port.value_or(0)};
        row.hairpin =
            find_hairpin(chains, {*rule.to_address, rule.to_port.value_or(row.host_port.value_or(0))});
    }
    row.rule = describe_rule(*found.chain, rule);
    row.reached = found.reached;
    return row;
}

}  // namespace netlab::operations
