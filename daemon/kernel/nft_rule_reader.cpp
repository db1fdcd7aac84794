#include "daemon/kernel/nft_rule_reader.hpp"

#include "daemon/kernel/nft_arp_header.hpp"
#include "daemon/kernel/nft_rule_order.hpp"
#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

using namespace rule_parts;
using Bytes = std::span<const std::byte>;

/// Goes through one rule's expressions, as a packet of one family meets them; knows what each register holds.
class NftReader {
  public:
    NftReader(Family family, const NftSets& sets, bool arp = false)
        : family_(family), arp_(arp), sets_(sets) {}

    /// nullopt: it is for the other family's packets.
    std::optional<PacketRule> read(const NftRule& in) {
        in_ = &in;
        rule_.handle = in.handle;
        rule_.comment = in.comment;
        rule_.arp = arp_;
        for (const auto& expression : in.expressions)
            std::visit([&](const auto& one) { take(one); }, expression);
        if (goes_on_behind_map(in)) {
            rule_.verdicts.reset();
            rule_.more_conditions = true;
            rule_.action = RuleAction::other;
            if (rule_.other.empty()) rule_.other = "vmap …";
        }
        rule_.effects_first = effects_come_first(in);
        if (of_other_family_) return rule_.effects_first ? std::optional(effects_only()) : std::nullopt;
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
        family,
        ether_type,
        input,
        output,
        input_index,
        output_index,
        mark,
        destination_type,
        reverse_path,
        flow,
        nat_done,
        tcp_flags,
        icmp_type,
        arp_format,
        arp_operation,
    };
    struct Held {
        Field field = Field::unknown;
        std::size_t length = 0;
        std::optional<unsigned> prefix;     ///< of an address that was masked
        std::optional<std::uint32_t> mask;  ///< of a number that was
        std::vector<std::byte> value;       ///< of an immediate
    };
    static constexpr NftRegister registers = 16;

    Held held(NftRegister index) const { return index < registers ? held_[index] : Held(); }
    void hold(NftRegister index, Held what) {
        if (index < registers) held_[index] = std::move(what);
    }
    void hold(NftRegister index, Field field, std::size_t length = sizeof(std::uint32_t)) {
        hold(index, Held{field, length, {}, {}, {}});
    }

    /// Of a rule for the other family what comes before it says so.
    [[nodiscard]] PacketRule effects_only() const {
        PacketRule out;
        out.handle = rule_.handle;
        out.sets_mark = rule_.sets_mark;
        out.untracks = rule_.untracks;
        out.zone = rule_.zone;
        return out;
    }

    [[nodiscard]] std::size_t address_length() const {
        return family_ == Family::ipv4 ? sizeof(in_addr) : sizeof(in6_addr);
    }

    /// By struct iphdr and struct ipv6hdr.
    [[nodiscard]] Field network_field(const NftPayload& load) const {
        const bool v4 = family_ == Family::ipv4;
        const std::uint32_t source = v4 ? 12 : 8;
        const std::uint32_t destination = v4 ? 16 : 24;
        const std::uint32_t protocol = v4 ? 9 : 6;
        if (load.offset == protocol && load.length == 1) return Field::protocol;
        if (load.length < 1 || load.length > address_length()) return Field::unknown;
        if (load.offset == source) return Field::source;
        return load.offset == destination ? Field::destination : Field::unknown;
    }

    void take(const NftPayload& load) {
        auto field = Field::unknown;
        // nft_payload_eval() of net/netfilter/nft_payload.c: a rule that asks for what is not there ends.
        of_other_family_ = of_other_family_ || (arp_ && load.base == NFT_PAYLOAD_TRANSPORT_HEADER);
        if (load.base == NFT_PAYLOAD_NETWORK_HEADER) {
            if (arp_) return hold_arp(load);
            field = network_field(load);
        }
        constexpr std::uint32_t ether_type = 12;  // of struct ethhdr
        if (load.base == NFT_PAYLOAD_LL_HEADER && load.offset == ether_type && load.length == 2)
            field = Field::ether_type;
        if (load.base == NFT_PAYLOAD_TRANSPORT_HEADER && load.length == 2) {
            if (load.offset == 0) field = Field::source_port;
            if (load.offset == 2) field = Field::destination_port;
        }
        const bool tcp = rule_.protocol == Condition<std::uint8_t>{IPPROTO_TCP, false};
        constexpr std::uint32_t flags = 13;  // of struct tcphdr
        if (load.base == NFT_PAYLOAD_TRANSPORT_HEADER && tcp && load.offset == flags && load.length == 1)
            field = Field::tcp_flags;
        const bool icmp = rule_.protocol == Condition<std::uint8_t>{IPPROTO_ICMP, false} ||
                          rule_.protocol == Condition<std::uint8_t>{IPPROTO_ICMPV6, false};
        if (load.base == NFT_PAYLOAD_TRANSPORT_HEADER && icmp && load.offset == 0 && load.length == 1)
            field = Field::icmp_type;
        hold(load.to, field, load.length);
    }

    void hold_arp(const NftPayload& load) {
        auto loaded = arp_load(load);
        Held what{Field::unknown, load.length, {}, {}, std::move(loaded.value)};
        if (loaded.part == ArpPart::format) what.field = Field::arp_format;
        if (loaded.part == ArpPart::operation) what.field = Field::arp_operation;
        if (loaded.part == ArpPart::sender) what.field = Field::source;
        if (loaded.part == ArpPart::target) what.field = Field::destination;
        hold(load.to, std::move(what));
    }

    void take(const NftMeta& meta) {
        struct Known {
            std::uint32_t key;
            Field field;
        };
        static constexpr Known known[] = {
            {NFT_META_L4PROTO, Field::protocol},    {NFT_META_NFPROTO, Field::family},
            {NFT_META_PROTOCOL, Field::ether_type}, {NFT_META_IIFNAME, Field::input},
            {NFT_META_OIFNAME, Field::output},      {NFT_META_IIF, Field::input_index},
            {NFT_META_OIF, Field::output_index},    {NFT_META_MARK, Field::mark},
        };
        of_other_family_ = of_other_family_ || (arp_ && meta.key == NFT_META_L4PROTO);
        const auto* found = std::ranges::find(known, meta.key, &Known::key);
        hold(meta.to, found != std::end(known) ? found->field : Field::unknown);
    }

    void take(const NftFib& fib) {
        const bool kind = fib.result == NFT_FIB_RESULT_ADDRTYPE && fib.flags == NFTA_FIB_F_DADDR;
        // Whether there is a route, perhaps one for the packet's mark, too.
        constexpr std::uint32_t back = NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT;
        const bool reverse =
            fib.result == NFT_FIB_RESULT_OIF && (fib.flags & ~std::uint32_t{NFTA_FIB_F_MARK}) == back;
        hold(fib.to, kind ? Field::destination_type : reverse ? Field::reverse_path : Field::unknown);
    }

    void take(const NftConntrack& conntrack) {
        auto field = Field::unknown;
        if (conntrack.key == NFT_CT_STATE) field = Field::flow;
        if (conntrack.key == NFT_CT_STATUS) field = Field::nat_done;
        hold(conntrack.to, field);
    }

    void take(const NftBitwise& bits) {
        auto what = held(bits.from);
        const bool zero = std::ranges::all_of(bits.exclusive, [](std::byte b) { return b == std::byte{0}; });
        const bool address = what.field == Field::source || what.field == Field::destination;
        const bool number =
            what.field == Field::mark || what.field == Field::flow || what.field == Field::nat_done;
        if (what.field == Field::tcp_flags && zero && !bits.mask.empty()) {
            what.mask = std::to_integer<std::uint8_t>(bits.mask[0]);
            return hold(bits.to, std::move(what));
        }
        what.prefix = prefix_length(bits.mask);
        what.mask = host_number(bits.mask);
        if (!zero || (!number && (!address || !what.prefix))) what = {};
        hold(bits.to, std::move(what));
    }

    /// nft(8) asks so for a protocol's one byte to be turned round, too, which the kernel leaves as it is.
    void take(const NftByteOrder& order) {
        if (order.from == order.to && order.length < order.size) return;
        hold(order.to, Field::unknown);
    }

    /// A number of four bytes in the machine's order.
    static std::optional<std::uint32_t> host_number(const std::vector<std::byte>& bytes) {
        std::uint32_t number = 0;
        return kernel::read(Bytes(bytes), number) ? std::optional(number) : std::nullopt;
    }

    void take(const NftCompare& compare) {
        const bool decided = compare.op == NFT_CMP_EQ || compare.op == NFT_CMP_NEQ;
        if (!decided || !compared(held(compare.from), compare.data, compare.op == NFT_CMP_NEQ))
            rule_.more_conditions = true;
    }

    /// False where it is not understood.
    bool compared(const Held& what, const std::vector<std::byte>& data, bool inverted) {
        switch (what.field) {
            case Field::source:
            case Field::destination:
                return address_compared(what, data, inverted);
            case Field::protocol:
                if (data.empty()) return false;
                put(rule_.protocol, {std::to_integer<std::uint8_t>(data[0]), inverted});
                return true;
            case Field::source_port:
            case Field::destination_port: {
                if (data.size() < 2) return false;
                const auto port = big_endian(data);
                put(port_slot(what.field), {{port, port}, inverted});
                return true;
            }
            case Field::family:
                if (data.empty() || arp_) return false;
                return family_compared(
                    std::to_integer<int>(data[0]) == (family_ == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6),
                    inverted);
            case Field::ether_type:
                if (data.size() < 2) return false;
                return family_compared(big_endian(data) == ether_type(), inverted);
            case Field::arp_format:
                if (data.size() < what.value.size()) return false;
                return family_compared(std::ranges::equal(Bytes(data).first(what.value.size()), what.value),
                                       inverted);
            case Field::arp_operation:
                if (data.size() < 2) return false;
                put(rule_.arp_operation, {big_endian(data), inverted});
                return true;
            case Field::tcp_flags: {
                if (data.empty()) return false;
                constexpr std::uint32_t whole = 0xFF;
                put(rule_.tcp_flags, {{std::to_integer<std::uint8_t>(data[0]),
                                       static_cast<std::uint8_t>(what.mask.value_or(whole))},
                                      inverted});
                return true;
            }
            case Field::input:
            case Field::output:
                put(what.field == Field::input ? rule_.input : rule_.output, {name_of(data), inverted});
                return true;
            case Field::icmp_type:
                if (data.empty()) return false;
                put(rule_.icmp_type, {std::to_integer<std::uint8_t>(data[0]), inverted});
                return true;
            case Field::reverse_path:
                if (data.empty() || rule_.reverse_path) return false;
                rule_.reverse_path = (data[0] != std::byte{0}) != inverted;
                return true;
            default:
                return number_compared(what, host_number(data), inverted);
        }
    }

    [[nodiscard]] std::uint16_t ether_type() const {
        if (arp_) return ETH_P_ARP;
        return family_ == Family::ipv4 ? ETH_P_IP : ETH_P_IPV6;
    }

    bool family_compared(bool is_wanted, bool inverted) {
        of_other_family_ = of_other_family_ || is_wanted == inverted;
        return true;
    }

    bool address_compared(const Held& what, const std::vector<std::byte>& data, bool inverted) {
        const auto length = what.prefix ? *what.prefix : static_cast<unsigned>(8 * what.length);
        const auto prefix = IpPrefix::make(address_of(Bytes(data), family_), length);
        if (!prefix) return false;
        put(what.field == Field::source ? rule_.source : rule_.destination, {*prefix, inverted});
        return true;
    }

    bool number_compared(const Held& what, std::optional<std::uint32_t> number, bool inverted) {
        if (!number) return false;
        switch (what.field) {
            case Field::input_index:
            case Field::output_index:
                put(what.field == Field::input_index ? rule_.input : rule_.output,
                    {interface_by_index(*number), inverted});
                return true;
            case Field::mark:
                put(rule_.mark, {{*number, what.mask.value_or(~0U)}, inverted});
                return true;
            case Field::destination_type:
                if (rule_.destination_local) return false;
                // What is of another kind (broadcast, multicast, …) is not local; more is not known of it.
                if (*number != RTN_LOCAL) {
                    if (!inverted) rule_.destination_local = false;
                    return false;
                }
                rule_.destination_local = !inverted;
                return true;
            case Field::flow:
                // "& bits != 0", or one bit that is all there is.
                if (what.mask && *number != 0) return false;
                put(rule_.flow, {flow_bits(what.mask.value_or(*number)), what.mask ? !inverted : inverted});
                return true;
            case Field::nat_done: {
                constexpr std::uint32_t snat = 1U << 4;  // IPS_SRC_NAT, IPS_DST_NAT of nf_conntrack_common.h
                constexpr std::uint32_t dnat = 1U << 5;
                const auto mask = what.mask.value_or(0);
                if (*number != 0 || (mask != dnat && mask != snat)) return false;
                put(rule_.flow, {mask == dnat ? flow_has_dnat : flow_has_snat, !inverted});
                return true;
            }
            default:
                return false;
        }
    }

    /// nf_tables has another bit for what is not tracked than x_tables, which has it for what NAT did.
    static std::uint32_t flow_bits(std::uint32_t state) {
        constexpr std::uint32_t untracked = 1U << 6;  // NF_CT_STATE_UNTRACKED_BIT
        return (state & untracked) != 0 ? (state & ~untracked) | flow_is_untracked : state;
    }

    /// Where no zero ends it, it is how names begin.
    static std::string name_of(const std::vector<std::byte>& data) {
        std::string name;
        for (const auto byte : data) {
            if (byte == std::byte{0}) return name;
            name += std::to_integer<char>(byte);
        }
        constexpr std::size_t whole = 16;
        return data.size() < whole ? name + "*" : name;
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

    void take(const NftImmediate& immediate) {
        hold(immediate.to, Held{Field::unknown, 0, {}, {}, immediate.data});
    }
    void take(const NftVerdict& verdict) { take_verdict(rule_, verdict.code, verdict.chain); }
    void take(const NftLookup& lookup) {
        auto condition = condition_of(lookup);
        if (lookup.to) hold(*lookup.to, Field::unknown);
        if (lookup.decides) {
            rule_.action = RuleAction::other;
            rule_.other = "vmap @" + lookup.set;
        }
        // What another map found is in a register, and not known.
        rule_.more_conditions = rule_.more_conditions || !condition || (lookup.to && !lookup.decides);
        if (!condition) return;
        if (lookup.decides) {
            rule_.verdicts = std::move(*condition);
        } else {
            rule_.sets.push_back(std::move(*condition));
        }
    }

    /// nullopt where the set or what is looked up in it is not known.
    [[nodiscard]] std::optional<SetCondition> condition_of(const NftLookup& lookup) const {
        const auto found =
            sets_.find(std::tuple(in_->family, std::string_view(in_->table), std::string_view(lookup.set)));
        if (found == sets_.end()) return std::nullopt;
        SetCondition out{{}, lookup.inverted, found->second};
        const auto length = found->second->key_length;
        constexpr std::uint32_t width = sizeof(std::uint32_t);
        for (std::uint32_t at = 0; at < length;) {
            const auto what = held(lookup.from + at / width);
            const auto field = field_in_set(what);
            if (!field) return std::nullopt;
            out.fields.push_back(*field);
            const auto bytes = static_cast<std::uint32_t>(field_length(*field, address_length()));
            at += (bytes + width - 1) / width * width;
        }
        return out;
    }

    /// Of what is held as it came, without a mask.
    [[nodiscard]] std::optional<PacketField> field_in_set(const Held& what) const {
        struct Known {
            Field held;
            PacketField field;
        };
        static constexpr Known known[] = {
            {Field::source, PacketField::source},
            {Field::destination, PacketField::destination},
            {Field::protocol, PacketField::protocol},
            {Field::source_port, PacketField::source_port},
            {Field::destination_port, PacketField::destination_port},
            {Field::input, PacketField::input},
            {Field::output, PacketField::output},
            {Field::mark, PacketField::mark},
            {Field::flow, PacketField::flow},
            {Field::destination_type, PacketField::destination_kind},
            {Field::icmp_type, PacketField::icmp_type},
        };
        const auto* found = std::ranges::find(known, what.field, &Known::held);
        if (found == std::end(known) || what.mask || what.prefix) return std::nullopt;
        // The beginning of an address is none.
        const bool address = what.field == Field::source || what.field == Field::destination;
        if (address && what.length != address_length()) return std::nullopt;
        return found->field;
    }

    void take(const NftCounter& counter) {
        rule_.packets = counter.packets;
        rule_.bytes = counter.bytes;
    }
    void take(const NftMatch& match) { take_match(rule_, match); }
    void take(const NftTarget& target) { take_target(rule_, target, family_); }

    void take(const NftNat& nat) {
        rule_.action = nat.type == NFT_NAT_DNAT ? RuleAction::dnat : RuleAction::snat;
        if (nat.address) {
            const auto value = held(*nat.address).value;
            if (value.size() == address_length()) rule_.to_address = address_of(Bytes(value), family_);
        }
        take_port(nat.port);
        // Out of a map: which one is not known.
        if (nat.address && !rule_.to_address) rule_.more_conditions = true;
    }

    void take(const NftRedirect& redirect) {
        rule_.action = RuleAction::redirect;
        take_port(redirect.port);
    }

    /// That NAT gives; out of a map it is not known.
    void take_port(std::optional<NftRegister> port) {
        if (!port) return;
        const auto value = held(*port).value;
        if (value.size() >= 2) rule_.to_port = big_endian(value);
        if (!rule_.to_port) rule_.more_conditions = true;
    }

    /// The number is as the machine has it (nft_ct_set_zone_eval() of net/netfilter/nft_ct.c).
    void take(const NftSetZone& zone) {
        auto& to = rule_.zone.emplace();
        std::uint16_t number = 0;
        const auto value = held(zone.from).value;
        if (zone.direction == IP_CT_DIR_ORIGINAL) {
            to.of_answers = 0;
        } else if (value.size() >= sizeof number) {
            std::memcpy(&number, value.data(), sizeof number);
            to.of_answers = number;
        }
    }

    void take(const NftOther& other) {
        if (other.name == "masq") {
            rule_.action = RuleAction::masquerade;
        } else if (other.name == "reject") {
            rule_.action = RuleAction::reject;
        } else if (decides(other.name)) {
            rule_.action = RuleAction::other;
            rule_.other = other.name;
        } else if (other.name == "meta mark" || other.name == "notrack") {
            (other.name == "notrack" ? rule_.untracks : rule_.sets_mark) = true;
        } else if (!goes_on(other.name)) {
            // A limit, a quota: whether the rule goes on is not known.
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

    Family family_;
    bool arp_;  ///< the frames are ARP's, and `family_` says nothing
    const NftSets& sets_;
    const NftRule* in_ = nullptr;
    PacketRule rule_;
    bool of_other_family_ = false;
    std::array<Held, registers> held_;
};

}  // namespace

std::optional<PacketRule> read_rule(const NftRule& rule, Family packets, const NftSets& sets) {
    return NftReader(packets, sets).read(rule);
}

std::optional<PacketRule> read_arp_rule(const NftRule& rule, const NftSets& sets) {
    return NftReader(Family::ipv4, sets, true).read(rule);
}

}  // namespace netlab::kernel
