#include "common/rtt_statistics.hpp"
#include "daemon/operations/echo_payload.hpp"
#include "daemon/operations/echo_tracker.hpp"
#include "daemon/operations/transmit_keys.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;
using namespace std::chrono_literals;

namespace {

using std::chrono::nanoseconds;

/// The wall clock is a hundred seconds ahead of the monotonic one.
Moment at(nanoseconds time) {
    return {time, time + 100s};
}

EchoTracker::Arrival arrival(std::uint64_t seq, nanoseconds time, bool intact = true) {
    return {seq, intact, at(time), std::nullopt};
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("ping: a reply in time is received", "[unit]") {
    EchoTracker tracker(1s);
    CHECK(tracker.sent(at(0s)) == 1);
    CHECK(tracker.next_deadline() == 1s);
    const auto reply = tracker.reply(arrival(1, 250us));
    REQUIRE(reply);
    CHECK(reply->rtt == 250us);
    CHECK(reply->counted);
    CHECK(!reply->duplicate);
    CHECK(tracker.settled());
    CHECK(!tracker.next_deadline());
    CHECK(tracker.counts().received == 1);
    CHECK(tracker.counts().loss_percent() == 0.0);
    CHECK(tracker.rtt()->avg == 250);
}

TEST_CASE("ping: a late reply counts as lost", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    CHECK(tracker.tick(999ms).empty());
    CHECK(tracker.tick(1s) == Numbers{1});
    CHECK(tracker.tick(2s).empty());
    const auto reply = tracker.reply(arrival(1, 1200ms));
    REQUIRE(reply);
    CHECK(reply->late);
    CHECK(!reply->lost_now);
    CHECK(!reply->counted);
    CHECK(reply->rtt == 1200ms);
    CHECK(tracker.counts().received == 0);
    CHECK(tracker.counts().late == 1);
    CHECK(tracker.counts().loss_percent() == 100.0);
    CHECK(!tracker.rtt());
}

TEST_CASE("ping: a late reply that nobody missed yet is told as lost first", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    const auto reply = tracker.reply(arrival(1, 1500ms));
    REQUIRE(reply);
    CHECK(reply->late);
    CHECK(reply->lost_now);
    CHECK(tracker.tick(2s).empty());
}

TEST_CASE("ping: a reply that was in the kernel in time is in time, however late it is read", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    auto read_late = arrival(1, 3s);
    read_late.kernel = at(2ms).realtime;
    const auto reply = tracker.reply(read_late);
    REQUIRE(reply);
    CHECK(reply->counted);
    CHECK(reply->rtt == 2ms);
}

TEST_CASE("ping: a duplicate does not count as received", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    (void)tracker.reply(arrival(1, 1ms));
    const auto again = tracker.reply(arrival(1, 2ms));
    REQUIRE(again);
    CHECK(again->duplicate);
    CHECK(!again->counted);
    CHECK(tracker.counts().received == 1);
    CHECK(tracker.counts().duplicates == 1);
    CHECK(tracker.rtt()->max == 1000);
}

TEST_CASE("ping: a corrupt reply counts as lost, and is not waited for any longer", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    const auto reply = tracker.reply(arrival(1, 1ms, false));
    REQUIRE(reply);
    CHECK(reply->corrupt);
    CHECK(!reply->counted);
    CHECK(tracker.settled());
    CHECK(tracker.tick(2s).empty());
    CHECK(tracker.counts().corrupt == 1);
    CHECK(tracker.counts().loss_percent() == 100.0);

    SECTION("a whole one behind it is received and no duplicate") {
        const auto whole = tracker.reply(arrival(1, 2ms));
        REQUIRE(whole);
        CHECK(whole->counted);
        CHECK(!whole->duplicate);
        CHECK(tracker.counts().received == 1);
    }
}

TEST_CASE("ping: a reply after that to a later echo is reordered", "[unit]") {
    EchoTracker tracker(1s);
    for (int i = 0; i < 3; ++i)
        (void)tracker.sent(at(i * 10ms));
    CHECK(!tracker.reply(arrival(2, 25ms))->reordered);
    CHECK(tracker.reply(arrival(1, 26ms))->reordered);
    CHECK(!tracker.reply(arrival(3, 27ms))->reordered);
    CHECK(tracker.counts().reordered == 1);
    CHECK(tracker.counts().received == 3);
}

TEST_CASE("ping: an ICMP error settles its echo once, and late news of it are still told", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    (void)tracker.sent(at(1ms));
    CHECK(tracker.error(1));
    CHECK(!tracker.error(1));
    CHECK(!tracker.settled());
    CHECK(tracker.tick(2s) == Numbers{2});
    CHECK(tracker.error(2));
    CHECK(!tracker.error(3));
    CHECK(tracker.counts().errors == 2);
    CHECK(tracker.counts().received == 0);
}

TEST_CASE("ping: an ICMP error after the reply is no news", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    (void)tracker.reply(arrival(1, 1ms));
    CHECK(!tracker.error(1));
    CHECK(tracker.counts().errors == 0);
}

TEST_CASE("ping: replies to echoes that were never sent are nothing", "[unit]") {
    EchoTracker tracker(1s);
    CHECK(!tracker.reply(arrival(1, 1ms)));
    (void)tracker.sent(at(0s));
    CHECK(!tracker.reply(arrival(2, 1ms)));
    CHECK(!tracker.reply(arrival(0, 1ms)));
}

TEST_CASE("ping: the kernel's times are taken where they are there, the own clock where not", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    tracker.transmitted(1, at(10us).realtime);
    auto first = arrival(1, 100us);
    first.kernel = at(60us).realtime;
    CHECK(tracker.reply(first)->rtt == 50us);

    (void)tracker.sent(at(1s));
    auto second = arrival(2, 1s + 100us);
    second.kernel = at(1s + 60us).realtime;
    CHECK(tracker.reply(second)->rtt == 60us);
}

TEST_CASE("ping: a wall clock that is set in mid-ping does not show in the times", "[unit]") {
    EchoTracker tracker(1s);
    (void)tracker.sent(at(0s));
    auto back = arrival(1, 100us);
    back.kernel = 5s;
    CHECK(tracker.reply(back)->rtt == 100us);
    (void)tracker.sent(at(1s));
    auto forth = arrival(2, 1s + 200us);
    forth.kernel = 5000s;
    const auto reply = tracker.reply(forth);
    CHECK(reply->rtt == 200us);
    CHECK(reply->counted);
}

TEST_CASE("ping: an endless ping remembers 65536 echoes and forgets none that it waits for in silence",
          "[unit]") {
    EchoTracker tracker(3600s);
    for (std::uint64_t i = 0; i < EchoTracker::most_remembered + 2; ++i)
        (void)tracker.sent(at(nanoseconds(i)));
    CHECK(tracker.tick(1s) == Numbers{1, 2});
    CHECK(!tracker.reply(arrival(2, 1s)));
    CHECK(tracker.reply(arrival(3, 1s))->counted);
    CHECK(tracker.counts().transmitted == EchoTracker::most_remembered + 2);
}

TEST_CASE("ping: sequence numbers are right across the wire's wrap", "[unit]") {
    CHECK(unwrap_sequence(1, 1) == 1);
    CHECK(!unwrap_sequence(2, 1));
    CHECK(!unwrap_sequence(0, 65'535));
    CHECK(unwrap_sequence(0, 65'536) == 65'536);
    CHECK(unwrap_sequence(65'535, 65'537) == 65'535);
    CHECK(unwrap_sequence(1, 65'537) == 65'537);
    CHECK(unwrap_sequence(2, 65'537) == 2);
    CHECK(unwrap_sequence(0xFFFF, 10 * 65'536) == 10 * 65'536 - 1);
}

TEST_CASE("ping: a payload is judged by every byte of it", "[unit]") {
    constexpr EchoCookie cookie{1, 2, 3, 4, 5, 6, 7, 8};
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{5}, std::size_t{16}, std::size_t{56}, std::size_t{65'507}}) {
        auto payload = make_echo_payload(size, 70'000, cookie);
        const auto wire = static_cast<std::uint16_t>(70'000);
        CHECK(judge_echo_payload(payload, size, wire, 70'001, cookie) ==
              PayloadVerdict{PayloadState::intact, 70'000});
        if (size == 0) continue;
        payload.back() ^= 0x10;
        CHECK(judge_echo_payload(payload, size, wire, 70'001, cookie)->state == PayloadState::corrupt);
        payload.back() ^= 0x10;
        payload.pop_back();
        CHECK(judge_echo_payload(payload, size, wire, 70'001, cookie)->state == PayloadState::corrupt);
    }
}

TEST_CASE("ping: the payload after its head is ping's pattern", "[unit]") {
    const auto payload = make_echo_payload(300, 1, {});
    CHECK(payload[16] == 16);
    CHECK(payload[255] == 255);
    CHECK(payload[256] == 0);
}

TEST_CASE("ping: another program's echoes with our identifier are foreign, not corrupt", "[unit]") {
    const auto theirs = make_echo_payload(56, 3, {9, 9, 9, 9, 9, 9, 9, 9});
    CHECK(judge_echo_payload(theirs, 56, 3, 5, {1, 2, 3, 4, 5, 6, 7, 8})->state == PayloadState::foreign);
}

TEST_CASE("ping: a reply that is older than the wrap says so itself", "[unit]") {
    constexpr EchoCookie cookie{1, 2, 3, 4, 5, 6, 7, 8};
    const auto old = make_echo_payload(56, 5, cookie);
    CHECK(judge_echo_payload(old, 56, 5, 65'541, cookie) == PayloadVerdict{PayloadState::intact, 5});
    CHECK(!judge_echo_payload(old, 56, 5, 4, cookie));
}

TEST_CASE("ping: round-trip times are summed up as ping does", "[unit]") {
    RttStatistics rtt;
    CHECK(!rtt.summary());
    for (const auto sample : {10us, 20us, 30us, 40us})
        rtt.add(sample);
    const auto summary = *rtt.summary();
    CHECK(summary.min == 10);
    CHECK(summary.avg == 25);
    CHECK(summary.max == 40);
    CHECK(summary.mdev == Approx(11.180).epsilon(0.0001));
    CHECK(summary.p50 == 20);
    CHECK(summary.p99 == 40);
}

TEST_CASE("ping: percentiles of an endless ping are within half a percent, the rest is exact", "[unit]") {
    RttStatistics rtt;
    constexpr std::int64_t count = 300'000;
    for (std::int64_t i = 1; i <= count; ++i)
        rtt.add(nanoseconds(i * 100));
    const auto summary = *rtt.summary();
    CHECK(summary.min == 0.1);
    CHECK(summary.max == 30'000);
    CHECK(summary.avg == Approx(15'000.05));
    CHECK(summary.p50 == Approx(15'000).epsilon(0.005));
    CHECK(summary.p99 == Approx(29'700).epsilon(0.005));
}

TEST_CASE("ping: histogram buckets hold any time, the longest too", "[unit]") {
    RttStatistics rtt;
    for (std::size_t i = 0; i <= RttStatistics::most_exact; ++i)
        rtt.add(nanoseconds::max());
    rtt.add(0ns);
    CHECK(rtt.summary()->p50 ==
          Approx(static_cast<double>(nanoseconds::max().count()) / 1000).epsilon(0.005));
}

TEST_CASE("ping: transmit timestamps find their echo, also after sends that failed", "[unit]") {
    TransmitKeys keys;
    CHECK(!keys.find(0, 5ns));
    keys.sent(1, 10ns, 20ns);
    CHECK(keys.find(0, 15ns) == 1);
    keys.sent(2, 30ns, 40ns);
    // It waited for ARP: the distance is known.
    CHECK(keys.find(1, 900ns) == 2);
    CHECK(!keys.find(7, 900ns));
    keys.failed();
    CHECK(!keys.find(1, 950ns));
    // The failed one was counted by the kernel.
    keys.sent(4, 1000ns, 1010ns);
    CHECK(keys.find(3, 1005ns) == 4);
    keys.sent(5, 1100ns, 1110ns);
    CHECK(keys.find(4, 1150ns) == 5);
}
