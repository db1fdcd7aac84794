#include "daemon/kernel/packet_rule.hpp"

#include <algorithm>
#include <map>

#include <netinet/in.h>

namespace netlab::kernel {

namespace {

template <class T, class Write>
std::string condition(const char* what, const std::optional<Condition<T>>& condition, Write write) {
    if (!condition) return {};
    return std::string(what) + (condition->inverted ? " != " : " ") + write(condition->value) + " ";
}

std::string prefix_text(const IpPrefix& prefix) {
    return prefix.length() == 32 ? prefix.address().to_string() : prefix.to_string();
}

std::string protocol_name(std::uint8_t protocol) {
    switch (protocol) {
        case IPPROTO_TCP:
            return "tcp";
        case IPPROTO_UDP:
            return "udp";
        case IPPROTO_ICMP:
            return "icmp";
        default:
            return std::to_string(protocol);
    }
}

std::string ports_text(const PortRange& ports) {
    const auto first = std::to_string(ports.first);
    return ports.first == ports.second ? first : first + "-" + std::to_string(ports.second);
}

std::string nat_text(const char* action, const PacketRule& rule) {
    std::string text = action;
    if (!rule.to_address && !rule.to_port) return text;
    text += " to ";
    if (rule.to_address) text += rule.to_address->to_string();
    if (rule.to_port) text += ":" + std::to_string(*rule.to_port);
    return text;
}

std::string action_text(const PacketRule& rule) {
    switch (rule.action) {
        case RuleAction::none:
            return {};
        case RuleAction::accept:
            return "accept";
        case RuleAction::drop:
            return "drop";
        case RuleAction::return_:
            return "return";
        case RuleAction::jump:
            return "jump " + rule.chain;
        case RuleAction::go_to:
            return "goto " + rule.chain;
        case RuleAction::dnat:
            return nat_text("dnat", rule);
        case RuleAction::snat:
            return nat_text("snat", rule);
        case RuleAction::masquerade:
            return nat_text("masquerade", rule);
        case RuleAction::redirect:
            return nat_text("redirect", rule);
        case RuleAction::other:
            break;
    }
    return rule.other;
}

// ---- which rules a packet meets

enum class Match : std::uint8_t { no, yes, maybe };

bool holds(const std::optional<Condition<IpPrefix>>& condition, const IpAddress& address) {
    return !condition || condition->value.contains(address) != condition->inverted;
}
bool holds(const std::optional<Condition<std::uint8_t>>& condition, std::uint8_t protocol) {
    return !condition || (condition->value == protocol) != condition->inverted;
}
bool holds(const std::optional<Condition<PortRange>>& condition, std::uint16_t port) {
    if (!condition) return true;
    const bool inside = condition->value.first <= port && port <= condition->value.second;
    return inside != condition->inverted;
}

Match match(const PacketRule& rule, const PacketFacts& packet) {
    const bool understood =
        holds(rule.source, packet.source) && holds(rule.destination, packet.destination) &&
        holds(rule.protocol, packet.protocol) && holds(rule.source_port, packet.source_port) &&
        holds(rule.destination_port, packet.destination_port);
    if (!understood) return Match::no;
    return rule.more_conditions ? Match::maybe : Match::yes;
}

class Walk {
  public:
    Walk(const std::vector<RuleChain>& chains, const PacketFacts& packet) : packet_(packet) {
        for (const auto& chain : chains)
            by_name_.emplace(std::tuple(chain.legacy, chain.table, chain.name), &chain);
    }

    /// True where the packet's fate is decided.
    bool base(const RuleChain& chain) { return go(chain, 0) == After::decided; }

    NatDecision decision;

  private:
    enum class After : std::uint8_t { next, back, accepted, decided };

    After go(const RuleChain& chain, int depth) {
        // The kernel allows no more jumps in one another (NFT_JUMP_STACK_SIZE), and no loops; what is read
        // while it changes may have both.
        constexpr int deepest = 16;
        constexpr std::size_t longest = 100'000;
        if (depth > deepest) return give_up();
        for (const auto& rule : chain.rules) {
            if (++looked_at_ > longest) return give_up();
            const auto matched = match(rule, packet_);
            if (matched == Match::no || rule.action == RuleAction::none) continue;
            if (matched == Match::maybe || rule.action == RuleAction::other) {
                decision.uncertain = true;
                continue;
            }
            const auto after = act(chain, rule, depth);
            if (after != After::next) return after;
        }
        return After::back;
    }

    After act(const RuleChain& chain, const PacketRule& rule, int depth) {
        switch (rule.action) {
            case RuleAction::accept:
                return After::accepted;
            case RuleAction::return_:
                return After::back;
            case RuleAction::jump:
            case RuleAction::go_to: {
                const auto to = by_name_.find(std::tuple(chain.legacy, chain.table, rule.chain));
                if (to == by_name_.end()) return After::next;
                const auto after = go(*to->second, depth + 1);
                // A jump that comes back goes on here, a goto where this chain was jumped to from.
                if (after != After::back) return after;
                return rule.action == RuleAction::jump ? After::next : After::back;
            }
            default:
                decision.chain = &chain;
                decision.rule = &rule;
                return After::decided;
        }
    }

    After give_up() {
        decision.uncertain = true;
        return After::accepted;
    }

    const PacketFacts& packet_;
    std::map<std::tuple<bool, std::string, std::string>, const RuleChain*> by_name_;
    std::size_t looked_at_ = 0;
};

}  // namespace

std::string PacketRule::to_string() const {
    std::string text =
        condition("ip saddr", source, prefix_text) + condition("ip daddr", destination, prefix_text);
    const bool ports = source_port || destination_port;
    const auto name = protocol && !protocol->inverted ? protocol_name(protocol->value) : std::string();
    if (!ports || name.empty()) text += condition("meta l4proto", protocol, protocol_name);
    const auto transport = name.empty() ? std::string("th") : name;
    text += condition((transport + " sport").c_str(), source_port, ports_text);
    text += condition((transport + " dport").c_str(), destination_port, ports_text);
    if (more_conditions) text += "… ";
    text += action_text(*this);
    if (text.ends_with(' ')) text.pop_back();
    return text;
}

NatDecision find_nat(const std::vector<RuleChain>& chains, std::uint32_t hook, const PacketFacts& packet) {
    std::vector<const RuleChain*> bases;
    for (const auto& chain : chains) {
        if (chain.nat && chain.hook && chain.hook->number == hook) bases.push_back(&chain);
    }
    std::ranges::stable_sort(bases, {}, [](const RuleChain* chain) { return chain->hook->priority; });
    Walk walk(chains, packet);
    for (const auto* base : bases) {
        if (walk.base(*base)) break;
    }
    return walk.decision;
}

}  // namespace netlab::kernel
