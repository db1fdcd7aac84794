#include "daemon/front/quotas.hpp"
#include "tests/support/catch.hpp"

#include <vector>

using namespace netlab;
using namespace netlab::front;

namespace {

constexpr uid_t one = 1000;
constexpr uid_t another = 1001;
constexpr QuotaLimits small{.operations = 3, .packets_per_second = 100, .capture_bytes = 1000};

}  // namespace

TEST_CASE("front quotas: a user has as many operations as the quota says, and another has his own",
          "[unit]") {
    Quotas quotas(small);
    std::vector<Quotas::Share> held;
    for (int i = 0; i < 3; ++i)
        held.push_back(*quotas.take(one, {}));
    const auto refused = quotas.take(one, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::limit_exceeded);
    CHECK(refused.error().message.find("3 operations") != std::string::npos);
    CHECK(quotas.take(another, {}));
    held.pop_back();
    CHECK(quotas.take(one, {}));
}

TEST_CASE("front quotas: what is given back can be taken again, and nothing of a user is kept", "[unit]") {
    Quotas quotas(small);
    for (int i = 0; i < 1000; ++i) {
        auto share = quotas.take(one, {.packets_per_second = 100.0 / 3, .capture_bytes = 999});
        REQUIRE(share);
        auto moved = std::move(*share);
        *share = std::move(moved);
        CHECK(quotas.users() == 1);
    }
    CHECK(quotas.users() == 0);
}

TEST_CASE("front quotas: packets and waiting bytes of all of a user's operations are added up", "[unit]") {
    Quotas quotas(small);
    const auto first = quotas.take(one, {.packets_per_second = 60, .capture_bytes = 600});
    REQUIRE(first);
    const auto packets = quotas.take(one, {.packets_per_second = 41});
    REQUIRE_FALSE(packets);
    CHECK(packets.error().message.find("41 packets a second") != std::string::npos);
    const auto bytes = quotas.take(one, {.capture_bytes = 401});
    REQUIRE_FALSE(bytes);
    CHECK(bytes.error().message.find("MiB") != std::string::npos);
    CHECK(quotas.take(one, {.packets_per_second = 40, .capture_bytes = 400}));
    CHECK(quotas.take(another, {.packets_per_second = 100, .capture_bytes = 1000}));
}

TEST_CASE("front quotas: root has none", "[unit]") {
    Quotas quotas(small);
    std::vector<Quotas::Share> held;
    for (int i = 0; i < 100; ++i)
        held.push_back(*quotas.take(0, {.packets_per_second = 1e9, .capture_bytes = 1ULL << 40}));
    CHECK(quotas.users() == 0);
}
