#include "daemon/kernel/arp_chains.hpp"
#include "daemon/kernel/nft_rule_reader.hpp"
#include "daemon/kernel/packet_rule.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace netlab::kernel {

namespace {

const NftTable* table_of(const NftTables::Content& content, std::uint8_t family, std::string_view name) {
    const auto found = std::ranges::find_if(
        content.tables, [&](const NftTable& table) { return table.family == family && table.name == name; });
    return found == content.tables.end() ? nullptr : &*found;
}

std::string_view family_name(std::uint8_t family) {
    switch (family) {
        case NFPROTO_INET:
            return "inet ";
        case NFPROTO_IPV4:
            return "ip ";
        case NFPROTO_IPV6:
            return "ip6 ";
        case NFPROTO_BRIDGE:
            return "bridge ";
        case NFPROTO_ARP:
            return "arp ";
        default:
            return "netdev ";
    }
}

RuleChain form_of(const NftChain& chain, const NftTable* table) {
    RuleChain out;
    out.table = std::string(family_name(chain.family)) + chain.table;
    out.name = chain.name;
    out.hook = chain.hook;
    out.nat = chain.hook && chain.type == "nat";
    out.drops = chain.hook && chain.policy == NF_DROP;
    if (table != nullptr) out.owner = table->owner;
    return out;
}

/// Of the tables of these families that are not dormant; `read(rule, sets)` as some packets meet a rule.
template <class Read>
std::vector<RuleChain> chains_of(const NftTables::Content& content, std::span<const std::uint8_t> families,
                                 Read read) {
    std::vector<RuleChain> out;
    NftSets sets;
    for (const auto& set : content.sets)
        sets.emplace(std::tuple(set->family, std::string_view(set->table), std::string_view(set->name)), set);
    std::map<std::tuple<std::uint8_t, std::string_view, std::string_view>, std::size_t> places;
    for (const auto& chain : content.chains) {
        const auto* table = table_of(content, chain.family, chain.table);
        const bool sleeps = table != nullptr && (table->flags & NFT_TABLE_F_DORMANT) != 0;
        if (sleeps || std::ranges::find(families, chain.family) == families.end()) continue;
        places.emplace(std::tuple(chain.family, std::string_view(chain.table), std::string_view(chain.name)),
                       out.size());
        out.push_back(form_of(chain, table));
    }
    for (const auto& rule : content.rules) {
        const auto place =
            places.find(std::tuple(rule.family, std::string_view(rule.table), std::string_view(rule.chain)));
        if (place == places.end()) continue;
        if (auto form = read(rule, sets)) out[place->second].rules.push_back(std::move(*form));
    }
    return out;
}

auto read_for(Family packets) {
    return [packets](const NftRule& rule, const NftSets& sets) { return read_rule(rule, packets, sets); };
}

constexpr std::array<std::uint8_t, 3> families_of_frames{NFPROTO_BRIDGE, NFPROTO_NETDEV, NFPROTO_INET};

/// Of chains that see frames. Others are there for who jumps to them; nothing where no frame comes to any.
std::vector<RuleChain> only_of_frames(std::vector<RuleChain> chains) {
    for (auto& chain : chains) {
        const bool of_packets = chain.table.starts_with("inet ");
        if (of_packets && chain.hook && chain.hook->number != NF_INET_INGRESS) chain.hook.reset();
    }
    const bool any =
        std::ranges::any_of(chains, [](const RuleChain& chain) { return chain.hook.has_value(); });
    return any ? std::move(chains) : std::vector<RuleChain>();
}

}  // namespace

std::vector<RuleChain> rule_chains(const NftTables::Content& content, Family wanted) {
    const std::uint8_t own = wanted == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
    const std::array<std::uint8_t, 2> families{own, NFPROTO_INET};
    return chains_of(content, families, read_for(wanted));
}

std::vector<RuleChain> frame_chains(const NftTables::Content& content, Family wanted) {
    return only_of_frames(chains_of(content, families_of_frames, read_for(wanted)));
}

ArpChains arp_chains(const NftTables::Content& content) {
    static constexpr std::array<std::uint8_t, 1> own{NFPROTO_ARP};
    return {chains_of(content, own, read_arp_rule),
            only_of_frames(chains_of(content, families_of_frames, read_arp_rule))};
}

}  // namespace netlab::kernel
