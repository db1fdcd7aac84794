#include "daemon/kernel/packet_rule.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

std::uint16_t big_endian(Bytes bytes) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 |
                                      std::to_integer<unsigned>(bytes[1]));
}

IpAddress address_of(std::array<std::uint8_t, 4> octets) {
    return IpAddress::from_bytes(octets);
}

/// Up to four bytes of an address; the others are zero.
IpAddress address_of(Bytes bytes) {
    std::array<std::uint8_t, 4> octets{};
    for (std::size_t i = 0; i < std::min(bytes.size(), octets.size()); ++i)
        octets[i] = std::to_integer<std::uint8_t>(bytes[i]);
    return address_of(octets);
}

/// The number of leading ones; nullopt where ones follow a zero.
std::optional<unsigned> prefix_length(Bytes mask) {
    unsigned length = 0;
    bool ended = false;
    for (const auto byte : mask) {
        const auto value = std::to_integer<std::uint8_t>(byte);
        const auto ones = static_cast<unsigned>(std::countl_one(value));
        if (static_cast<std::uint8_t>(value << ones) != 0 && ones < 8) return std::nullopt;
        if (ended && value != 0) return std::nullopt;
        ended = ended || ones < 8;
        length += ones;
    }
    return length;
}

// ---- x_tables' extensions, which iptables-nft and iptables-legacy share

void take_ports(PacketRule& rule, const std::uint16_t (&source)[2], const std::uint16_t (&destination)[2],
                bool source_inverted, bool destination_inverted) {
    const auto take = [](const std::uint16_t(&ports)[2], bool inverted) {
        std::optional<Condition<PortRange>> out;
        if (ports[0] != 0 || ports[1] != 0xFFFF || inverted)
            out = Condition<PortRange>{{ports[0], ports[1]}, inverted};
        return out;
    };
    rule.source_port = take(source, source_inverted);
    rule.destination_port = take(destination, destination_inverted);
}

void take_match(PacketRule& rule, const XtExtension& match) {
    if (match.name == "comment") return;
    if (match.name == "udp") {
        xt_udp info;
        if (read(Bytes(match.info), info)) {
            rule.protocol = {IPPROTO_UDP, false};
            return take_ports(rule, info.spts, info.dpts, (info.invflags & XT_UDP_INV_SRCPT) != 0,
                              (info.invflags & XT_UDP_INV_DSTPT) != 0);
        }
    }
    if (match.name == "tcp") {
        xt_tcp info;
        if (read(Bytes(match.info), info) && info.option == 0 && info.flg_mask == 0) {
            rule.protocol = {IPPROTO_TCP, false};
            return take_ports(rule, info.spts, info.dpts, (info.invflags & XT_TCP_INV_SRCPT) != 0,
                              (info.invflags & XT_TCP_INV_DSTPT) != 0);
        }
    }
    rule.more_conditions = true;
}

struct NatRange {
    std::uint32_t flags = 0;
    IpAddress address;
    std::uint16_t port = 0;
};

/// Revision 0 is IPv4's older struct; the later ones begin alike.
std::optional<NatRange> nat_range(const XtExtension& target) {
    const Bytes info(target.info);
    if (target.revision == 0) {
        nf_nat_ipv4_multi_range_compat multi;
        if (!read(info, multi) || multi.rangesize != 1) return std::nullopt;
        const auto& range = multi.range[0];
        return NatRange{range.flags, address_of(std::as_bytes(std::span(&range.min_ip, 1))),
                        big_endian(std::as_bytes(std::span(&range.min.all, 1)))};
    }
    nf_nat_range range;
    if (!read(info, range)) return std::nullopt;
    return NatRange{range.flags, address_of(std::as_bytes(std::span(&range.min_addr.ip, 1))),
                    big_endian(std::as_bytes(std::span(&range.min_proto.all, 1)))};
}

void take_target(PacketRule& rule, const XtExtension& target) {
    constexpr std::array going_on{"LOG", "NFLOG", "TRACE", "MARK", "CONNMARK"};
    if (std::ranges::find(going_on, target.name) != going_on.end()) return;
    struct Nat {
        std::string_view name;
        RuleAction action;
    };
    constexpr Nat nats[] = {{"DNAT", RuleAction::dnat},
                            {"SNAT", RuleAction::snat},
                            {"MASQUERADE", RuleAction::masquerade},
                            {"REDIRECT", RuleAction::redirect}};
    const auto* nat = std::ranges::find(nats, target.name, &Nat::name);
    const auto range = nat != std::end(nats) ? nat_range(target) : std::nullopt;
    if (!range) {
        rule.action = RuleAction::other;
        rule.other = target.name;
        return;
    }
    rule.action = nat->action;
    if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) rule.to_address = range->address;
    if ((range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) rule.to_port = range->port;
}

void take_verdict(PacketRule& rule, std::int32_t code, const std::string& chain) {
    rule.chain = chain;
    switch (code) {
        case NF_ACCEPT:
            rule.action = RuleAction::accept;
            break;
        case NF_DROP:
            rule.action = RuleAction::drop;
            break;
        case NFT_RETURN:
            rule.action = RuleAction::return_;
            break;
        case NFT_JUMP:
            rule.action = RuleAction::jump;
            break;
        case NFT_GOTO:
            rule.action = RuleAction::go_to;
            break;
        case NFT_CONTINUE:
            break;
        default:
            rule.action = RuleAction::other;
            rule.other = "verdict " + std::to_string(code);
    }
}

// ---- nf_tables' own expressions

/// Statements that change something and let the rule go on.
bool goes_on(std::string_view expression) {
    constexpr std::array names{"log", "notrack", "payload", "meta"};
    return std::ranges::find(names, expression) != names.end();
}

/// Goes through one rule's expressions; knows what each register holds.
class NftReader {
  public:
    PacketRule read(const NftRule& in) {
        rule_.handle = in.handle;
        for (const auto& expression : in.expressions)
            std::visit([&](const auto& one) { take(one); }, expression);
        return std::move(rule_);
    }

  private:
    enum class Field : std::uint8_t {
        unknown,
        source,
        destination,
        protocol,
        source_port,
        destination_port,
        family
    };
    struct Held {
        Field field = Field::unknown;
        std::size_t length = 0;
        std::optional<unsigned> prefix;  ///< of an address that was masked
        std::vector<std::byte> value;    ///< of an immediate
    };
    static constexpr NftRegister registers = 16;

    Held held(NftRegister index) const { return index < registers ? held_[index] : Held(); }
    void hold(NftRegister index, Held what) {
        if (index < registers) held_[index] = std::move(what);
    }

    void take(const NftPayload& load) {
        Held what{Field::unknown, load.length, {}, {}};
        constexpr std::uint32_t source = 12;  // in struct iphdr
        constexpr std::uint32_t destination = 16;
        if (load.base == NFT_PAYLOAD_NETWORK_HEADER && load.length >= 1 && load.length <= 4) {
            if (load.offset == source) what.field = Field::source;
            if (load.offset == destination) what.field = Field::destination;
            constexpr std::uint32_t protocol = 9;
            if (load.offset == protocol && load.length == 1) what.field = Field::protocol;
        }
        if (load.base == NFT_PAYLOAD_TRANSPORT_HEADER && load.length == 2) {
            if (load.offset == 0) what.field = Field::source_port;
            if (load.offset == 2) what.field = Field::destination_port;
        }
        hold(load.to, std::move(what));
    }

    void take(const NftMeta& meta) {
        Held what;
        if (meta.key == NFT_META_L4PROTO) what = {Field::protocol, 1, {}, {}};
        if (meta.key == NFT_META_NFPROTO) what = {Field::family, 1, {}, {}};
        hold(meta.to, std::move(what));
    }

    void take(const NftBitwise& bits) {
        auto what = held(bits.from);
        const bool zero = std::ranges::all_of(bits.exclusive, [](std::byte b) { return b == std::byte{0}; });
        const bool address = what.field == Field::source || what.field == Field::destination;
        what.prefix = prefix_length(bits.mask);
        if (!zero || !address || !what.prefix) what = {};
        hold(bits.to, std::move(what));
    }

    void take(const NftCompare& compare) {
        const auto what = held(compare.from);
        const bool equal = compare.op == NFT_CMP_EQ;
        const bool decided = equal || compare.op == NFT_CMP_NEQ;
        switch (what.field) {
            case Field::source:
            case Field::destination: {
                const auto length = what.prefix ? *what.prefix : static_cast<unsigned>(8 * what.length);
                const auto prefix = IpPrefix::make(address_of(Bytes(compare.data)), length);
                if (!decided || !prefix) break;
                auto& slot = what.field == Field::source ? rule_.source : rule_.destination;
                return put(slot, {*prefix, !equal});
            }
            case Field::protocol:
                if (!decided || compare.data.empty()) break;
                return put(rule_.protocol, {std::to_integer<std::uint8_t>(compare.data[0]), !equal});
            case Field::source_port:
            case Field::destination_port: {
                if (!decided || compare.data.size() < 2) break;
                const auto port = big_endian(compare.data);
                return put(port_slot(what.field), {{port, port}, !equal});
            }
            case Field::family:
                // Whether it is IPv4; the tables of another family are not looked at.
                if (equal && !compare.data.empty() && compare.data[0] == std::byte{NFPROTO_IPV4}) return;
                break;
            case Field::unknown:
                break;
        }
        rule_.more_conditions = true;
    }

    void take(const NftRange& range) {
        const auto what = held(range.from);
        const bool port = what.field == Field::source_port || what.field == Field::destination_port;
        if (!port || range.first.size() < 2 || range.last.size() < 2) {
            rule_.more_conditions = true;
            return;
        }
        put(port_slot(what.field), {{big_endian(range.first), big_endian(range.last)}, range.outside});
    }

    void take(const NftImmediate& immediate) { hold(immediate.to, {Field::unknown, 0, {}, immediate.data}); }
    void take(const NftVerdict& verdict) { take_verdict(rule_, verdict.code, verdict.chain); }
    void take(const NftLookup&) { rule_.more_conditions = true; }
    void take(const NftCounter& counter) { rule_.packets = counter.packets; }
    void take(const NftMatch& match) { take_match(rule_, match); }
    void take(const NftTarget& target) { take_target(rule_, target); }

    void take(const NftNat& nat) {
        rule_.action = nat.type == NFT_NAT_DNAT ? RuleAction::dnat : RuleAction::snat;
        if (nat.address) {
            const auto value = held(*nat.address).value;
            if (value.size() == 4) rule_.to_address = address_of(Bytes(value));
        }
        if (nat.port) {
            const auto value = held(*nat.port).value;
            if (value.size() >= 2) rule_.to_port = big_endian(value);
        }
    }

    void take(const NftOther& other) {
        if (other.name == "masq") {
            rule_.action = RuleAction::masquerade;
        } else if (other.name == "redir") {
            rule_.action = RuleAction::redirect;
        } else if (!goes_on(other.name)) {
            // A limit, a state of conntrack, a queue: whether the rule goes on is not known.
            rule_.more_conditions = true;
        }
    }

    std::optional<Condition<PortRange>>& port_slot(Field field) {
        return field == Field::source_port ? rule_.source_port : rule_.destination_port;
    }

    /// A second condition on the same thing does not replace the first.
    template <class T>
    void put(std::optional<Condition<T>>& slot, Condition<T> condition) {
        if (slot && !(*slot == condition)) {
            rule_.more_conditions = true;
        } else {
            slot = std::move(condition);
        }
    }

    PacketRule rule_;
    std::array<Held, registers> held_;
};

// ---- iptables-legacy

std::optional<Condition<IpPrefix>> prefix_condition(PacketRule& rule, std::array<std::uint8_t, 4> address,
                                                    std::array<std::uint8_t, 4> mask, bool inverted) {
    const auto length = prefix_length(std::as_bytes(std::span(mask)));
    if (!length) {
        rule.more_conditions = true;
        return std::nullopt;
    }
    if (*length == 0 && !inverted) return std::nullopt;
    const auto prefix = IpPrefix::make(address_of(address), *length);
    return prefix ? std::optional(Condition<IpPrefix>{*prefix, inverted}) : std::nullopt;
}

/// Where addresses of senders are translated: NF_IP_PRI_NAT_SRC, and elsewhere NF_IP_PRI_NAT_DST.
bool is_source_hook(std::uint32_t hook) {
    return hook == NF_INET_LOCAL_IN || hook == NF_INET_POST_ROUTING;
}

PacketRule form_of(const XtRule& in) {
    PacketRule rule;
    rule.number = in.number;
    rule.packets = in.packets;
    const auto inverted = [&](unsigned bit) { return (in.ip.inverted & bit) != 0; };
    rule.source = prefix_condition(rule, in.ip.source, in.ip.source_mask, inverted(IPT_INV_SRCIP));
    rule.destination =
        prefix_condition(rule, in.ip.destination, in.ip.destination_mask, inverted(IPT_INV_DSTIP));
    if (in.ip.protocol != 0)
        rule.protocol = {static_cast<std::uint8_t>(in.ip.protocol), inverted(IPT_INV_PROTO)};
    if (!in.ip.input.empty() || !in.ip.output.empty() || (in.ip.flags & IPT_F_FRAG) != 0)
        rule.more_conditions = true;
    for (const auto& match : in.matches)
        take_match(rule, match);
    if (in.target.name.empty()) {
        take_verdict(rule, in.verdict, in.jump);
    } else {
        take_target(rule, in.target);
    }
    return rule;
}

}  // namespace

std::vector<RuleChain> rule_chains(const NftTables::Content& content) {
    std::vector<RuleChain> out;
    const auto is_ours = [](std::uint8_t family) { return family == NFPROTO_IPV4 || family == NFPROTO_INET; };
    const auto table_name = [](std::uint8_t family, const std::string& table) {
        return (family == NFPROTO_INET ? "inet " : "ip ") + table;
    };
    std::map<std::pair<std::string, std::string>, std::size_t> places;
    for (const auto& chain : content.chains) {
        if (!is_ours(chain.family)) continue;
        auto table = table_name(chain.family, chain.table);
        places.emplace(std::pair(table, chain.name), out.size());
        out.push_back(
            {false, std::move(table), chain.name, chain.hook, chain.hook && chain.type == "nat", {}});
    }
    for (const auto& rule : content.rules) {
        if (!is_ours(rule.family)) continue;
        const auto place = places.find(std::pair(table_name(rule.family, rule.table), rule.chain));
        if (place != places.end()) out[place->second].rules.push_back(NftReader().read(rule));
    }
    return out;
}

std::vector<RuleChain> rule_chains(const XtTable& table, const std::string& name) {
    std::vector<RuleChain> out;
    std::map<std::string, std::size_t> places;
    for (const auto& chain : table.chains) {
        std::optional<NftHook> hook;
        if (chain.hook) hook = {*chain.hook, is_source_hook(*chain.hook) ? 100 : -100};
        places.emplace(chain.name, out.size());
        out.push_back({true, name, chain.name, hook, chain.hook && name == "nat", {}});
    }
    for (const auto& rule : table.rules) {
        const auto place = places.find(rule.chain);
        if (place != places.end()) out[place->second].rules.push_back(form_of(rule));
    }
    return out;
}

}  // namespace netlab::kernel
