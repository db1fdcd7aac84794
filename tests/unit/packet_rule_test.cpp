#include "daemon/kernel/packet_rule.hpp"

#include "tests/support/catch.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::kernel;

namespace {

IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

RuleChain chain(const char* name, std::uint32_t hook, std::int32_t priority, std::vector<PacketRule> rules,
                bool nat = false) {
    return {false, "ip t", name, NftHook{hook, priority}, nat, std::move(rules), false};
}

PacketRule rule(RuleAction action) {
    PacketRule out;
    out.handle = 5;
    out.action = action;
    return out;
}

PacketRule drop_from(const char* prefix) {
    auto out = rule(RuleAction::drop);
    out.source = {*IpPrefix::parse(prefix), false};
    return out;
}

/// What a container sends to the outside.
PacketFacts packet() {
    PacketFacts out{address("172.18.0.2"), address("203.0.113.8"), IPPROTO_TCP, 40'000, 443};
    out.input = "br-1";
    out.output = "eth0";
    out.mark = 0;
    out.flow = flow_is_new;
    return out;
}

}  // namespace

TEST_CASE("packet rules: a chain behind NAT's sees the source that it gives, one before does not", "[unit]") {
    const auto masquerade = chain("nat", NF_INET_POST_ROUTING, 100, {rule(RuleAction::masquerade)}, true);
    const auto guarded = [&](std::int32_t priority, const char* prefix, const PacketFacts& facts) {
        const std::vector all{masquerade,
                              chain("guard", NF_INET_POST_ROUTING, priority, {drop_from(prefix)})};
        return find_drop(all, NF_INET_POST_ROUTING, facts);
    };
    auto known = packet();
    known.masqueraded_as = address("198.51.100.2");
    // What must not leak, which it does not: it has the host's address by then.
    CHECK_FALSE(guarded(200, "172.16.0.0/12", known).dropped);
    CHECK_FALSE(guarded(200, "172.16.0.0/12", known).uncertain);
    CHECK(guarded(200, "198.51.100.2/32", known).dropped);
    CHECK_FALSE(guarded(200, "198.51.100.2/32", known).uncertain);
    CHECK(guarded(50, "172.16.0.0/12", known).dropped);
    CHECK_FALSE(guarded(50, "198.51.100.2/32", known).dropped);
    // Whose address it gets is not known.
    for (const char* prefix : {"172.16.0.0/12", "198.51.100.2/32"}) {
        INFO(prefix);
        const auto decision = guarded(200, prefix, packet());
        CHECK_FALSE((decision.dropped && !decision.uncertain));
        CHECK(decision.uncertain);
    }
    // What follows the first packet is translated as that was; what conntrack does not see is not.
    known.flow = flow_is_established;
    CHECK_FALSE(guarded(200, "172.16.0.0/12", known).dropped);
    known.flow = flow_is_untracked;
    CHECK(guarded(200, "172.16.0.0/12", known).dropped);
}

TEST_CASE("packet rules: a mark that NAT's chains set is not known behind them", "[unit]") {
    auto marks = rule(RuleAction::none);
    marks.sets_mark = true;
    marks.source = {*IpPrefix::parse("172.18.0.2/32"), false};
    auto marked = rule(RuleAction::drop);
    marked.mark = {MarkBits{0x4000, 0x4000}, false};
    const auto nat = chain("nat", NF_INET_PRE_ROUTING, -100, {marks}, true);
    const std::vector behind{nat, chain("behind", NF_INET_PRE_ROUTING, 0, {marked})};
    const std::vector before{nat, chain("before", NF_INET_PRE_ROUTING, -150, {marked})};
    CHECK(find_drop(behind, NF_INET_PRE_ROUTING, packet()).uncertain);
    CHECK_FALSE(find_drop(before, NF_INET_PRE_ROUTING, packet()).uncertain);
    for (const auto& all : {behind, before})
        CHECK(find_drop(all, NF_INET_PRE_ROUTING, packet()).effects.marks);
    auto other = packet();
    other.source = address("172.18.0.3");
    CHECK_FALSE(find_drop(behind, NF_INET_PRE_ROUTING, other).uncertain);
    CHECK_FALSE(find_drop(behind, NF_INET_PRE_ROUTING, other).effects.marks);
    CHECK_FALSE(find_drop(behind, NF_INET_PRE_ROUTING, packet(), HookPart::before_dnat).effects.marks);
}
