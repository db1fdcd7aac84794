#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace netlab::kernel {

namespace {

using namespace rule_parts;
using Bytes = std::span<const std::byte>;

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

}  // namespace netlab::kernel
