#include "daemon/operations/address_ranges.hpp"

#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>
#include <span>

#include <linux/netfilter/nf_tables.h>

namespace netlab::operations {

namespace {

using kernel::NftElement;
using kernel::PacketField;
using Octets = std::vector<std::uint8_t>;

Octets octets_of(const IpAddress& address) {
    const auto bytes = address.bytes();
    return {bytes.begin(), bytes.end()};
}

/// The address with the bits behind the prefix all zero, or all one.
Octets with_host_bits(Octets octets, unsigned length, bool ones) {
    for (std::size_t i = length / 8; i < octets.size(); ++i) {
        const unsigned kept = i == length / 8 ? length % 8 : 0;
        const auto mask = static_cast<std::uint8_t>(0xFFU >> kept);
        octets[i] = static_cast<std::uint8_t>(ones ? octets[i] | mask : octets[i] & ~mask);
    }
    return octets;
}

/// False where there is none behind it.
bool to_next(Octets& octets) {
    for (auto i = octets.rbegin(); i != octets.rend(); ++i) {
        if (++*i != 0) return true;
    }
    return false;
}

/// False where there is none before it.
bool to_previous(Octets& octets) {
    for (auto i = octets.rbegin(); i != octets.rend(); ++i) {
        if ((*i)-- != 0) return true;
    }
    return false;
}

constexpr std::size_t v4_length = 4;
constexpr std::size_t v6_length = 16;

/// How long an address is in that set's keys; 0: it fits neither family.
std::size_t address_length(const kernel::SetCondition& set) {
    for (const auto address : {v4_length, v6_length}) {
        std::size_t length = 0;
        for (const auto field : set.fields)
            length += (kernel::rule_parts::field_length(field, address) + 3) / 4 * 4;
        if (length == (set.set->key_length + 3) / 4 * 4) return address;
    }
    return 0;
}

Octets part(const std::vector<std::byte>& key, std::size_t at, std::size_t length) {
    if (key.size() < at + length) return {};
    const auto bytes = std::span(key).subspan(at, length);
    Octets out;
    for (const auto byte : bytes)
        out.push_back(std::to_integer<std::uint8_t>(byte));
    return out;
}

/// Of an address list with hundreds of thousands of ranges some are enough.
constexpr std::size_t most_prefixes = 4096;

void append(std::vector<IpPrefix>& out, const Octets& first, const Octets& last) {
    if (out.size() >= most_prefixes) return;
    if (first.empty() || first.size() != last.size()) return;
    std::ranges::move(prefixes_between(IpAddress::from_bytes(first), IpAddress::from_bytes(last)),
                      std::back_inserter(out));
}

/// Of boundaries: an interval goes to the one before the next.
void append_intervals(std::vector<IpPrefix>& out, const kernel::NftSet& set, std::size_t length) {
    std::vector<const NftElement*> in_order;
    for (const auto& element : set.elements) {
        if (element.key.size() >= length) in_order.push_back(&element);
    }
    std::ranges::sort(in_order, [](const NftElement* one, const NftElement* other) {
        return one->key != other->key ? one->key < other->key : one->interval_end && !other->interval_end;
    });
    for (std::size_t i = 0; i < in_order.size(); ++i) {
        if (in_order[i]->interval_end) continue;
        const auto first = part(in_order[i]->key, 0, length);
        Octets last(length, 0xFF);
        if (i + 1 < in_order.size()) {
            last = part(in_order[i + 1]->key, 0, length);
            if (!to_previous(last)) continue;
        }
        append(out, first, last);
    }
}

}  // namespace

std::vector<IpPrefix> prefixes_between(const IpAddress& first, const IpAddress& last) {
    std::vector<IpPrefix> out;
    auto from = octets_of(first);
    const auto to = octets_of(last);
    while (from <= to) {
        auto length = static_cast<unsigned>(8 * from.size());
        while (length > 0 && with_host_bits(from, length - 1, false) == from &&
               with_host_bits(from, length - 1, true) <= to)
            --length;
        if (const auto prefix = IpPrefix::make(IpAddress::from_bytes(from), length)) out.push_back(*prefix);
        from = with_host_bits(from, length, true);
        if (!to_next(from)) break;
    }
    return out;
}

std::vector<IpPrefix> prefixes_in(const kernel::SetCondition& set, PacketField field) {
    std::vector<IpPrefix> out;
    if (!set.set) return out;
    const auto length = address_length(set);
    std::size_t at = 0;
    for (const auto one : set.fields) {
        if (one == field) break;
        at += (kernel::rule_parts::field_length(one, length) + 3) / 4 * 4;
    }
    const bool has_it = std::ranges::find(set.fields, field) != set.fields.end();
    if (length == 0 || !has_it) return out;
    if (set.fields.size() == 1 && (set.set->flags & NFT_SET_INTERVAL) != 0) {
        append_intervals(out, *set.set, length);
        return out;
    }
    for (const auto& element : set.set->elements)
        append(out, part(element.key, at, length),
               part(element.key_end.empty() ? element.key : element.key_end, at, length));
    return out;
}

IpAddress first_of(const IpPrefix& network) {
    return IpAddress::from_bytes(with_host_bits(octets_of(network.address()), network.length(), false));
}

std::vector<IpAddress> members_of(const IpPrefix& network) {
    const auto first = octets_of(first_of(network));
    std::vector<IpAddress> out;
    const auto add = [&](Octets octets) {
        const auto address = IpAddress::from_bytes(octets);
        if (network.contains(address) && std::ranges::find(out, address) == out.end()) out.push_back(address);
    };
    // A pattern over the host's bits; the network's own address and the last one of IPv4 have no host.
    for (const unsigned pattern : {0x01U, 0x4DU, 0xA5U, 0xFEU}) {
        auto octets = first;
        for (std::size_t i = network.length() / 8; i < octets.size(); ++i) {
            const unsigned kept = i == network.length() / 8 ? network.length() % 8 : 0;
            const bool is_last = i + 1 == octets.size();
            const unsigned bits = pattern == 1 && !is_last ? 0 : pattern;
            octets[i] = static_cast<std::uint8_t>(octets[i] | (bits & (0xFFU >> kept)));
        }
        add(std::move(octets));
    }
    add(first);
    return out;
}

}  // namespace netlab::operations
