#include "daemon/operations/route_refusal.hpp"

#include "tests/support/catch.hpp"

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
    refusing.mask.reset();
    // Of what the kernel is not asked about nothing is certain.
    refusing.destination_ports = {80, 80};
    CHECK_FALSE(decides(to(outside), ""));
}
