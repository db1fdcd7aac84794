#include "daemon/operations/route_refusal.hpp"

#include "daemon/operations/policy_rules.hpp"
#include "daemon/operations/reverse_path.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

#include <netinet/in.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

const IpAddress outside = *IpAddress::parse("203.0.113.8");
const IpAddress own = *IpAddress::parse("172.18.0.2");

kernel::Route route(const char* prefix, std::uint8_t kind = RTN_UNICAST,
                    std::uint32_t table = RT_TABLE_MAIN) {
    kernel::Route out;
    out.destination = *IpPrefix::parse(prefix);
    out.kind = kind;
    out.table = table;
    return out;
}

kernel::Rule rule(std::uint32_t priority, std::uint8_t action, std::uint32_t table = 0) {
    kernel::Rule out;
    out.family = AF_INET;
    out.priority = priority;
    out.action = action;
    out.table = table;
    return out;
}

std::vector<kernel::Rule> usual() {
    return {rule(0, FR_ACT_TO_TBL, RT_TABLE_LOCAL), rule(32'766, FR_ACT_TO_TBL, RT_TABLE_MAIN),
            rule(32'767, FR_ACT_TO_TBL, RT_TABLE_DEFAULT)};
}

kernel::RouteQuery to(const IpAddress& address) {
    kernel::RouteQuery out;
    out.destination = address;
    return out;
}

}  // namespace

TEST_CASE("route refusal: of the routes that cover it the longest decides", "[unit]") {
    const std::vector routes{route("0.0.0.0/0"), route("203.0.113.0/24", RTN_BLACKHOLE)};
    CHECK(find_refusal(usual(), routes, to(outside), "")->command == "ip route del blackhole 203.0.113.0/24");
    CHECK_FALSE(find_refusal(usual(), routes, to(*IpAddress::parse("198.51.100.1")), ""));
    const std::vector nearer{route("203.0.113.8/32"), route("203.0.113.0/24", RTN_BLACKHOLE)};
    CHECK_FALSE(find_refusal(usual(), nearer, to(outside), ""));
    const std::vector elsewhere{route("0.0.0.0/0", RTN_UNREACHABLE, 100)};
    CHECK_FALSE(find_refusal(usual(), elsewhere, to(outside), ""));
    auto rules = usual();
    rules.insert(rules.begin() + 1, rule(10, FR_ACT_TO_TBL, 100));
    CHECK(find_refusal(rules, elsewhere, to(outside), "")->command ==
          "ip route del unreachable default table 100");
}

TEST_CASE("route refusal: a policy rule comes before the tables behind it, and after those before it",
          "[unit]") {
    const std::vector routes{route("0.0.0.0/0")};
    auto rules = usual();
    auto refusing = rule(100, FR_ACT_PROHIBIT);
    refusing.to = IpPrefix::parse("203.0.113.0/24").value();
    rules.insert(rules.begin() + 1, refusing);
    const auto found = find_refusal(rules, routes, to(outside), "");
    REQUIRE(found);
    CHECK(found->what == "the policy rule 100: from all to 203.0.113.0/24 prohibit");
    CHECK(found->command == "ip rule del pref 100 from all to 203.0.113.0/24 prohibit");
    rules = usual();
    rules.push_back(rule(40'000, FR_ACT_UNREACHABLE));
    CHECK_FALSE(find_refusal(rules, routes, to(outside), ""));
    CHECK(find_refusal(rules, {}, to(outside), ""));
}

TEST_CASE("route refusal: a rule counts where the packet has what it asks for", "[unit]") {
    const std::vector routes{route("0.0.0.0/0")};
    auto refusing = rule(100, FR_ACT_BLACKHOLE);
    const auto decides = [&](const kernel::RouteQuery& query, const char* input) {
        auto rules = usual();
        rules.insert(rules.begin() + 1, refusing);
        return find_refusal(rules, routes, query, input).has_value();
    };
    refusing.from = IpPrefix::parse("172.18.0.2/32").value();
    auto from_own = to(outside);
    from_own.from = own;
    CHECK(decides(from_own, ""));
    CHECK_FALSE(decides(to(outside), ""));
    refusing.from.reset();
    refusing.input = "lo";
    CHECK(decides(to(outside), ""));
    CHECK_FALSE(decides(to(outside), "eth0"));
    refusing.input.clear();
    refusing.mark = 7;
    refusing.mask = 0xFFFFFFFF;
    CHECK_FALSE(decides(to(outside), ""));
    refusing.mark = 0;
    refusing.mask.reset();
    // Of what the kernel is not asked about nothing is certain.
    refusing.destination_ports = {80, 80};
    CHECK_FALSE(decides(to(outside), ""));
    auto web = to(outside);
    web.protocol = IPPROTO_TCP;
    web.source_port = 40'000;
    web.destination_port = 80;
    CHECK(decides(web, ""));
    refusing.ip_protocol = IPPROTO_UDP;
    CHECK_FALSE(decides(web, ""));
    refusing.ip_protocol = IPPROTO_TCP;
    CHECK(decides(web, ""));
    // Whose it is the kernel is not asked.
    refusing.uids = {1000, 1000};
    CHECK_FALSE(decides(web, ""));
    refusing.uids = {0, 0xFFFFFFFF};
    CHECK(decides(web, ""));
}

TEST_CASE("route refusal: what is not known of a packet does not matter where the rule fails anyhow",
          "[unit]") {
    auto rules = usual();
    auto users = rule(10, FR_ACT_TO_TBL, 100);
    users.uids = {1000, 1000};
    rules.insert(rules.begin() + 1, users);
    const std::vector routes{route("203.0.113.0/24", RTN_BLACKHOLE)};
    CHECK(walk_rules(rules, routes, to(outside), "").end == RuleWalk::End::unknown);
    rules[1].to = IpPrefix::parse("192.0.2.0/24").value();
    CHECK(walk_rules(rules, routes, to(outside), "").end == RuleWalk::End::refused);
    rules[1] = rule(1000, FR_ACT_TO_TBL);
    rules[1].l3mdev = true;
    CHECK(walk_rules(rules, routes, to(outside), "").end == RuleWalk::End::unknown);
}

TEST_CASE("route refusal: what refuses is not suppressed, and what leads on is", "[unit]") {
    // As wg-quick has them.
    auto rules = usual();
    auto suppressing = rule(32'764, FR_ACT_TO_TBL, RT_TABLE_MAIN);
    suppressing.suppress_prefix_length = 0;
    auto tunnel = rule(32'765, FR_ACT_TO_TBL, 51'820);
    tunnel.mark = 0xca6c;
    tunnel.mask = 0xFFFFFFFF;
    tunnel.flags = FIB_RULE_INVERT;
    rules.insert(rules.begin() + 1, {suppressing, tunnel});
    const auto wireguard = route("0.0.0.0/0", RTN_UNICAST, 51'820);
    const std::vector open{route("0.0.0.0/0"), wireguard};
    const auto walk = walk_rules(rules, open, to(outside), "");
    CHECK(walk.end == RuleWalk::End::routed);
    REQUIRE(walk.route != nullptr);
    CHECK(walk.route->table == 51'820);
    const std::vector shut{route("0.0.0.0/0", RTN_BLACKHOLE), wireguard};
    REQUIRE(find_refusal(rules, shut, to(outside), ""));
    CHECK(find_refusal(rules, shut, to(outside), "")->command == "ip route del blackhole default");
    // The rule that is inverted goes by the mark, too.
    CHECK(find_rule_by_mark(rules, to(outside), "") == "32765: not from all fwmark 0xca6c lookup 51820");
}

TEST_CASE("route refusal: a goto whose target is not there is passed over", "[unit]") {
    auto rules = usual();
    auto jump = rule(10, FR_ACT_GOTO);
    jump.goto_priority = 200;
    rules.insert(rules.begin() + 1, {jump, rule(100, FR_ACT_PROHIBIT)});
    CHECK(find_refusal(rules, {}, to(outside), ""));
    rules.insert(rules.begin() + 3, rule(200, FR_ACT_NOP));
    CHECK_FALSE(find_refusal(rules, {}, to(outside), ""));
}

TEST_CASE("policy rules: one that only leads to a table is no cause of a refusal", "[unit]") {
    // As Tailscale has it.
    auto rules = usual();
    rules.insert(rules.begin() + 1, rule(5270, FR_ACT_TO_TBL, 52));
    CHECK(find_policy_rule(rules, {}, to(outside), "", ENETUNREACH) == Explanation());
    const std::vector main{route("0.0.0.0/0")};
    CHECK(find_policy_rule(rules, main, to(outside), "", EINVAL) == Explanation());
    CHECK(find_policy_rule(rules, main, to(outside), "", 0) == Explanation());
    // Its table says where the packet goes: it is named, and never to be deleted.
    const std::vector led{route("0.0.0.0/0"), route("203.0.113.0/24", RTN_UNICAST, 52)};
    CHECK(find_policy_rule(rules, led, to(outside), "", 0) == Explanation{"5270: from all lookup 52", ""});
    const std::vector shut{route("0.0.0.0/0"), route("203.0.113.0/24", RTN_UNREACHABLE, 52)};
    CHECK(find_policy_rule(rules, shut, to(outside), "", EHOSTUNREACH) ==
          Explanation{"5270: from all lookup 52, and there the route unreachable 203.0.113.0/24",
                      "ip route del unreachable 203.0.113.0/24 table 52"});
    // Not one that nothing comes to.
    rules.push_back(rule(40'000, FR_ACT_PROHIBIT));
    CHECK(find_policy_rule(rules, shut, to(outside), "", EHOSTUNREACH).explanation.starts_with("5270: "));
    CHECK(find_policy_rule(rules, {}, to(outside), "", EACCES) ==
          Explanation{"40000: from all prohibit", "ip rule del pref 40000 from all prohibit"});
}

TEST_CASE("policy rules: behind a rule for a VRF, a user or an output nothing is named that is not certain",
          "[unit]") {
    auto rules = usual();
    auto vrf = rule(1000, FR_ACT_TO_TBL);
    vrf.l3mdev = true;
    rules.insert(rules.begin() + 1, vrf);
    CHECK(find_policy_rule(rules, {}, to(outside), "", ENETUNREACH) == Explanation());
    CHECK(policy_rule_text(vrf) == "from all l3mdev");
    auto by_output = rule(1000, FR_ACT_PROHIBIT);
    by_output.output = "wg0";
    rules[1] = by_output;
    CHECK(find_policy_rule(rules, {}, to(outside), "", ENETUNREACH) == Explanation());
}

TEST_CASE("policy rules: the text has all that ip(8) is told, and the deletion what it can say", "[unit]") {
    auto one = rule(5210, FR_ACT_TO_TBL, RT_TABLE_MAIN);
    one.mark = 0x80000;
    one.mask = 0xFF0000;
    CHECK(delete_command(one) == "ip rule del pref 5210 from all fwmark 0x80000/0xff0000 lookup main");
    one = rule(32'764, FR_ACT_TO_TBL, RT_TABLE_MAIN);
    CHECK(is_default_rule(one));
    one.suppress_prefix_length = 0;
    CHECK_FALSE(is_default_rule(one));
    CHECK(policy_rule_text(one) == "from all lookup main suppress_prefixlength 0");
    one = rule(7, FR_ACT_UNREACHABLE);
    one.family = AF_INET6;
    one.uids = {1000, 1001};
    one.tos = 0x10;
    CHECK(delete_command(one) == "ip -6 rule del pref 7 from all tos 0x10 uidrange 1000-1001 unreachable");
    one.input = "$(reboot)";
    CHECK(delete_command(one) == "ip -6 rule del pref 7");
    one.input.clear();
    one.tunnel = 5;
    CHECK(delete_command(one) == "ip -6 rule del pref 7");
    one = rule(9, FR_ACT_GOTO);
    one.goto_priority = 100;
    CHECK(policy_rule_text(one) == "from all goto 100");
}

TEST_CASE("reverse path: an EINVAL is the filter's where the way back is another", "[unit]") {
    auto query = to(own);
    query.from = outside;
    query.input = 2;
    kernel::InterfaceSettings settings;
    settings.rp_filter = 1;
    kernel::RouteReply back{0, route("0.0.0.0/0")};
    back.route->hop.index = 3;
    const auto filtered = [&] { return is_path_filtered(query, settings, back); };
    CHECK(filtered());
    back.route->hop.index = 2;
    CHECK_FALSE(filtered());
    back.route->hop.index = 3;
    settings.rp_filter = 2;
    CHECK_FALSE(filtered());
    back = {ENETUNREACH, std::nullopt};
    CHECK(filtered());
    settings.rp_filter = 0;
    CHECK_FALSE(filtered());
    settings.rp_filter = 1;
    back = {0, route("203.0.113.8/32", RTN_LOCAL)};
    CHECK_FALSE(filtered());
    query.input = 0;
    back = {ENETUNREACH, std::nullopt};
    CHECK_FALSE(filtered());
}
