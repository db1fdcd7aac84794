#include "common/api/pairs.hpp"

#include "daemon/operations/arp_introduction.hpp"
#include "daemon/operations/neighbour_pacing.hpp"
#include "daemon/operations/pair_end.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

MacAddress mac(std::uint8_t last) {
    return {{2, 0, 0, 0, 0, last}};
}

PairEnd end(std::uint64_t inode, const std::vector<std::pair<std::string_view, std::uint32_t>>& addresses,
            std::uint8_t last) {
    PairEnd out;
    out.device = 1;
    out.inode = inode;
    for (const auto& [prefix, interface] : addresses) {
        out.addresses.push_back({*IpPrefix::parse(prefix), interface});
        out.links.emplace_back(interface, mac(last));
    }
    return out;
}

}  // namespace

TEST_CASE("pairs: two on one link know each other there", "[unit]") {
    const auto a = end(1, {{"10.0.0.1/24", 7}, {"fd00::1/64", 7}}, 1);
    const auto b = end(2, {{"10.0.0.2/24", 9}, {"fd00::2/64", 9}}, 2);
    const auto way = choose_way(a, b, {});
    REQUIRE(way);
    CHECK(way->address == ip("10.0.0.2"));
    CHECK(way->link == SharedLink{7, ip("10.0.0.1"), mac(1), mac(2)});
    CHECK(choose_way(a, b, Family::ipv6)->address == ip("fd00::2"));
}

TEST_CASE("pairs: behind a gateway there is no common link, in one namespace the loopback", "[unit]") {
    const auto a = end(1, {{"10.0.0.1/24", 7}}, 1);
    const auto c = end(3, {{"10.9.0.3/24", 9}}, 3);
    CHECK(choose_way(a, c, {})->address == ip("10.9.0.3"));
    CHECK(!choose_way(a, c, {})->link);
    CHECK(choose_way(a, a, {})->address == ip("127.0.0.1"));
    CHECK(!choose_way(a, c, Family::ipv6));
    auto tunnel = a;
    tunnel.links.clear();
    const auto b = end(2, {{"10.0.0.2/24", 9}}, 2);
    CHECK(choose_way(tunnel, b, {})->address == ip("10.0.0.2"));
    CHECK(!choose_way(tunnel, b, {})->link);
}

TEST_CASE("pairs: an ARP request as RFC 826 has it", "[unit]") {
    CHECK(arp_request(mac(1), ip("10.0.0.1"), mac(2), ip("10.0.0.2")) ==
          std::array<std::uint8_t, 28>{0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                       10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2});
}

TEST_CASE("pairs: what fits into the neighbour table leaves a sixteenth to others", "[unit]") {
    CHECK(room_in({100, 512, 1024}) == 1024 - 64 - 100);
    CHECK(room_in({1000, 512, 1024}) == 0);
    CHECK(room_in({5000, 512, 1024}) == 0);
    CHECK(room_in({0, 0, 0}) == 0);
    CHECK(room_in({20, 16'384, 32'768}) > 9900);
    CHECK(fitting(std::vector<std::uint32_t>{1, 1, 0, 1}, 2) == 3);
    CHECK(fitting(std::vector<std::uint32_t>{1, 1}, 2) == 2);
    CHECK(fitting(std::vector<std::uint32_t>{3, 0}, 2) == 0);
    CHECK(fitting({}, 0) == 0);
}

TEST_CASE("pairs: what has no room is told, with how long it takes and what makes room", "[unit]") {
    const kernel::NeighbourTable table{100, 512, 1024};
    CHECK(time_for(860, table).count() == 0);
    CHECK(time_for(861, table).count() == 45);
    CHECK(time_for(860 + 448, table).count() == 45);
    CHECK(time_for(9900, table).count() == 45 * 21);
    CHECK(time_for(100, {0, 0, 0}).count() > 0);
    const auto pacing = pacing_of(9900, table, Family::ipv4);
    CHECK(pacing.capacity == 1024);
    CHECK(pacing.room == 860);
    CHECK(pacing.seconds == 945);
    CHECK(pacing.suggestion ==
          "on the host: sysctl -w net.ipv4.neigh.default.gc_thresh2=20000 "
          "net.ipv4.neigh.default.gc_thresh3=40000");
}

TEST_CASE("pairs: the request names who takes part in one way", "[unit]") {
    const auto checked = [](const std::vector<std::string>& targets, const std::string& network, bool all) {
        api::PingPairsRequest ping;
        ping.targets = targets;
        ping.network = network;
        ping.all = all;
        api::ConnectPairsRequest connect;
        connect.targets = targets;
        connect.network = network;
        connect.all = all;
        connect.port = 80;
        CHECK(static_cast<bool>(check(ping, {})) == static_cast<bool>(check(connect, {})));
        return static_cast<bool>(check(ping, {}));
    };
    CHECK(checked({"a", "b"}, "", false));
    CHECK(checked({}, "net", false));
    CHECK(checked({}, "", true));
    CHECK(!checked({}, "", false));
    CHECK(!checked({"a"}, "", false));
    CHECK(!checked({"a", "b"}, "net", false));
    CHECK(!checked({"a", "b"}, "", true));
    CHECK(!checked({}, "net", true));
    api::ConnectPairsRequest without;
    without.all = true;
    CHECK(!check(without, {}));
}

TEST_CASE("neighbour table: its entries and limits, not an interface's parameters", "[unit]") {
    test::NetlinkBytes bytes;
    ndtmsg header{};
    header.ndtm_family = AF_INET;
    ndt_config config{};
    config.ndtc_entries = 42;
    // The parameters of one interface come as messages of their own.
    bytes.begin(RTM_NEWNEIGHTBL, header);
    bytes.text(NDTA_NAME, "arp_cache");
    bytes.begin(RTM_NEWNEIGHTBL, header);
    bytes.text(NDTA_NAME, "arp_cache");
    bytes.attribute(NDTA_THRESH1, std::uint32_t{128});
    bytes.attribute(NDTA_THRESH2, std::uint32_t{512});
    bytes.attribute(NDTA_THRESH3, std::uint32_t{1024});
    bytes.attribute(NDTA_CONFIG, config);
    const auto all = bytes.all();
    CHECK(kernel::parse_neighbour_table(all, Family::ipv4) == kernel::NeighbourTable{42, 512, 1024});
    CHECK(!kernel::parse_neighbour_table(all, Family::ipv6));
    test::parse_damaged(all, [](const std::vector<std::byte>& damaged) {
        (void)kernel::parse_neighbour_table(damaged, Family::ipv4);
    });
}
