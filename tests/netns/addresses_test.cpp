#include "common/api/addresses.hpp"

#include "common/api/links.hpp"
#include "common/api/neighbours.hpp"
#include "daemon/kernel/names.hpp"
#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <set>

#include <linux/if_addr.h>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

std::string text(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

/// One line for each address, as the referee has it.
std::multiset<std::string> by_ip(const TestNetwork& network, char letter) {
    std::multiset<std::string> lines;
    for (const auto& link : ip_json(network, letter, "addr show")) {
        for (const auto& entry : link.at("addr_info").as_array()) {
            const auto& info = entry.as_object();
            const auto flag = [&](const char* name) {
                return info.contains(name) ? std::string(" ") + name : std::string();
            };
            const auto valid = info.at("valid_life_time").to_number<std::uint64_t>();
            lines.insert(std::string(link.at("ifname").as_string()) + " " + text(info, "local") + "/" +
                         std::to_string(info.at("prefixlen").to_number<int>()) + " " + text(info, "scope") +
                         " peer " + text(info, "address") + " brd " + text(info, "broadcast") +
                         flag("dynamic") + flag("secondary") + flag("deprecated") +
                         (valid == 0xFFFFFFFF ? " forever" : " limited"));
        }
    }
    return lines;
}

std::multiset<std::string> by_netlab(const std::vector<object>& rows) {
    std::multiset<std::string> lines;
    for (const auto& row : rows) {
        const auto has = [&](std::string_view flag) {
            return std::ranges::any_of(row.at("flags").as_array(),
                                       [&](const auto& value) { return value.as_string() == flag; });
        };
        const auto shown = [&](const char* name) {
            return has(name) ? std::string(" ") + name : std::string();
        };
        lines.insert(text(row, "interface") + " " + text(row, "address") + " " + text(row, "scope") +
                     " peer " + text(row, "peer") + " brd " + text(row, "broadcast") +
                     (has("permanent") ? "" : " dynamic") + shown("secondary") + shown("deprecated") +
                     (row.contains("valid_seconds") ? " limited" : " forever"));
    }
    return lines;
}

}  // namespace

template <class Request>
Request of_interface(const std::string& name) {
    Request request;
    request.interface = name;
    return request;
}

TEST_CASE("addresses: the same as ip addr, both families, of every kind", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "addr add 192.0.2.7/24 dev eth0");
    network.ip('a', "addr add 198.51.100.1/32 peer 198.51.100.9/32 dev eth0");
    network.ip('a', "addr add 203.0.113.1/28 brd + dev eth0 scope link label eth0:x");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('a', "addr add 2001:db8::2/64 dev eth0 nodad valid_lft 3000 preferred_lft 0");
    network.ip('a', "addr add 2001:db8::3/64 dev eth0 nodad valid_lft 3000 preferred_lft 2000");
    const auto said = inspect(api::AddressesRequest{}, ask(network, "a"));
    REQUIRE(said.ended);
    CHECK(by_netlab(said.of("address")) == by_ip(network, 'a'));
    CHECK(said.report.at("rows") == said.of("address").size());
    CHECK(said.report.at("consistent") == true);
}

TEST_CASE("addresses: of one interface, of one family, and of an interface that is not there", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    api::AddressesRequest request;
    request.interface = "eth0";
    request.family = Family::ipv4;
    const auto one = inspect(request, ask(network, "a"));
    REQUIRE(one.rows.size() == 1);
    CHECK(text(one.rows[0], "address") == "192.0.2.1/24");
    request.interface = "eht0";
    CHECK(inspect(request, ask(network, "a")).error == errc::no_such_interface);
    CHECK(inspect(request, ask(network, "ab")).error == errc::no_such_interface);
    CHECK(inspect(of_interface<api::LinksRequest>("eht0"), ask(network, "ab")).error ==
          errc::no_such_interface);
    CHECK(inspect(of_interface<api::NeighboursRequest>("eht0"), ask(network, "ab")).error ==
          errc::no_such_interface);
    network.ip('b', "link add eht0 type bridge");
    const auto some = inspect(request, ask(network, "ab"));
    CHECK_FALSE(some.error);
    CHECK(some.rows.empty());
}

TEST_CASE("inspections: an alternative name of an interface is as good as its own", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.ip('a', "link property add dev eth0 altname the-way-out-of-this-namespace");
    network.ip('a', "neigh add 192.0.2.9 dev eth0 lladdr 02:00:00:00:00:09");
    const std::string name = "the-way-out-of-this-namespace";
    // As ip takes it.
    REQUIRE(text(ip_json(network, 'a', "link show dev " + name)[0].as_object(), "ifname") == "eth0");
    const auto links = inspect(of_interface<api::LinksRequest>(name), ask(network, "a"));
    REQUIRE(links.rows.size() == 1);
    CHECK(text(links.rows[0], "name") == "eth0");
    const auto addresses = inspect(of_interface<api::AddressesRequest>(name), ask(network, "ab"));
    REQUIRE_FALSE(addresses.rows.empty());
    CHECK(text(addresses.rows[0], "interface") == "eth0");
    CHECK(text(addresses.rows[0], "target") == "a");
    const auto neighbours = inspect(of_interface<api::NeighboursRequest>(name), ask(network, "a"));
    REQUIRE(neighbours.rows.size() == 1);
    CHECK(text(neighbours.rows[0], "address") == "192.0.2.9");
}

TEST_CASE("addresses: the same flag is `temporary` of IPv6 and `secondary` of IPv4", "[unit]") {
    using Names = std::vector<std::string>;
    CHECK(kernel::address_flag_names(Family::ipv4, IFA_F_SECONDARY) == Names{"secondary"});
    CHECK(kernel::address_flag_names(Family::ipv6, IFA_F_TEMPORARY) == Names{"temporary"});
}

TEST_CASE("inspections: the report says that there are more namespaces than were opened", "[netns]") {
    const TestNetwork network("a");
    auto asked = ask(network, "a");
    CHECK(inspect(api::AddressesRequest{}, std::move(asked)).report.at("truncated") == false);
    asked = ask(network, "a");
    asked.context.truncated = true;
    CHECK(inspect(api::AddressesRequest{}, std::move(asked)).report.at("truncated") == true);
}

TEST_CASE("addresses: of several targets, and one that is gone does not cost the others their rows",
          "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    auto asked = ask(network, "ab");
    asked.handles[0].net.reset();
    const auto said = inspect(api::AddressesRequest{}, std::move(asked));
    REQUIRE(said.of("failure").size() == 1);
    CHECK(text(said.of("failure")[0], "target") == "a");
    CHECK(by_netlab(said.of("address")) == by_ip(network, 'b'));
    CHECK(said.report.at("failures") == 1);
    CHECK_FALSE(said.error);
}
