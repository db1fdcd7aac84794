#include "daemon/operations/rule_stop.hpp"

#include "daemon/operations/firewall_programs.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/ruleset_text.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace netlab::operations {

namespace {

/// One end of the packet as conditions have it: of an echo there is no port.
struct PacketEnd {
    api::Endpoint at;
    api::WhyProtocol protocol = api::WhyProtocol::tcp;
    bool answer = false;  ///< it is whence that comes, and not where the packet is for
};

std::string protocol_name(api::WhyProtocol protocol) {
    return protocol == api::WhyProtocol::tcp ? "tcp" : "udp";
}

/// "ip daddr 172.17.0.2 tcp dport 80", "ip6 saddr 2001:db8::2 icmpv6 type echo-reply"
std::string nft_conditions(const PacketEnd& end) {
    const bool v4 = end.at.address.is_v4();
    const auto text = std::string(v4 ? "ip" : "ip6") + (end.answer ? " saddr " : " daddr ") +
                      end.at.address.to_string() + " ";
    if (end.protocol == api::WhyProtocol::icmp)
        return text + (v4 ? "icmp" : "icmpv6") + " type " + (end.answer ? "echo-reply" : "echo-request");
    return text + protocol_name(end.protocol) + (end.answer ? " sport " : " dport ") +
           std::to_string(end.at.port);
}

/// The same in iptables' words.
std::string iptables_conditions(const PacketEnd& end) {
    const bool v4 = end.at.address.is_v4();
    const auto text = (end.answer ? "-s " : "-d ") + end.at.address.to_string();
    if (end.protocol == api::WhyProtocol::icmp)
        return text + (v4 ? " -p icmp --icmp-type " : " -p icmpv6 --icmpv6-type ") +
               (end.answer ? "echo-reply" : "echo-request");
    return text + " -p " + protocol_name(end.protocol) + (end.answer ? " --sport " : " --dport ") +
           std::to_string(end.at.port);
}

/// Of any answer.
constexpr std::string_view iptables_flow = "-m conntrack --ctstate ESTABLISHED,RELATED";

std::string interfaces(const std::string& input, const std::string& output, bool iptables) {
    return (input.empty() ? std::string() : (iptables ? "-i " : "iifname ") + input + " ") +
           (output.empty() ? std::string() : (iptables ? "-o " : "oifname ") + output + " ");
}

/// A rule there has taken the packet or its answer from conntrack: then neither is of an established flow.
bool is_untracked(const WhyFacts& facts, std::size_t place) {
    return std::ranges::any_of(facts.trace, [&](const TracedStep& one) {
        return one.place == place && says(one.step.text, "notrack");
    });
}

}  // namespace

bool RuleStop::rejects() const {
    return step_ != nullptr ? step_->rejects : decision() != nullptr && decision()->rejects;
}

const api::Target* RuleStop::holder() const {
    if (step_ != nullptr) return &target_at(facts_.context, step_->place);
    const auto place = decision() != nullptr ? decision()->place : std::nullopt;
    return place ? &target_at(facts_.context, *place) : nullptr;
}

bool RuleStop::is_host() const {
    return holder() == nullptr || holder()->runtime == api::Runtime::host;
}

std::string_view RuleStop::hook() const {
    if (step_ != nullptr) return step_->step.hook;
    return decision() != nullptr ? std::string_view(decision()->hook) : std::string_view();
}

bool RuleStop::met(std::string_view program) const {
    if (step_ == nullptr)
        return decision() != nullptr &&
               std::ranges::find(decision()->programs, program) != decision()->programs.end();
    const auto leads_there = [&](const api::WhyStep& step) {
        const auto blank = step.verdict.find(' ');
        return blank != step.verdict.npos && owner_by_names({}, step.verdict.substr(blank + 1)) == program;
    };
    return std::ranges::any_of(facts_.trace, [&](const TracedStep& one) {
        return one.place == step_->place && one.step.answer == answer_ && one.step.hook == step_->step.hook &&
               (one.step.owner == program || leads_there(one.step));
    });
}

/// As it is to be typed on the host; "" where a name in it is more than a word.
std::string RuleStop::typed(const std::string& command) const {
    if (!is_plain_word(rule_.table) || !is_plain_word(rule_.chain)) return {};
    return holder() == nullptr ? command : command_in(*holder(), command);
}

RuleStop::Passage RuleStop::passage() const {
    if (step_ != nullptr) {
        // iptables(8) refuses what a hook's packets need not have, though the kernel tells it.
        const bool leaves = !sees_frames() && (hook() == "output" || hook() == "postrouting");
        const bool comes = !sees_frames() && (hook() == "prerouting" || hook() == "input");
        return {leaves ? std::string() : step_->step.input, comes ? std::string() : step_->step.output};
    }
    return decision() != nullptr ? Passage{decision()->input, decision()->output} : Passage();
}

/// What comes back from DOCKER-USER still meets Docker's own rules.
bool RuleStop::is_users_chain() const {
    return rule_.chain == "DOCKER-USER";
}

bool RuleStop::is_plain(const Passage& way) {
    return (way.input.empty() || is_plain_word(way.input)) &&
           (way.output.empty() || is_plain_word(way.output));
}

std::string RuleStop::permission() const {
    if (rule_.owner_port) return ask_owner(rule_.owner_port, holder());
    const auto way = passage();
    if (!is_plain(way)) return {};
    if (!answer_) return and_what_comes_next(pass_packet(way, met_destination()));
    const bool early = step_ != nullptr ? step_->before_conntrack || is_untracked(facts_, step_->place)
                                        : decision() != nullptr && decision()->of_no_flow;
    return and_what_comes_next(pass_answer(way, answer_source(), !early && !sees_frames()));
}

/// What that chain would stop when this has passed: the answer, then the process' own connection.
std::string RuleStop::and_what_comes_next(std::string command) const {
    if (command.empty()) return command;
    struct Part {
        bool answer;
        bool leg;
    };
    constexpr std::array<Part, 4> in_order{{{false, false}, {true, false}, {false, true}, {true, true}}};
    const auto own =
        std::ranges::find_if(in_order, [&](Part one) { return one.answer == answer_ && one.leg == leg_; });
    for (const auto& [answer, leg] : std::span(own + 1, in_order.end())) {
        const auto* next = table_with(facts_, rule_, answer, leg);
        if (next == nullptr) continue;
        const Passage way{next->input, next->output};
        if (!is_plain(way)) continue;
        const auto more = answer ? pass_answer(way, next->source, !next->of_no_flow && !sees_frames())
                                 : pass_packet(way, next->destination);
        if (command.find(more) == command.npos) command += " && " + more;
    }
    return command;
}

std::string RuleStop::insert(const std::string& conditions) const {
    return typed("nft insert rule " + rule_.family + " " + rule_.table + " " + rule_.chain + " " +
                 conditions + (is_users_chain() ? " return" : " accept"));
}

std::string RuleStop::insert_by_iptables(const std::string& program, const std::string& conditions) const {
    return typed(program + " -t " + rule_.table + " -I " + rule_.chain + " " + conditions + " -j " +
                 (is_users_chain() ? "RETURN" : "ACCEPT"));
}

std::string RuleStop::pass_packet(const Passage& way, const api::Endpoint& destination) const {
    const PacketEnd end{destination, facts_.flow.protocol, false};
    if (!is_legacy()) return insert(interfaces(way.input, way.output, false) + nft_conditions(end));
    return insert_by_iptables(legacy_program(end.at.address.is_v4() ? "ip" : "ip6"),
                              interfaces(way.input, way.output, true) + iptables_conditions(end));
}

/// Chains that see frames, and those before conntrack, know of no flow: there it is known by whence it comes.
std::string RuleStop::pass_answer(const Passage& way, const api::Endpoint& source, bool knows_flow) const {
    const PacketEnd end{source, facts_.flow.protocol, true};
    const bool v4 = end.at.address.is_v4();
    const auto iptables =
        is_legacy() ? legacy_program(v4 ? "ip" : "ip6") : iptables_program(rule_.family, rule_.table);
    const auto by_iptables = interfaces(way.input, way.output, true);
    if (is_legacy() && !knows_flow)
        return insert_by_iptables(iptables, by_iptables + iptables_conditions(end));
    if (!knows_flow) return insert(interfaces(way.input, way.output, false) + nft_conditions(end));
    if (!iptables.empty()) return insert_by_iptables(iptables, by_iptables + std::string(iptables_flow));
    return insert(interfaces(way.input, way.output, false) + "ct state established,related");
}

/// The destination that the packet had where it met the rule.
api::Endpoint RuleStop::met_destination() const {
    if (step_ == nullptr) return decision() != nullptr ? decision()->destination : facts_.destination();
    const auto hook = this->hook();
    // What a bridge takes in has not come to IP's rules, which translate, unless those see what it passes on.
    const bool early =
        hook == "prerouting" || hook == "output" || (rule_.family == "bridge" && hook == "input");
    if (!early || translated_before()) return facts_.destination();
    return {facts_.flow.remote, facts_.flow.remote_port};
}

bool RuleStop::translated_before() const {
    return std::ranges::any_of(facts_.trace, [&](const TracedStep& one) {
        return one.place == step_->place && one.translates && &one < step_;
    });
}

/// Whence the answer comes where it met the rule; before conntrack nothing has turned its address back.
api::Endpoint RuleStop::answer_source() const {
    if (step_ == nullptr) return decision() != nullptr ? decision()->source : facts_.destination();
    const bool leaves = hook() == "output" || hook() == "postrouting" || hook() == "egress";
    if (sees_frames() && leaves && is_translator()) return {facts_.flow.remote, facts_.flow.remote_port};
    const auto seen = std::ranges::find_if(facts_.sightings, [&](const Sighting& one) {
        return one.answer && !one.outgoing && one.port.place == step_->place;
    });
    return seen != facts_.sightings.end() ? seen->source : facts_.destination();
}

/// The packet has got its last destination there.
bool RuleStop::is_translator() const {
    return std::ranges::any_of(
        facts_.trace, [&](const TracedStep& one) { return one.place == step_->place && one.translates; });
}

std::string RuleStop::by_program(std::string_view owner) const {
    if (!is_host() || answer_ || (hook() != "forward" && hook() != "input")) return {};
    // ufw(8) has no words for an echo alone: what it would let in is everything.
    if (facts_.flow.protocol == api::WhyProtocol::icmp) return {};
    const auto way = passage();
    StoppedFlow flow{way.input, way.output, {}, 0, is_container(facts_.context.targets.front())};
    if (facts_.flow.protocol != api::WhyProtocol::icmp) {
        flow.protocol = protocol_name(facts_.flow.protocol);
        flow.port = met_destination().port;
    }
    return permission_by(owner, rule_.chain, flow);
}

}  // namespace netlab::operations
