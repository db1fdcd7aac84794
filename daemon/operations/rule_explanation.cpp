#include "daemon/operations/rule_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/missed_chain.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/reach_request.hpp"
#include "daemon/operations/rule_stop.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

class Explainer {
  public:
    Explainer(const WhyFacts& facts, const api::WhyRule& rule, bool answer, bool leg)
        : facts_(facts), rule_(rule), answer_(answer), leg_(leg), stop_(facts, rule, answer, leg) {}

    Explanation explain() {
        auto out = by_kind();
        if (rule_.owner_port)
            out.explanation += "; a program owns that table (netlink port " +
                               (*rule_.owner_port == 0 ? "not known" : std::to_string(*rule_.owner_port)) +
                               "), and nobody else can change it";
        return out;
    }

  private:
    [[nodiscard]] Explanation by_kind() const {
        if (rule_.owner == "docker" && rule_.chain.starts_with("DOCKER-ISOLATION")) return isolation();
        if (rule_.chain == "DOCKER-USER")
            return {"the rule is in DOCKER-USER, which Docker leaves to the administrator" + whose(),
                    stop_.permission()};
        const bool is_policy = step_ != nullptr ? !rule_.handle : rule_.text == "policy drop";
        if (is_policy) return policy();
        if (is_docker_drop()) return docker_drop();
        if (step_ == nullptr)
            return {"a rule in " + place() + " of " + rule_.target + " " + verb() + by_what() + whose(),
                    unless_owned()};
        if (stop_.hook() == "input") return rule_.family == "bridge" ? input_of_bridge() : input();
        if (const auto* before = accepted_before()) return accept_is_not_final(*before);
        return {"a rule of " + (rule_.owner.empty() ? rule_.target + "'s administrator" : rule_.owner) + " " +
                    verb() + whose(),
                unless_owned()};
    }

    [[nodiscard]] std::string whose() const {
        if (leg_ && facts_.proxied)
            return std::string("; it is ") + (answer_ ? "the answer to " : "") +
                   "docker-proxy's own connection to " +
                   endpoint_text(facts_.proxied->to.address, facts_.proxied->to.port) + " of " +
                   facts_.proxied->target;
        return answer_ ? "; it is the answer that it " + std::string(stop_.rejects() ? "rejects" : "drops")
                       : "";
    }
    [[nodiscard]] std::string by_what() const {
        const auto* rules = decision();
        return rules != nullptr && rules->by_counter ? ", as its counter says" : ", as the rules read";
    }
    [[nodiscard]] std::string verb() const { return stop_.rejects() ? "rejects it" : "drops it"; }
    [[nodiscard]] std::string place() const { return rule_.family + " " + rule_.table + " " + rule_.chain; }

    [[nodiscard]] std::optional<api::Target> peer() const {
        if (facts_.context.peer) return facts_.context.peer;
        return std::nullopt;
    }

    /// FROM or TO is a container of Docker's; TO also by a port that it publishes.
    [[nodiscard]] bool is_between_dockers() const {
        const auto is_dockers = [](const api::Target& one) { return one.runtime == api::Runtime::docker; };
        const auto end = facts_.way.end_place;
        return is_dockers(from()) || (peer() && is_dockers(*peer())) ||
               (end && is_dockers(target_at(facts_.context, *end)));
    }

    [[nodiscard]] const api::Target& from() const { return facts_.context.targets.front(); }

    /// What a program has put there it takes care of itself: an engine's rules are its isolation.
    [[nodiscard]] std::string unless_owned() const {
        return rule_.owner.empty() ? stop_.permission() : stop_.by_program(rule_.owner);
    }
    [[nodiscard]] std::string as_its_owner_does() const {
        auto command = stop_.by_program(rule_.owner);
        return command.empty() ? stop_.permission() : command;
    }

    [[nodiscard]] Explanation isolation() const {
        // Networks that may not leave are kept in by the first stage itself.
        if (rule_.chain == "DOCKER-ISOLATION-STAGE-1") return internal();
        if (auto apart = apart_from_peer()) {
            apart->explanation += "; on a network that both are on " + peer()->name + " has another address";
            return *apart;
        }
        auto beside = by_shared_network();
        beside.explanation = "Docker keeps its bridge networks apart" + beside.explanation;
        return beside;
    }

    /// The address that the peer has where FROM is, too.
    [[nodiscard]] Explanation by_shared_network() const {
        const auto other = peer();
        if (!other) return {};
        const auto shared = shared_networks(from(), *other);
        const auto family = facts_.flow.remote.family();
        for (const auto& network : other->networks) {
            if (std::ranges::find(shared, network.name) == shared.end()) continue;
            for (const auto& prefix : network.addresses) {
                const auto& address = prefix.address();
                if (address.family() != family || address.is_link_local()) continue;
                return {": " + facts_.flow.remote.to_string() + " is " + other->name +
                            "'s address on a network that " + from().name + " is not on; on " + network.name +
                            ", where both are, it is " + address.to_string(),
                        ReachRequest(facts_.request).again(address.to_string())};
            }
        }
        return {};
    }

    [[nodiscard]] std::optional<Explanation> apart_from_peer() const {
        const auto other = peer();
        return other ? explain_apart(from(), *other, facts_.flow.remote.family()) : std::nullopt;
    }

    /// Who is outside may come in, by a network that he joins; who is inside is kept there on purpose.
    [[nodiscard]] Explanation internal() const {
        // "ip saddr != 172.20.0.0/16 …": what is not of the network does not come in.
        const bool comes_in = rule_.text.find("saddr != ") != std::string::npos;
        const bool from_is_inside = comes_in == answer_;
        const auto other = peer();
        const auto* inside = from_is_inside ? &from() : other ? &*other : nullptr;
        const auto* outside = from_is_inside ? (other ? &*other : nullptr) : &from();
        const auto network = inside == nullptr ? std::string() : ruled_network(*inside);
        Explanation out{(network.empty() ? "one of the two networks" : network) +
                            " is an internal network: Docker lets nothing in or out of it" + whose(),
                        {}};
        if (!network.empty() && outside != nullptr && outside->runtime == inside->runtime)
            out.suggestion =
                engine_command(inside->runtime) + " network connect " + network + " " + outside->name;
        return out;
    }

    /// The target's network whose prefix the rule has.
    [[nodiscard]] std::string ruled_network(const api::Target& target) const {
        constexpr std::string_view unequal = "!= ";
        const auto at = rule_.text.find(unequal);
        if (at == std::string::npos) return {};
        const auto rest = std::string_view(rule_.text).substr(at + unequal.size());
        const auto ruled = IpPrefix::parse(rest.substr(0, rest.find(' ')));
        if (!ruled) return {};
        for (const auto& network : target.networks) {
            for (const auto& prefix : network.addresses) {
                if (ruled->contains(prefix.address())) return network.name;
            }
        }
        return {};
    }

    /// Docker 28's own drops: in the table raw, or at the end of a network's chain.
    [[nodiscard]] bool is_docker_drop() const { return rule_.owner == "docker"; }
    [[nodiscard]] Explanation docker_drop() const {
        // "iifname "docker0" oifname "docker0" drop": of one network, from one port of the bridge to another.
        if (rule_.chain == "FORWARD") return without_icc();
        if (auto apart = apart_from_peer()) return *apart;
        const auto number = facts_.destination().port;
        const auto port = std::to_string(number);
        return {"Docker lets only published ports in from outside of the network, and " +
                    (number == 0 ? std::string("an echo has none") : port + " is not one"),
                number == 0 ? std::string() : "docker run -p " + port + ":" + port + " …"};
    }

    [[nodiscard]] Explanation without_icc() const {
        const auto other = peer();
        const auto shared = other ? shared_networks(from(), *other) : std::vector<std::string>();
        return {"Docker lets the containers of " + (shared.empty() ? "that network" : list_and(shared)) +
                    " not reach each other: it writes that rule where the option "
                    "com.docker.network.bridge.enable_icc is false" +
                    whose(),
                stop_.permission()};
    }

    [[nodiscard]] Explanation policy() const {
        Explanation out;
        out.explanation =
            "no rule of " + place() + " accepts it, and the chain's policy is to drop" + whose();
        if (is_engines_chain() && !is_engine_elsewhere() && is_between_dockers() && stop_.is_host() &&
            !stop_.met("docker")) {
            out.explanation +=
                "; Docker's rules, which would accept it, are not there: something has flushed them. Docker "
                "writes them again when it starts, which ends the containers unless live-restore is on";
            out.suggestion = "systemctl restart docker";
            return out;
        }
        if (const auto missed = is_engines_chain() ? missed_chain() : std::nullopt)
            return {out.explanation + missed->explanation, missed->suggestion};
        if (stop_.met("ufw")) {
            out.explanation += ", which ufw has set";
            out.suggestion = stop_.by_program("ufw");
        }
        if (out.suggestion.empty()) out.suggestion = stop_.permission();
        return out;
    }

    /// Of the policy of Docker's chain, where the rules as a table tell.
    [[nodiscard]] std::optional<Explanation> missed_chain() const {
        const auto* rules = decision();
        if (rules == nullptr || rules->missed.empty()) return std::nullopt;
        return explain_missed_chain(rule_.family, rule_.table, rule_.chain, rules->missed, rules->output);
    }

    /// Where Docker keeps its rules, and sets the policy.
    [[nodiscard]] bool is_engines_chain() const {
        return rule_.family.starts_with("ip") && rule_.table == "filter" && rule_.chain == "FORWARD" &&
               stop_.hook() == "forward";
    }
    /// Docker's rules are the other iptables': this policy is not its.
    [[nodiscard]] bool is_engine_elsewhere() const {
        const auto* rules = decision();
        if (rules == nullptr) return rule_.family.ends_with(" (legacy)");
        return rules->engine_elsewhere;
    }

    /// Of the rules as tables, where one names the same chain; nullptr where none does.
    [[nodiscard]] const RulesDecision* decision() const { return table_with(facts_, rule_, answer_, leg_); }

    /// Not IP's: what is routed on passes it, too.
    [[nodiscard]] Explanation input_of_bridge() const {
        return {place() + " of " + rule_.target + " " + verb() +
                    ": the bridge family's input hook sees each frame that a bridge takes itself, for " +
                    rule_.target + " or to be routed on by IP" + whose(),
                unless_owned()};
    }

    [[nodiscard]] Explanation input() const {
        Explanation out;
        out.explanation = "the firewall of " + rule_.target + " " + verb() + ": what is for " + rule_.target +
                          " itself passes its input chain" + whose();
        out.suggestion = as_its_owner_does();
        return out;
    }

    [[nodiscard]] const TracedStep* accepted_before() const {
        const TracedStep* found = nullptr;
        for (const auto& one : facts_.trace) {
            if (&one == step_) return found;
            const bool other = one.step.table != rule_.table || one.step.family != rule_.family;
            // A bridge's hooks are others than IP's of the same names.
            if ((one.step.family == "bridge") != (rule_.family == "bridge")) continue;
            if (one.place == step_->place && one.step.answer == answer_ && other &&
                one.step.hook == step_->step.hook && one.step.handle && one.step.verdict == "accept")
                found = &one;
        }
        return nullptr;
    }

    [[nodiscard]] Explanation accept_is_not_final(const TracedStep& before) const {
        return {before.step.family + " " + before.step.table + " " + before.step.chain +
                    " accepts it, but an accept ends its own chain only: " + rule_.family + " " +
                    rule_.table + " " + rule_.chain + " comes later on the same hook, and " + verb() +
                    whose(),
                as_its_owner_does()};
    }

    const WhyFacts& facts_;
    const api::WhyRule& rule_;
    bool answer_;
    bool leg_;
    RuleStop stop_;
    const TracedStep* step_ = stop_.step();
};

}  // namespace

Explanation explain_rule(const WhyFacts& facts, const api::WhyRule& rule, bool answer, bool leg) {
    return Explainer(facts, rule, answer, leg).explain();
}

}  // namespace netlab::operations
