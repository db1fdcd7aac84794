#include "daemon/operations/next_hop.hpp"

#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;

TEST_CASE("next hop: of who was not asked for lately only a rule of one's own makes it doubtful", "[unit]") {
    HopKnowledge known{HopEntry::none, {}, "198.51.100.77", "eth0", "host"};
    CHECK(judge_next_hop(known, "") == std::nullopt);
    const auto by_rule = judge_next_hop(known, "5: from 172.17.0.0/16 lookup 77");
    REQUIRE(by_rule);
    CHECK_FALSE(by_rule->certain);
    CHECK(by_rule->why.explanation.find("198.51.100.77 on eth0 (by the policy rule 5: from 172.17.0.0/16 "
                                        "lookup 77)") != std::string::npos);
    CHECK(by_rule->why.suggestion == "netlab rules host");
    known.entry = HopEntry::fine;
    CHECK(judge_next_hop(known, "5: from 172.17.0.0/16 lookup 77") == std::nullopt);
    known.entry = HopEntry::silent;
    const auto silent = judge_next_hop(known, "");
    REQUIRE(silent);
    CHECK_FALSE(silent->certain);
    CHECK(silent->why.suggestion == "netlab neigh host");
    known.entry = HopEntry::by_hand;
    known.mac = "02:00:00:00:00:99";
    CHECK(judge_next_hop(known, "")->why.explanation.find("02:00:00:00:00:99 somebody has set") !=
          std::string::npos);
    known.wrong = Hindrance{{"it is another's", "ip neigh del"}, true};
    CHECK(judge_next_hop(known, "") == known.wrong);
}
