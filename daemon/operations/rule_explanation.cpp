#include "daemon/operations/rule_explanation.hpp"

#include "daemon/operations/firewall_programs.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/rule_owner.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

class Explainer {
  public:
    Explainer(const WhyFacts& facts, const api::WhyRule& rule, bool answer)
        : facts_(facts), rule_(rule), answer_(answer) {}

    Explanation explain() {
        if (rule_.owner == "docker" && rule_.chain.starts_with("DOCKER-ISOLATION")) return isolation();
        if (rule_.chain == "DOCKER-USER")
            return {"the rule is in DOCKER-USER, which Docker leaves to the administrator" + whose(),
                    permission()};
        if (step_ != nullptr && !rule_.handle) return policy();
        if (is_docker_drop()) return docker_drop();
        if (step_ == nullptr) return by_table();
        if (step_->step.hook == "input") return input();
        if (const auto* before = accepted_before()) return accept_is_not_final(*before);
        return {"a rule of " + (rule_.owner.empty() ? rule_.target + "'s administrator" : rule_.owner) + " " +
                    verb() + whose(),
                unless_owned()};
    }

  private:
    [[nodiscard]] std::string whose() const {
        return answer_ ? "; it is the answer that it " + std::string(rejects() ? "rejects" : "drops") : "";
    }
    [[nodiscard]] bool rejects() const {
        const auto& rules = answer_ ? facts_.rules_back : facts_.rules;
        return step_ != nullptr ? step_->rejects : rules && rules->rejects;
    }
    [[nodiscard]] std::string verb() const { return rejects() ? "rejects it" : "drops it"; }

    [[nodiscard]] std::optional<api::Target> peer() const {
        if (facts_.context.peer) return facts_.context.peer;
        return std::nullopt;
    }

    [[nodiscard]] const api::Target& from() const { return facts_.context.targets.front(); }

    /// Whose rules those are; nullptr where the rule is known from the host's table.
    [[nodiscard]] const api::Target* holder() const {
        return step_ == nullptr ? nullptr : &target_at(facts_.context, step_->place);
    }
    [[nodiscard]] bool is_host() const {
        return holder() == nullptr || holder()->runtime == api::Runtime::host;
    }

    /// As it is to be typed on the host; "" where a name in it is more than a word.
    [[nodiscard]] std::string typed(const std::string& command) const {
        if (!is_plain_word(rule_.family) || !is_plain_word(rule_.table) || !is_plain_word(rule_.chain))
            return {};
        return holder() == nullptr ? command : command_in(*holder(), command);
    }

    /// What a program has put there it takes care of itself: an engine's rules are its isolation.
    [[nodiscard]] std::string unless_owned() const {
        return rule_.owner.empty() ? permission() : by_program(rule_.owner);
    }
    [[nodiscard]] std::string as_its_owner_does() const {
        auto command = by_program(rule_.owner);
        return command.empty() ? permission() : command;
    }

    /// By what the packet, or its answer, passes the chain.
    struct Passage {
        std::string input;
        std::string output;
    };
    [[nodiscard]] Passage passage() const {
        if (step_ != nullptr) return {step_->step.input, step_->step.output};
        const auto& rules = answer_ ? facts_.rules_back : facts_.rules;
        return rules ? Passage{rules->input, rules->output} : Passage();
    }
    /// As the rules read, the chain would drop the answer after that.
    [[nodiscard]] bool answer_too() const {
        const auto& back = facts_.rules_back;
        return !answer_ && back && back->rule && back->rule->target == rule_.target &&
               back->rule->family == rule_.family && back->rule->table == rule_.table &&
               back->rule->chain == rule_.chain;
    }

    /// Before the chain's other rules, so that it decides first; for this flow and no more, and for its
    /// answer where the chain would drop that next.
    [[nodiscard]] std::string permission() const {
        const auto way = passage();
        for (const auto& interface : {way.input, way.output}) {
            if (!interface.empty() && !is_plain_word(interface)) return {};
        }
        const auto there = answer_ ? permission_of_answer(way) : permission_of_packet(way);
        if (there.empty() || !answer_too()) return there;
        return there + " && " + permission_of_answer({way.output, way.input});
    }
    [[nodiscard]] static std::string interfaces(const Passage& way, const char* in, const char* out) {
        return (way.input.empty() ? std::string() : in + way.input + " ") +
               (way.output.empty() ? std::string() : out + way.output + " ");
    }
    [[nodiscard]] std::string permission_of_packet(const Passage& way) const {
        if (is_legacy()) return legacy_permission(way, false);
        return typed("nft insert rule " + rule_.family + " " + rule_.table + " " + rule_.chain + " " +
                     interfaces(way, "iifname ", "oifname ") + destination() +
                     (is_users_chain() ? " return" : " accept"));
    }
    [[nodiscard]] std::string permission_of_answer(const Passage& way) const {
        if (is_legacy()) return legacy_permission(way, true);
        // Chains that see frames, and those before conntrack, know of no flow.
        if (rule_.family == "bridge" || rule_.family == "netdev" || rule_.table == "raw") {
            return rule_.handle ? typed("nft delete rule " + rule_.family + " " + rule_.table + " " +
                                        rule_.chain + " handle " + std::to_string(*rule_.handle))
                                : std::string();
        }
        const auto iptables = iptables_program(rule_.family, rule_.table);
        if (!iptables.empty())
            return typed(iptables + " -t " + rule_.table + " -I " + rule_.chain + " " +
                         interfaces(way, "-i ", "-o ") + "-m conntrack --ctstate ESTABLISHED,RELATED -j " +
                         (is_users_chain() ? "RETURN" : "ACCEPT"));
        return typed("nft insert rule " + rule_.family + " " + rule_.table + " " + rule_.chain + " " +
                     interfaces(way, "iifname ", "oifname ") + "ct state established,related" +
                     (is_users_chain() ? " return" : " accept"));
    }

    /// What comes back from DOCKER-USER still meets Docker's own rules.
    [[nodiscard]] bool is_users_chain() const { return rule_.chain == "DOCKER-USER"; }

    [[nodiscard]] bool is_legacy() const { return rule_.family.ends_with(" (legacy)"); }
    [[nodiscard]] std::string legacy_permission(const Passage& way, bool answer) const {
        if (!is_plain_word(rule_.table) || !is_plain_word(rule_.chain)) return {};
        const auto to = met();
        const bool v4 = to.address.is_v4();
        auto text = legacy_program(v4 ? "ip" : "ip6") + " -t " + rule_.table + " -I " + rule_.chain + " " +
                    interfaces(way, "-i ", "-o ");
        if (answer)
            text += "-m conntrack --ctstate ESTABLISHED,RELATED";
        else if (facts_.flow.protocol == api::WhyProtocol::icmp)
            text += "-d " + to.address.to_string() +
                    (v4 ? " -p icmp --icmp-type echo-request" : " -p icmpv6 --icmpv6-type echo-request");
        else
            text += "-d " + to.address.to_string() + " -p " +
                    (facts_.flow.protocol == api::WhyProtocol::tcp ? "tcp" : "udp") + " --dport " +
                    std::to_string(to.port);
        return text + (is_users_chain() ? " -j RETURN" : " -j ACCEPT");
    }

    /// The destination that the packet had where it met the rule.
    [[nodiscard]] api::Endpoint met() const {
        if (step_ == nullptr) return facts_.rules ? facts_.rules->destination : facts_.destination();
        const auto& hook = step_->step.hook;
        if ((hook != "prerouting" && hook != "output") || translated_before()) return facts_.destination();
        return {facts_.flow.remote, facts_.flow.remote_port};
    }
    [[nodiscard]] bool translated_before() const {
        return std::ranges::any_of(facts_.trace, [&](const TracedStep& one) {
            return one.place == step_->place && one.translates && &one < step_;
        });
    }

    /// "ip daddr 172.17.0.2 tcp dport 80"
    [[nodiscard]] std::string destination() const {
        const auto to = met();
        const std::string family = to.address.is_v4() ? "ip" : "ip6";
        auto text = family + " daddr " + to.address.to_string();
        if (facts_.flow.protocol == api::WhyProtocol::icmp)
            return text + (to.address.is_v4() ? " icmp" : " icmpv6") + " type echo-request";
        return text + (facts_.flow.protocol == api::WhyProtocol::tcp ? " tcp" : " udp") + " dport " +
               std::to_string(to.port);
    }

    [[nodiscard]] Explanation isolation() const {
        // Networks that may not leave are kept in by the first stage itself.
        if (rule_.chain == "DOCKER-ISOLATION-STAGE-1") return internal();
        if (auto apart = apart_from_peer()) return *apart;
        return {"Docker keeps its bridge networks apart", {}};
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
        if (auto apart = apart_from_peer()) return *apart;
        const auto number = facts_.destination().port;
        const auto port = std::to_string(number);
        return {"Docker lets only published ports in from outside of the network, and " +
                    (number == 0 ? std::string("an echo has none") : port + " is not one"),
                number == 0 ? std::string() : "docker run -p " + port + ":" + port + " …"};
    }

    /// Nothing was traced: the rule is known from the table alone.
    [[nodiscard]] Explanation by_table() const {
        const auto place = rule_.family + " " + rule_.table + " " + rule_.chain;
        if (rule_.text == "policy drop")
            return {"no rule of " + place + " accepts it, and the chain's policy is to drop" + whose(),
                    permission()};
        return {"a rule in " + place + " of " + rule_.target + " " + verb() + ", as the rules read" + whose(),
                unless_owned()};
    }

    [[nodiscard]] Explanation policy() const {
        Explanation out;
        out.explanation = "no rule of " + rule_.family + " " + rule_.table + " " + rule_.chain +
                          " accepts it, and the chain's policy is to drop" + whose();
        const bool dockers =
            from().runtime == api::Runtime::docker || (peer() && peer()->runtime == api::Runtime::docker);
        if (step_->step.hook == "forward" && dockers && is_host() && !met_engine()) {
            out.explanation +=
                "; Docker's rules, which would accept it, are not there: something has flushed them. Docker "
                "writes them again when it starts, which ends the containers unless live-restore is on";
            out.suggestion = "systemctl restart docker";
            return out;
        }
        if (met_ufw()) {
            out.explanation += ", which ufw has set";
            out.suggestion = by_program("ufw");
        }
        if (!out.suggestion.empty()) return out;
        out.suggestion = permission();
        return out;
    }

    /// A chain of an engine's was on the way.
    [[nodiscard]] bool met_engine() const {
        return std::ranges::any_of(facts_.trace, [&](const TracedStep& one) {
            return one.place == step_->place && one.step.answer == answer_ && one.step.hook == "forward" &&
                   (one.step.owner == "docker" || one.step.verdict.find("DOCKER") != std::string::npos);
        });
    }

    [[nodiscard]] Explanation input() const {
        Explanation out;
        out.explanation = "the firewall of " + rule_.target + " " + verb() + ": what is for " + rule_.target +
                          " itself passes its input chain" + whose();
        out.suggestion = as_its_owner_does();
        return out;
    }

    /// Of a container's rules these programs know nothing.
    [[nodiscard]] std::string by_program(std::string_view owner) const {
        const bool filter = step_ == nullptr || step_->step.hook == "forward" || step_->step.hook == "input";
        if (!is_host() || answer_ || !filter) return {};
        const auto way = passage();
        StoppedFlow flow{way.input, way.output, {}, 0, is_container(from())};
        if (facts_.flow.protocol != api::WhyProtocol::icmp) {
            flow.protocol = facts_.flow.protocol == api::WhyProtocol::tcp ? "tcp" : "udp";
            flow.port = met().port;
        }
        return permission_by(owner, rule_.chain, flow);
    }

    /// Its chains were on the way: the policy at their end is its own.
    [[nodiscard]] bool met_ufw() const {
        return std::ranges::any_of(facts_.trace, [&](const TracedStep& one) {
            return one.place == step_->place && one.step.answer == answer_ &&
                   one.step.hook == step_->step.hook &&
                   (one.step.owner == "ufw" || one.step.verdict.find("ufw-") != std::string::npos ||
                    one.step.verdict.find("ufw6-") != std::string::npos);
        });
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
    const TracedStep* step_ = ending_step(facts_.trace);
};

}  // namespace

Explanation explain_rule(const WhyFacts& facts, const api::WhyRule& rule, bool answer) {
    return Explainer(facts, rule, answer).explain();
}

}  // namespace netlab::operations
