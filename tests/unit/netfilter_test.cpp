#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/embedded_resolver.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netfilter_bytes.hpp"

#include <cstring>
#include <limits>
#include <random>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>

using namespace netlab;
using namespace netlab::kernel;
using namespace netlab::test;

namespace {

using Bytes = std::vector<std::byte>;
using Texts = std::vector<std::string>;

Bytes unhex(std::string_view hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    Bytes out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out.push_back(static_cast<std::byte>(digit(hex[i]) << 4 | digit(hex[i + 1])));
    return out;
}

NftTables::Content recorded_nft() {
    return {parse_nft_chains(unhex(recorded::nft_chains)), parse_nft_rules(unhex(recorded::nft_rules)), true,
            true};
}

/// With the offsets that IPT_SO_GET_INFO said of it.
XtBytes recorded_xt() {
    XtBytes bytes;
    bytes.valid_hooks = 27;
    bytes.hook_entry = {0, 152, 0xFFFFFFFF, 304, 608};
    bytes.entries = unhex(recorded::xt_entries);
    return bytes;
}

/// A table of one entry, which has this target and matches everything.
template <class Target>
XtBytes one_entry(const Target& target) {
    ipt_entry entry{};
    entry.target_offset = sizeof entry;
    entry.next_offset = sizeof entry + sizeof target;
    XtBytes bytes;
    for (const auto part : {std::as_bytes(std::span(&entry, 1)), std::as_bytes(std::span(&target, 1))})
        bytes.entries.insert(bytes.entries.end(), part.begin(), part.end());
    return bytes;
}

const RuleChain& chain_of(const std::vector<RuleChain>& chains, std::string_view table,
                          std::string_view name) {
    const auto found = std::ranges::find_if(
        chains, [&](const RuleChain& chain) { return chain.table == table && chain.name == name; });
    REQUIRE(found != chains.end());
    return *found;
}

Texts texts(const RuleChain& chain) {
    Texts out;
    for (const auto& rule : chain.rules)
        out.push_back(rule.to_string());
    return out;
}

PacketFacts query(std::uint8_t protocol, const char* to = "127.0.0.11", std::uint16_t port = 53) {
    return {*IpAddress::parse("127.0.0.1"), *IpAddress::parse(to), protocol, 40000, port};
}

std::string decided(const std::vector<RuleChain>& chains, const PacketFacts& packet,
                    std::uint32_t hook = NF_INET_LOCAL_OUT) {
    const auto decision = find_nat(chains, hook, packet);
    return decision.rule == nullptr ? "nothing" : decision.rule->to_string();
}

PacketRule rule(RuleAction action, std::string chain = {}) {
    PacketRule out;
    out.action = action;
    out.chain = std::move(chain);
    return out;
}

PacketRule dnat(std::uint16_t port) {
    auto out = rule(RuleAction::dnat);
    out.to_port = port;
    return out;
}

RuleChain base(std::vector<PacketRule> rules, std::int32_t priority = -100) {
    return {false, "ip t",          "base" + std::to_string(priority), NftHook{NF_INET_LOCAL_OUT, priority},
            true,  std::move(rules)};
}

RuleChain plain(std::string name, std::vector<PacketRule> rules) {
    return {false, "ip t", std::move(name), {}, false, std::move(rules)};
}

}  // namespace

TEST_CASE("nftables: the chains of iptables-nft and of nft, with their hooks", "[unit]") {
    const auto chains = parse_nft_chains(unhex(recorded::nft_chains));
    REQUIRE(chains.size() == 6);
    const auto output = std::ranges::find(chains, "OUTPUT", &NftChain::name);
    REQUIRE(output != chains.end());
    CHECK(output->table == "nat");
    CHECK(output->type == "nat");
    CHECK(output->family == NFPROTO_IPV4);
    CHECK(output->hook == NftHook{NF_INET_LOCAL_OUT, -100});
    const auto own = std::ranges::find(chains, "DOCKER_OUTPUT", &NftChain::name);
    REQUIRE(own != chains.end());
    CHECK_FALSE(own->hook);
    CHECK(std::ranges::count(chains, "docker-dns", &NftChain::table) == 2);
}

TEST_CASE("nftables: rules as nft list has them, with their handles and counters", "[unit]") {
    const auto chains = rule_chains(recorded_nft());
    CHECK(texts(chain_of(chains, "ip nat", "OUTPUT")) == Texts{"ip daddr 127.0.0.11 jump DOCKER_OUTPUT"});
    CHECK(texts(chain_of(chains, "ip nat", "DOCKER_OUTPUT")) ==
          Texts{"ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:41235",
                "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:36441"});
    CHECK(texts(chain_of(chains, "ip nat", "DOCKER_POSTROUTING")) ==
          Texts{"ip saddr 127.0.0.11 tcp sport 41235 snat to :53",
                "ip saddr 127.0.0.11 udp sport 36441 snat to :53"});
    CHECK(texts(chain_of(chains, "ip docker-dns", "dns-dnat")) ==
          Texts{"ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:5353"});
    CHECK(texts(chain_of(chains, "ip docker-dns", "dns-snat")) ==
          Texts{"ip saddr 127.0.0.11 udp sport 5353 snat to :53"});
    const auto& first = chain_of(chains, "ip nat", "DOCKER_OUTPUT").rules.front();
    CHECK(first.handle == 9);
    CHECK(first.packets == 0);
    CHECK_FALSE(first.more_conditions);
}

TEST_CASE("embedded resolver: its rules are only known where both kinds were read whole", "[unit]") {
    using operations::known_rules;
    using Nft = Result<NftTables::Content>;
    using Legacy = Result<std::optional<XtBytes>>;
    const auto nft = recorded_nft();
    const auto xt = std::optional(recorded_xt());
    const Error failed{errc::operation_failed, "no", {}, {}};
    const Nft none = NftTables::Content{{}, {}, false, true};
    const Nft in_part = NftTables::Content{nft.chains, nft.rules, true, false};
    auto cut = *xt;
    cut.entries.pop_back();
    auto large = *xt;
    large.too_large = true;

    CHECK(known_rules(nft, Legacy(std::nullopt)).known);
    CHECK(known_rules(nft, xt).known);
    CHECK(known_rules(nft, xt).chains.size() > known_rules(nft, Legacy(std::nullopt)).chains.size());
    CHECK(known_rules(none, xt).known);
    // A table that iptables-legacy made says nothing of what nft holds.
    CHECK_FALSE(known_rules(failed, xt).known);
    CHECK_FALSE(known_rules(failed, xt).chains.empty());
    CHECK_FALSE(known_rules(in_part, Legacy(std::nullopt)).known);
    CHECK_FALSE(known_rules(none, Legacy(std::nullopt)).known);
    CHECK_FALSE(known_rules(nft, failed).known);
    CHECK_FALSE(known_rules(nft, std::optional(cut)).known);
    CHECK_FALSE(known_rules(nft, std::optional(large)).known);
}

TEST_CASE("x_tables: the same rules from iptables-legacy's block", "[unit]") {
    const auto table = parse_xt_table(recorded_xt());
    REQUIRE(table);
    const auto chains = rule_chains(*table, "nat");
    CHECK(texts(chain_of(chains, "ip nat", "OUTPUT")) ==
          Texts{"ip daddr 127.0.0.11 jump DOCKER_OUTPUT"});  // the policy is no rule
    CHECK(chain_of(chains, "ip nat", "OUTPUT").hook == NftHook{NF_INET_LOCAL_OUT, -100});
    CHECK(chain_of(chains, "ip nat", "POSTROUTING").hook == NftHook{NF_INET_POST_ROUTING, 100});
    const auto& own = chain_of(chains, "ip nat", "DOCKER_OUTPUT");
    CHECK(texts(own) == Texts{"ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:41235",
                              "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:36441", "return"});
    CHECK(own.rules[1].number == 2);
    CHECK(own.legacy);
    CHECK(decided(chains, query(IPPROTO_UDP)) == "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:36441");
    CHECK(decided(chains, query(IPPROTO_UDP, "127.0.0.12")) == "nothing");
}

TEST_CASE("nat: the rule that a packet meets is found through the jump", "[unit]") {
    const auto chains = rule_chains(recorded_nft());
    // Of equal priority the one that was made last comes first: that of Docker 29's table.
    CHECK(decided(chains, query(IPPROTO_UDP)) == "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:5353");
    CHECK(decided(chains, query(IPPROTO_TCP)) == "ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:41235");
    CHECK(decided(chains, query(IPPROTO_TCP, "127.0.0.11", 54)) == "nothing");
    CHECK(decided(chains, query(IPPROTO_UDP), NF_INET_PRE_ROUTING) == "nothing");
    auto without_jump = recorded_nft();
    std::erase_if(without_jump.rules, [](const NftRule& one) { return one.chain == "OUTPUT"; });
    std::erase_if(without_jump.chains, [](const NftChain& one) { return one.table == "docker-dns"; });
    CHECK(decided(rule_chains(without_jump), query(IPPROTO_UDP)) == "nothing");
    auto flushed = recorded_nft();
    std::erase_if(flushed.rules, [](const NftRule& one) { return one.table == "nat"; });
    // Docker 29's table is still there.
    CHECK(decided(rule_chains(flushed), query(IPPROTO_UDP)) ==
          "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:5353");
    CHECK(decided(rule_chains(flushed), query(IPPROTO_TCP)) == "nothing");
}

TEST_CASE("nat: verdicts, jumps and priorities are followed as the kernel follows them", "[unit]") {
    const auto packet = query(IPPROTO_UDP);
    const auto ports = [&](const std::vector<RuleChain>& chains) {
        const auto decision = find_nat(chains, NF_INET_LOCAL_OUT, packet);
        return decision.rule == nullptr ? 0 : decision.rule->to_port.value_or(1);
    };
    CHECK(ports({base({rule(RuleAction::accept), dnat(1)})}) == 0);
    CHECK(ports({base({rule(RuleAction::return_), dnat(1)})}) == 0);
    CHECK(ports({base({rule(RuleAction::none), dnat(2)})}) == 2);
    CHECK(ports({base({rule(RuleAction::drop), dnat(2)})}) == 1);
    // Accept ends one chain and not the hook; the lower priority comes first.
    CHECK(ports({base({dnat(4)}, 10), base({dnat(3)}, -200)}) == 3);
    CHECK(ports({base({dnat(4)}, 10), base({rule(RuleAction::accept)}, -200)}) == 4);
    CHECK(ports({base({rule(RuleAction::jump, "u"), dnat(5)}),
                 plain("u", {rule(RuleAction::return_), dnat(6)})}) == 5);
    CHECK(ports({base({rule(RuleAction::jump, "u"), dnat(5)}), plain("u", {dnat(6)})}) == 6);
    CHECK(ports({base({rule(RuleAction::go_to, "u"), dnat(5)}), plain("u", {})}) == 0);
    CHECK(ports({base({rule(RuleAction::jump, "missing"), dnat(7)})}) == 7);
}

TEST_CASE("nat: what is not understood is passed over and told", "[unit]") {
    auto limited = dnat(1);
    limited.more_conditions = true;
    const auto packet = query(IPPROTO_UDP);
    const std::vector<RuleChain> chains{base({limited, dnat(2)})};
    const auto decision = find_nat(chains, NF_INET_LOCAL_OUT, packet);
    CHECK(decision.uncertain);
    REQUIRE(decision.rule);
    CHECK(decision.rule->to_port == 2);
    auto elsewhere = limited;
    elsewhere.destination = {*IpPrefix::parse("10.0.0.0/8"), false};
    const std::vector<RuleChain> others{base({elsewhere})};
    CHECK_FALSE(find_nat(others, NF_INET_LOCAL_OUT, packet).uncertain);
    const std::vector<RuleChain> loop{base({rule(RuleAction::jump, "u")}),
                                      plain("u", {rule(RuleAction::jump, "u")})};
    CHECK(find_nat(loop, NF_INET_LOCAL_OUT, packet).uncertain);
}

TEST_CASE("nftables: what a rule has done before one of its conditions fails stays done", "[unit]") {
    const auto bytes = [](auto value) {
        const auto view = std::as_bytes(std::span(&value, 1));
        return std::vector<std::byte>(view.begin(), view.end());
    };
    const NftExpression mark_is_set = NftOther{"meta mark"};
    const std::vector<NftExpression> tcp_80{NftMeta{1, NFT_META_L4PROTO},
                                            NftCompare{1, NFT_CMP_EQ, {std::byte{IPPROTO_TCP}}},
                                            NftPayload{1, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2},
                                            NftCompare{1, NFT_CMP_EQ, {std::byte{0}, std::byte{80}}}};
    const NftExpression drop = NftVerdict{NF_DROP, {}};
    NftRule marks{NFPROTO_INET, "t", "c", 1, {mark_is_set}, {}};
    marks.expressions.insert(marks.expressions.end(), tcp_80.begin(), tcp_80.end());
    marks.expressions.push_back(drop);
    const NftRule accepts{NFPROTO_INET,
                          "t",
                          "c",
                          2,
                          {NftMeta{1, NFT_META_MARK}, NftCompare{1, NFT_CMP_EQ, bytes(std::uint32_t{7})},
                           NftVerdict{NF_ACCEPT, {}}},
                          {}};
    NftChain chain;
    chain.family = NFPROTO_INET;
    chain.table = "t";
    chain.name = "c";
    chain.hook = NftHook{NF_INET_FORWARD, 0};
    chain.type = "filter";
    chain.policy = NF_DROP;
    auto packet = query(IPPROTO_TCP, "127.0.0.11", 81);
    packet.mark = 0;
    const auto decide = [&](const NftRule& first, Family family) {
        return find_drop(rule_chains({{chain}, {first, accepts}, true, true}, family), NF_INET_FORWARD,
                         packet);
    };
    // "meta mark set 7 tcp dport 80 drop; meta mark 7 accept": port 81 is accepted.
    auto decision = decide(marks, Family::ipv4);
    CHECK(decision.uncertain);
    CHECK(decision.effects.marks);
    // "tcp dport 80 meta mark set 7 drop" does nothing to it.
    auto last = marks;
    last.expressions = tcp_80;
    last.expressions.push_back(mark_is_set);
    last.expressions.push_back(drop);
    decision = decide(last, Family::ipv4);
    CHECK(decision.dropped);
    CHECK_FALSE(decision.uncertain);
    // "meta mark set 7 ip6 daddr … drop" marks IPv4's packets, too.
    auto other = marks;
    other.expressions = {mark_is_set, NftMeta{1, NFT_META_NFPROTO},
                         NftCompare{1, NFT_CMP_EQ, {std::byte{NFPROTO_IPV6}}}, drop};
    CHECK(decide(other, Family::ipv4).uncertain);
}

TEST_CASE("nat: conditions hold, or hold not where they are inverted", "[unit]") {
    auto one = dnat(1);
    one.destination = {*IpPrefix::parse("127.0.0.0/8"), false};
    one.protocol = {IPPROTO_UDP, false};
    one.destination_port = {{50, 60}, false};
    const auto meets = [&](const PacketFacts& packet) {
        const std::vector<RuleChain> chains{base({one})};
        return find_nat(chains, NF_INET_LOCAL_OUT, packet).rule != nullptr;
    };
    CHECK(meets(query(IPPROTO_UDP)));
    CHECK_FALSE(meets(query(IPPROTO_TCP)));
    CHECK_FALSE(meets(query(IPPROTO_UDP, "128.0.0.1")));
    CHECK_FALSE(meets(query(IPPROTO_UDP, "127.0.0.1", 61)));
    one.destination->inverted = true;
    CHECK_FALSE(meets(query(IPPROTO_UDP)));
    CHECK(meets(query(IPPROTO_UDP, "128.0.0.1")));
    CHECK(one.to_string() == "ip daddr != 127.0.0.0/8 udp dport 50-60 dnat to :1");
}

TEST_CASE("x_tables: the least of all verdicts is one, too", "[unit]") {
    xt_standard_target target{};
    target.target.u.target_size = sizeof target;
    target.verdict = std::numeric_limits<int>::min();
    const auto table = parse_xt_table(one_entry(target));
    REQUIRE(table);
    REQUIRE(table->rules.size() == 1);
    CHECK(table->rules[0].verdict == std::numeric_limits<int>::max());
}

TEST_CASE("x_tables: the head of a chain without its name is one without a name", "[unit]") {
    xt_entry_target target{};
    std::strcpy(target.u.user.name, XT_ERROR_TARGET);
    target.u.target_size = sizeof target;
    const auto table = parse_xt_table(one_entry(target));
    REQUIRE(table);
    REQUIRE(table->chains.size() == 1);
    CHECK(table->chains[0].name.empty());
    CHECK(table->rules.empty());
}

TEST_CASE("nftables and x_tables: cut and changed bytes do no harm", "[unit]") {
    const auto chains = unhex(recorded::nft_chains);
    const auto rules = unhex(recorded::nft_rules);
    const auto entries = recorded_xt();
    std::mt19937 random(4);
    const auto damaged = [&](Bytes bytes) {
        bytes.resize(random() % (bytes.size() + 1));
        for (auto i = random() % 8; i > 0 && !bytes.empty(); --i)
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        return bytes;
    };
    for (int round = 0; round < 4000; ++round) {
        const NftTables::Content content{parse_nft_chains(damaged(chains)), parse_nft_rules(damaged(rules)),
                                         true, true};
        const auto forms = rule_chains(content);
        (void)find_nat(forms, NF_INET_LOCAL_OUT, query(IPPROTO_UDP));
        (void)find_drop(forms, NF_INET_LOCAL_OUT, query(IPPROTO_UDP));
        (void)rule_chains(content, Family::ipv6);
        for (const auto& chain : forms)
            (void)texts(chain);
        auto xt = entries;
        xt.entries = damaged(xt.entries);
        if (const auto table = parse_xt_table(xt))
            (void)decided(rule_chains(*table, "nat"), query(IPPROTO_TCP));
    }
}
