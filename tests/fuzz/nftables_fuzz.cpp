#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "tests/fuzz/check.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::kernel;
using netlab::fuzz::check;

namespace {

/// It is one of these chains, and the rule is in it.
bool is_of(const std::vector<RuleChain>& chains, const RuleChain* chain, const PacketRule* rule) {
    const auto is = [](const auto* wanted) { return [wanted](const auto& one) { return &one == wanted; }; };
    return std::ranges::any_of(chains, is(chain)) &&
           (rule == nullptr || std::ranges::any_of(chain->rules, is(rule)));
}

/// Which of the rules a packet meets that is made there, or comes from outside.
void meet(const std::vector<RuleChain>& chains, std::uint32_t hook, const PacketFacts& packet) {
    const auto decision = find_nat(chains, hook, packet);
    check(decision.rule == nullptr || is_of(chains, decision.chain, decision.rule));
    check(decision.doubtful == nullptr || decision.uncertain);
    if (const auto unmet = find_unmet_nat(chains, hook, packet)) {
        check(is_of(chains, unmet->unmet.chain, unmet->unmet.rule));
        check(!unmet->ending.empty());
        for (const auto& one : unmet->ending)
            check(is_of(chains, one.chain, one.rule));
    }
    for (const std::uint32_t at : {NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_LOCAL_OUT}) {
        for (const auto part : {HookPart::whole, HookPart::before_dnat, HookPart::behind_dnat}) {
            const auto filter = find_drop(chains, at, packet, part);
            check(!filter.dropped || is_of(chains, filter.chain, filter.rule));
            check(!filter.dropped || (is_of(chains, filter.base, nullptr) && filter.base->hook));
            check(filter.doubtful == nullptr || is_of(chains, filter.doubtful_chain, filter.doubtful));
            const auto& effects = filter.effects;
            check(effects.untracks == nullptr || is_of(chains, effects.untrack_chain, effects.untracks));
            check(effects.zones == nullptr || is_of(chains, effects.zone_chain, effects.zones));
            auto behind = packet;
            apply(effects, behind);
            check(!effects.surely_untracks || behind.flow == flow_is_untracked);
        }
    }
    for (const auto kind : {FramePoint::Kind::ingress, FramePoint::Kind::bridge}) {
        const auto frame = find_frame_drop(chains, {kind, "veth1"}, packet);
        check(!frame.dropped || is_of(chains, frame.chain, frame.rule));
    }
}

/// A question to Docker's resolver, and what comes from outside, with as little known of it as there may be
/// and with as much.
void meet(const std::vector<RuleChain>& chains) {
    constexpr std::uint16_t port = 40000;
    constexpr std::uint16_t dns = 53;
    const auto own = *IpAddress::parse("127.0.0.1");
    const auto resolver = *IpAddress::parse("127.0.0.11");
    meet(chains, NF_INET_LOCAL_OUT, {own, resolver, IPPROTO_UDP, port, dns});
    meet(chains, NF_INET_LOCAL_OUT, {own, resolver, IPPROTO_TCP, port, dns});
    PacketFacts outside{*IpAddress::parse("203.0.113.1"), *IpAddress::parse("172.17.0.2"), IPPROTO_TCP, port,
                        dns};
    meet(chains, NF_INET_PRE_ROUTING, outside);
    outside.input = "veth1";
    outside.output = "";
    outside.destination_local = false;
    outside.reverse_path = true;
    outside.mark = 1;
    outside.flow = flow_is_new;
    meet(chains, NF_INET_PRE_ROUTING, outside);
    outside.flow = flow_is_established | flow_has_dnat;
    meet(chains, NF_INET_POST_ROUTING, outside);
    outside.source = *IpAddress::parse("2001:db8::1");
    outside.destination = *IpAddress::parse("2001:db8:6::2");
    outside.protocol = IPPROTO_ICMPV6;
    meet(chains, NF_INET_PRE_ROUTING, outside);
}

/// What would be told of rules, and which of them packets meet.
void follow(std::vector<RuleChain> chains) {
    meet(chains);
    // Whose chains a rule leads to: each program once.
    for (const auto& chain : chains) {
        auto programs = operations::programs_behind(chain);
        std::ranges::sort(programs);
        check(std::ranges::adjacent_find(programs) == programs.end());
    }
    for (const auto& chain : chains) {
        for (const auto& rule : chain.rules) {
            const auto text = rule.to_string();
            check(rule.comment.empty() || text.ends_with('"'));
            for (const auto& next : next_chains(rule))
                check(rule.verdicts || next == rule.chain);
        }
    }
    name_interfaces(chains, [](std::uint32_t index) { return "if" + std::to_string(index); });
    const auto is_named = [](const std::optional<Condition<std::string>>& interface) {
        return !interface || !interface->value.starts_with('/');
    };
    for (const auto& chain : chains) {
        for (const auto& rule : chain.rules)
            check(is_named(rule.input) && is_named(rule.output));
    }
}

/// Each set has all the elements that there are and that fit it, whatever set they are of; three of four no
/// more than are written out.
NftTables::Content content_of(std::span<const std::byte> bytes) {
    NftTables::Content content{parse_nft_chains(bytes), parse_nft_rules(bytes)};
    content.tables = parse_nft_tables(bytes);
    constexpr std::size_t most = 64;
    constexpr std::size_t few = 12;
    for (auto& set : parse_nft_sets(bytes)) {
        if (content.sets.size() == most) break;
        set.elements = parse_nft_elements(bytes);
        const bool written_out = content.sets.size() % 4 != 0;
        std::erase_if(set.elements, [&](const NftElement& one) {
            return one.key.empty() ? written_out : one.key.size() != set.key_length;
        });
        if (written_out && set.elements.size() > few) set.elements.resize(few);
        set.complete = true;
        auto sorted = set;
        sort_elements(sorted);
        for (std::size_t i = 0; i < set.elements.size() && i < most; ++i) {
            const auto& key = set.elements[i].key;
            check(look_up(set, key).kind == look_up(sorted, key).kind);
        }
        content.sets.push_back(std::make_shared<const NftSet>(std::move(set)));
    }
    return content;
}

}  // namespace

/// The rules of a namespace are written by whoever is root in it. The first byte says whose bytes follow: a
/// dump of nf_tables (chains, rules, sets and their elements in one), or a table of iptables-legacy or
/// ip6tables-legacy with its hooks' offsets in front.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    if (data[0] % 2 == 0) {
        const auto content = content_of(bytes);
        follow(rule_chains(content));
        follow(rule_chains(content, Family::ipv6));
        follow(frame_chains(content));
        follow(frame_chains(content, Family::ipv6));
        return 0;
    }
    XtBytes table;
    table.valid_hooks = 0x1B;  // the nat table's
    if (!read(bytes, table.hook_entry)) return 0;
    const auto entries = bytes.subspan(sizeof table.hook_entry);
    table.entries.assign(entries.begin(), entries.end());
    constexpr std::uint8_t of_ipv6 = 3;
    table.family = data[0] == of_ipv6 ? Family::ipv6 : Family::ipv4;
    if (const auto parsed = parse_xt_table(table)) follow(rule_chains(*parsed, "nat", table.family));
    return 0;
}
