#include "daemon/operations/why_trace.hpp"

#include "daemon/operations/rule_owner.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>

namespace netlab::operations {

namespace {

using api::WhyProtocol;
using kernel::TraceEvent;
using kernel::TraceKind;

constexpr std::string_view own_tables = "netlab-trace-";

std::string family_name(std::uint8_t family) {
    switch (family) {
        case NFPROTO_IPV4:
            return "ip";
        case NFPROTO_IPV6:
            return "ip6";
        case NFPROTO_INET:
            return "inet";
        case NFPROTO_BRIDGE:
            return "bridge";
        case NFPROTO_ARP:
            return "arp";
        case NFPROTO_NETDEV:
            return "netdev";
        default:
            return std::to_string(family);
    }
}

std::string verdict_text(const TraceEvent& event) {
    if (event.kind == TraceKind::policy)
        return event.policy == NF_DROP ? "drop" : event.policy == NF_ACCEPT ? "accept" : "policy";
    const auto verdict = event.verdict.value_or(NFT_CONTINUE);
    // What is not nf_tables' own has a queue's number or an errno above it.
    switch (verdict < 0 ? verdict : verdict & NF_VERDICT_MASK) {
        case NF_ACCEPT:
            return "accept";
        case NF_DROP:
            return "drop";
        case NF_STOLEN:
            return "stolen";
        case NF_QUEUE:
            return "queue";
        case NFT_JUMP:
            return "jump " + event.jump;
        case NFT_GOTO:
            return "goto " + event.jump;
        case NFT_RETURN:
            return "return";
        default:
            return "continue";
    }
}

/// The headers that the first event of a walk through a base chain tells.
std::optional<ProbePacket> packet_of(const TraceEvent& event) {
    if (event.network_header.empty() || event.transport_header.empty()) return std::nullopt;
    std::vector<std::uint8_t> bytes;
    for (const auto* part : {&event.network_header, &event.transport_header})
        std::ranges::transform(*part, std::back_inserter(bytes),
                               [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    if (auto packet = parse_probe_packet(bytes)) return packet;
    return parse_echo_packet(bytes);
}

/// Behind the SYN a connection that carries nothing has an ACK, a FIN or a reset.
bool is_near(std::uint32_t number, std::uint32_t sequence) {
    constexpr std::uint32_t most = 2;
    return number - sequence <= most;
}

bool bears(const FlowMark& mark, const ProbePacket& packet, bool answer) {
    if (packet.tcp && mark.sequence) {
        // A rule's reset need not acknowledge anything (nf_reject_ip_tcphdr_put()).
        if (answer && !packet.ack_flag) return packet.rst;
        return is_near(answer ? packet.acknowledged : packet.sequence, *mark.sequence);
    }
    return mark.addresses.empty() || mark.addresses.contains(packet.source) ||
           mark.addresses.contains(packet.destination);
}

/// nullopt: it is another flow's.
std::optional<bool> is_answer(const Flow& flow, const FlowMark& mark, const ProbePacket& packet) {
    if (packet.echo != (flow.protocol == WhyProtocol::icmp)) return std::nullopt;
    if (!packet.echo && packet.tcp != (flow.protocol == WhyProtocol::tcp)) return std::nullopt;
    const bool answer = packet.destination_port == flow.own;
    if (!answer && packet.source_port != flow.own) return std::nullopt;
    return bears(mark, packet, answer) ? std::optional(answer) : std::nullopt;
}

/// The word is in the rule, and not in a name or a comment, which are in quotes.
bool has_statement(std::string_view text, std::string_view word) {
    std::string outside;
    bool quoted = false;
    for (const char c : text) {
        if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            outside += c;
    }
    const auto at = (" " + outside + " ").find(" " + std::string(word) + " ");
    return at != std::string::npos;
}

/// One namespace's events in their order.
class Reader {
  public:
    Reader(const Flow& flow, const FlowMark& mark, std::size_t place, const TracedNamespace& traced)
        : flow_(flow), mark_(mark), place_(place), traced_(traced) {}

    void read(std::vector<TracedStep>& out) {
        for (const auto& event : traced_.events) {
            if (const auto packet = packet_of(event)) begin(event, *packet);
            const auto walk = walks_.find(event.id);
            if (walk == walks_.end() || event.table.starts_with(own_tables)) continue;
            // The packet has come to a chain: a rule or the policy follows.
            const bool decides = event.kind == TraceKind::policy || event.handle;
            if (!decides && event.verdict.value_or(NFT_CONTINUE) == NFT_CONTINUE) continue;
            out.push_back(step(event, walk->second));
        }
    }

  private:
    struct Walk {
        bool answer = false;
        const HookText* hook = nullptr;  ///< nullptr: not known
        std::uint32_t input = 0;         ///< told with the headers only
        std::uint32_t output = 0;
    };

    void begin(const TraceEvent& event, const ProbePacket& packet) {
        const auto answer = is_answer(flow_, mark_, packet);
        if (!answer) {
            walks_.erase(event.id);
            return;
        }
        walks_[event.id] = {*answer, hook_of(event), event.input, event.output};
    }

    [[nodiscard]] const TableText* table_of(const TraceEvent& event) const {
        return traced_.rules ? find_table(*traced_.rules, family_name(event.family), event.table) : nullptr;
    }

    [[nodiscard]] const HookText* hook_of(const TraceEvent& event) const {
        const auto* table = table_of(event);
        const auto* chain = table == nullptr ? nullptr : find_chain(*table, event.chain);
        return chain != nullptr && chain->hook ? &*chain->hook : nullptr;
    }

    /// As kernel::is_before_conntrack() has it.
    [[nodiscard]] static bool is_before_conntrack(const api::WhyStep& step, const HookText& hook) {
        const bool ip = step.family == "ip" || step.family == "ip6" || step.family == "inet";
        const bool first = hook.hook == "output" || (hook.hook == "prerouting" && step.input != "lo");
        return ip && first && hook.priority <= NF_IP_PRI_CONNTRACK;
    }

    [[nodiscard]] std::string name(std::uint32_t index) const {
        const auto found = traced_.interfaces.find(index);
        if (found != traced_.interfaces.end()) return found->second;
        return index == 0 ? std::string() : "if" + std::to_string(index);
    }

    [[nodiscard]] TracedStep step(const TraceEvent& event, const Walk& walk) const {
        TracedStep out;
        out.place = place_;
        auto& step = out.step;
        step.target = traced_.target;
        step.family = family_name(event.family);
        step.table = event.table;
        step.chain = event.chain;
        if (event.kind != TraceKind::policy) step.handle = event.handle;
        step.verdict = verdict_text(event);
        if (walk.hook != nullptr) step.hook = walk.hook->hook;
        step.answer = walk.answer;
        step.input = name(walk.input);
        step.output = name(walk.output);
        out.before_conntrack = walk.hook != nullptr && is_before_conntrack(step, *walk.hook);
        out.drops = step.verdict == "drop";
        if (event.kind == TraceKind::policy) step.text = "policy " + step.verdict;
        describe(step, event);
        out.rejects = out.drops && has_statement(step.text, "reject");
        return out;
    }

    /// What the rules' text says of a step.
    void describe(api::WhyStep& step, const TraceEvent& event) const {
        const auto* table = table_of(event);
        const auto* chain = table == nullptr ? nullptr : find_chain(*table, event.chain);
        if (chain == nullptr) return;
        step.owner_port = table->owner_port;
        const auto rule = std::ranges::find(chain->rules, event.handle.value_or(0), &RuleText::handle);
        if (event.kind == TraceKind::policy || rule == chain->rules.end()) {
            step.owner = chain_owner(*table, *chain);
            return;
        }
        step.text = rule->text;
        step.owner = rule_owner(*table, *chain, *rule);
    }

    const Flow& flow_;
    const FlowMark& mark_;
    std::size_t place_;
    const TracedNamespace& traced_;
    std::map<std::uint32_t, Walk> walks_;  // by the packet's id
};

}  // namespace

std::string trace_table_name(std::uint32_t process) {
    return std::string(own_tables) + std::to_string(process);
}

std::string trace_commands(const std::string& table, WhyProtocol protocol, bool v4, std::uint16_t own) {
    // NF_IP_PRI_FIRST in include/uapi/linux/netfilter_ipv4.h
    constexpr auto first = "priority -2147483648";
    const auto port = std::to_string(own);
    std::vector<std::string> matches;
    switch (protocol) {
        case WhyProtocol::icmp: {
            const std::string name = v4 ? "icmp" : "icmpv6";
            matches = {name + " type echo-request " + name + " id " + port,
                       name + " type echo-reply " + name + " id " + port};
            break;
        }
        case WhyProtocol::tcp:
            matches = {"tcp sport " + port, "tcp dport " + port};
            break;
        case WhyProtocol::udp:
            matches = {"udp sport " + port, "udp dport " + port};
            break;
    }
    auto text = "add table inet " + table + " { flags owner; }\n";
    for (const std::string hook : {"prerouting", "output"}) {
        text.append("add chain inet ").append(table).append(" ").append(hook);
        text.append(" { type filter hook ").append(hook).append(" ").append(first).append("; }\n");
        for (const auto& match : matches) {
            text.append("add rule inet ").append(table).append(" ").append(hook).append(" meta nfproto ");
            text.append(v4 ? "ipv4 " : "ipv6 ").append(match);
            text.append(" limit rate 100/second burst 100 packets meta nftrace set 1\n");
        }
    }
    return text;
}

std::vector<TracedStep> read_trace(const Flow& flow, const std::map<std::size_t, TracedNamespace>& traced,
                                   const FlowMark& mark) {
    std::vector<TracedStep> out;
    for (const auto& [place, one] : traced)
        Reader(flow, mark, place, one).read(out);
    return out;
}

const TracedStep* ending_step(std::span<const TracedStep> steps) {
    const TracedStep* of_answer = nullptr;
    for (const auto& step : steps) {
        if (!step.drops) continue;
        if (!step.step.answer) return &step;
        if (of_answer == nullptr) of_answer = &step;
    }
    return of_answer;
}

const TracedStep* queueing_step(std::span<const TracedStep> steps) {
    const TracedStep* last = nullptr;
    for (const auto& step : steps) {
        if (step.step.verdict == "queue")
            last = &step;
        else if (last != nullptr && step.place == last->place && step.step.answer == last->step.answer)
            last = nullptr;
    }
    return last;
}

std::vector<std::string> ingress_drops(const std::vector<TableText>& tables, const Way& way,
                                       std::size_t place) {
    const auto on_way = [&](const std::string& device) {
        return std::ranges::any_of(way.points, [&](const WayPoint& point) {
            return point.place == place && point.hop.interface == device;
        });
    };
    const auto may_drop = [](const RuleText& rule) {
        return has_statement(rule.text, "drop") || has_statement(rule.text, "reject") ||
               has_statement(rule.text, "jump") || has_statement(rule.text, "goto");
    };
    std::vector<std::string> out;
    for (const auto& table : tables) {
        for (const auto& chain : table.chains) {
            if (!chain.hook || chain.hook->hook != "ingress") continue;
            const bool drops = chain.hook->policy == "drop" || std::ranges::any_of(chain.rules, may_drop);
            if (drops && std::ranges::any_of(chain.hook->devices, on_way))
                out.push_back(table.family + " " + table.name + " " + chain.name);
        }
    }
    return out;
}

bool tells_of_drop(const Flow& flow, std::span<const TraceEvent> events, const FlowMark& mark) {
    std::set<std::uint32_t> own;
    for (const auto& event : events) {
        if (const auto packet = packet_of(event)) {
            if (is_answer(flow, mark, *packet))
                own.insert(event.id);
            else
                own.erase(event.id);
        }
        if (own.contains(event.id) && verdict_text(event) == "drop") return true;
    }
    return false;
}

}  // namespace netlab::operations
