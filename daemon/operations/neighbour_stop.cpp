#include "daemon/operations/neighbour_stop.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/why_rules.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>

namespace netlab::operations {

namespace {

/// RFC 4291, 2.7.1: ff02::1:ff00:0/104 with the address' last 24 bits.
IpAddress solicited_node(const IpAddress& address) {
    std::array<std::uint8_t, 16> bytes{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF};
    constexpr std::size_t own = 3;
    std::ranges::copy(address.bytes().last(own), bytes.end() - own);
    return IpAddress::from_bytes(bytes);
}

/// As ndisc_solicit() of net/ipv6/ndisc.c and arp_solicit() of net/ipv4/arp.c take it: the packet's, where
/// that is its own.
IpAddress asking_address(const Topology& topology, Port asking, const IpAddress& asked,
                         const std::optional<IpAddress>& source) {
    const auto& facts = topology[asking.place];
    if (source && facts.has_address(asking.index, *source)) return *source;
    for (const auto& address : facts.addresses) {
        const auto& own = address.prefix.address();
        if (address.index != asking.index || own.family() != asked.family()) continue;
        if (own.is_v4() ? address.prefix.contains(asked) : own.is_link_local()) return own;
    }
    return {};
}

/// How the two ends stand to a namespace: it is one of them, or neither and passes frames from one to the
/// other.
struct Discovery {
    IpAddress asker;
    IpAddress asked;
    std::string interface {};  ///< of its own, where it is one of them; "" where it is neither
    std::string asker_port{};  ///< of its bridge, towards who asks; "" none
    std::string asked_port{};  ///< the same towards who is asked
    bool asks = false;         ///< it is who asks
    std::string target{};      ///< what it is called
    std::size_t place = 0;
};

enum class Passing : std::uint8_t { leaves, enters, passes };

/// One packet or frame of the two, and where it is seen.
struct Message {
    bool advertisement = false;
    Passing way = Passing::passes;
    std::string from_port{};
    std::string to_port{};
    kernel::PacketFacts facts{};
};

Message message_of(const Discovery& of, bool advertisement) {
    Message out{advertisement};
    if (!of.interface.empty()) out.way = of.asks != advertisement ? Passing::leaves : Passing::enters;
    out.from_port = advertisement ? of.asked_port : of.asker_port;
    out.to_port = advertisement ? of.asker_port : of.asked_port;
    auto& facts = out.facts;
    facts.source = advertisement ? of.asked : of.asker;
    facts.destination = advertisement ? of.asker : of.asked;
    // nf_conntrack_icmpv6_error() of net/netfilter/nf_conntrack_proto_icmpv6.c.
    facts.flow = kernel::flow_is_untracked;
    facts.mark = 0;
    facts.reverse_path = true;
    if (of.asked.is_v4()) {
        facts.tracked = false;
        facts.arp_operation = advertisement ? ARPOP_REPLY : ARPOP_REQUEST;
        return out;
    }
    if (!advertisement) facts.destination = solicited_node(of.asked);
    facts.protocol = IPPROTO_ICMPV6;
    facts.icmp_type = advertisement ? ND_NEIGHBOR_ADVERT : ND_NEIGHBOR_SOLICIT;
    return out;
}

/// What drops a message, or may.
class Finder {
  public:
    Finder(const FamilyRules& rules, const Discovery& of) : rules_(rules), of_(of), v4_(of.asked.is_v4()) {}

    void look(bool advertisement) {
        const auto message = message_of(of_, advertisement);
        if (message.way != Passing::leaves) see_frames(message, true);
        if (message.way != Passing::passes) see_packet(message);
        if (message.way != Passing::enters) see_frames(message, false);
    }

    std::optional<NeighbourStop> found;

  private:
    using Kind = kernel::FramePoint::Kind;

    void take(const kernel::FilterDecision& decision, bool advertisement) {
        if (found && found->certain) return;
        const bool certain = decision.dropped && !decision.uncertain;
        if (!certain && (!decision.uncertain || found)) return;
        if (!certain && decision.doubtful == nullptr) return;
        auto named = decision;
        if (!certain) {
            named.chain = decision.doubtful_chain;
            named.rule = decision.doubtful;
        }
        auto rule = rule_of(named, of_.target);
        if (v4_ && is_for_arp_alone(named)) rule.text = "ether type arp " + rule.text;
        found = NeighbourStop{std::move(rule), of_.place, advertisement, v4_, certain};
    }

    /// IP's packets do not meet it where they pass.
    [[nodiscard]] bool is_for_arp_alone(const kernel::FilterDecision& decision) const {
        const auto* rule = decision.rule;
        if (rule == nullptr || decision.chain->table.starts_with("arp ")) return false;
        // nft(8) says so by them.
        if (rule->arp_operation || rule->source || rule->destination) return false;
        return std::ranges::none_of(rules_.frames, [&](const kernel::RuleChain& chain) {
            return chain.table == decision.chain->table && chain.name == decision.chain->name &&
                   std::ranges::find(chain.rules, rule->handle, &kernel::PacketRule::handle) !=
                       chain.rules.end();
        });
    }

    void see_packet(const Message& message) {
        auto facts = message.facts;
        const bool leaves = message.way == Passing::leaves;
        facts.input = leaves ? "" : of_.interface;
        facts.output = leaves ? of_.interface : "";
        if (v4_) {
            take(kernel::find_drop(rules_.arp.own, leaves ? NF_ARP_OUT : NF_ARP_IN, facts),
                 message.advertisement);
            return;
        }
        facts.destination_local = !leaves && message.advertisement;
        const std::array<std::uint32_t, 2> out{NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING};
        const std::array<std::uint32_t, 2> in{NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN};
        for (const auto hook : leaves ? out : in) {
            const auto decision = kernel::find_drop(rules_.chains, hook, facts);
            if (decision.effects.marks) facts.mark.reset();
            take(decision, message.advertisement);
        }
    }

    /// Where they come in, or where they leave.
    void see_frames(const Message& message, bool entering) {
        const auto& frames = v4_ ? rules_.arp.frames : rules_.frames;
        if (frames.empty()) return;
        const auto device = entering ? Kind::ingress : Kind::egress;
        const auto& port = entering ? message.from_port : message.to_port;
        const auto at = [&](const kernel::FramePoint& point) {
            auto facts = message.facts;
            facts.destination_local.reset();
            const auto& seen = point.kind == Kind::bridge ? port : point.device;
            (entering ? facts.input : facts.output) = seen;
            take(kernel::find_frame_drop(frames, point, facts), message.advertisement);
        };
        if (entering && !port.empty()) at({device, port});
        if (!port.empty()) {
            for (const auto hook : bridge_hooks(message.way, entering))
                at({Kind::bridge, {}, hook});
        }
        if (!of_.interface.empty()) at({device, of_.interface});
        if (!entering && !port.empty()) at({device, port});
    }

    [[nodiscard]] static std::vector<std::uint32_t> bridge_hooks(Passing way, bool entering) {
        if (way == Passing::passes)
            return entering ? std::vector<std::uint32_t>{NF_BR_PRE_ROUTING}
                            : std::vector<std::uint32_t>{NF_BR_FORWARD, NF_BR_POST_ROUTING};
        return entering ? std::vector<std::uint32_t>{NF_BR_PRE_ROUTING, NF_BR_LOCAL_IN}
                        : std::vector<std::uint32_t>{NF_BR_LOCAL_OUT, NF_BR_POST_ROUTING};
    }

    const FamilyRules& rules_;
    const Discovery& of_;
    bool v4_;
};

/// Of that namespace, who has the address and is on that one's segment.
std::optional<Port> owner_on_segment(const Topology& topology, std::optional<std::size_t> place, Port asking,
                                     const IpAddress& asked) {
    for (const auto owner : topology.owners(asked)) {
        if ((!place || owner.place == *place) && topology.on_one_segment(owner, asking)) return owner;
    }
    return std::nullopt;
}

/// The port of a bridge in that namespace behind which the other is; "" where there is none.
std::string bridge_port(const Topology& topology, std::size_t place, Port other) {
    const auto end = topology.peer(other);
    return end && end->place == place && topology.master(*end) ? topology.name(*end) : std::string();
}

std::string iptables_permission(const api::WhyRule& rule, const std::string& program, const char* type) {
    return program + " -t " + rule.table + " -I " + rule.chain + " -p icmpv6 --icmpv6-type " + type +
           " -j ACCEPT";
}

/// Both, for a host asks and is asked.
std::string permission(const NeighbourStop& stop, const api::Target* target) {
    const auto& rule = stop.rule;
    if (rule.owner_port) return ask_owner(rule.owner_port, target);
    if (!is_plain_word(rule.table) || !is_plain_word(rule.chain)) return {};
    const auto here = [&](const std::string& command) {
        return target == nullptr ? command : command_in(*target, command);
    };
    const bool legacy = rule.family.ends_with(" (legacy)");
    const auto program = legacy ? legacy_program("ip6") : iptables_program(rule.family, rule.table);
    if (!program.empty() && !stop.arp) {
        const auto asking = here(iptables_permission(rule, program, "neighbour-solicitation"));
        const auto answering = here(iptables_permission(rule, program, "neighbour-advertisement"));
        return asking.empty() ? asking : asking + " && " + answering;
    }
    std::string what = "'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'";
    // ARP's own tables see nothing else.
    if (stop.arp) what = rule.family == "arp" ? "accept" : "ether type arp accept";
    return here("nft insert rule " + rule.family + " " + rule.table + " " + rule.chain + " " + what);
}

std::string question_words(const NeighbourStop& stop) {
    if (stop.arp) return stop.advertisement ? "answer, an ARP reply" : "question for it, an ARP request";
    return stop.advertisement ? "answer, a neighbour advertisement"
                              : "question for it, a neighbour solicitation";
}

}  // namespace

std::optional<NeighbourStop> find_neighbour_stop(const FamilyRules& rules, const Topology& topology,
                                                 std::size_t place, Port asking, const IpAddress& asked,
                                                 const std::optional<IpAddress>& source) {
    Discovery of{asking_address(topology, asking, asked, source), asked};
    of.target = topology[place].target;
    of.place = place;
    of.asks = asking.place == place;
    if (!of.asks) of.asker_port = bridge_port(topology, place, asking);
    const auto own = of.asks ? std::optional(asking) : owner_on_segment(topology, place, asking, asked);
    if (own) of.interface = topology.name(*own);
    if (const auto other = owner_on_segment(topology, std::nullopt, asking, asked);
        other && other->place != place)
        of.asked_port = bridge_port(topology, place, *other);
    if (of.interface.empty() && (of.asker_port.empty() || of.asked_port.empty())) return std::nullopt;
    Finder finder(rules, of);
    for (const bool advertisement : {false, true})
        finder.look(advertisement);
    return finder.found;
}

Explanation explain_neighbour_stop(const NeighbourStop& stop, const api::Target* target) {
    const auto& rule = stop.rule;
    return {"; " + rule.family + " " + rule.table + " " + rule.chain + " of " + rule.target +
                (rule.handle ? " handle " + std::to_string(*rule.handle) : std::string()) + " (" + rule.text +
                ") " + (stop.certain ? "drops" : "may drop") + " the " + question_words(stop) +
                ": without these " + (stop.arp ? "IPv4" : "IPv6") + " finds no neighbour",
            permission(stop, target)};
}

}  // namespace netlab::operations
