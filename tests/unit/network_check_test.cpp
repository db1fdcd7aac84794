#include "daemon/operations/network_check.hpp"

#include "daemon/operations/engine_networks.hpp"
#include "tests/support/catch.hpp"

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::operations;
using api::FindingCode;

namespace {

kernel::LinkDetails link(std::uint32_t index, const std::string& name, const std::string& kind,
                         std::uint32_t master = 0) {
    kernel::LinkDetails out;
    out.link.index = index;
    out.link.name = name;
    out.link.kind = kind;
    out.link.master = master;
    out.link.flags = IFF_UP;
    if (master != 0) out.bridge_port = kernel::BridgePortDetails{.state = BR_STATE_FORWARDING};
    return out;
}

kernel::Address address(std::uint32_t index, const char* text) {
    kernel::Address out;
    out.index = index;
    out.prefix = *IpPrefix::parse(text);
    out.scope = RT_SCOPE_UNIVERSE;
    return out;
}

/// Docker's network `net` with one member, and a kernel that agrees.
struct Scene {
    api::NetworkRow network;
    NamespaceState host;
    NamespaceState container;
    bool known = true;
    bool readable = true;
    bool elsewhere = false;
    std::optional<std::uint32_t> port = 11;

    Scene() {
        network.name = "net";
        network.driver = "bridge";
        network.bridge = "br-1";
        network.subnets = {
            {*IpPrefix::parse("172.18.0.0/16"), *IpAddress::parse("172.18.0.1"), std::nullopt}};
        network.members = {{"co1",
                            "c1",
                            std::nullopt,
                            {*IpPrefix::parse("172.18.0.2/16")},
                            "02:42:ac:12:00:02",
                            std::nullopt,
                            std::nullopt}};
        host.links = {link(3, "br-1", "bridge"), link(11, "veth1", "veth", 3)};
        host.addresses = {address(3, "172.18.0.1/16")};
        container.links = {link(5, "eth0", "veth")};
        container.links[0].link.mac = *MacAddress::parse("02:42:ac:12:00:02");
        container.addresses = {address(5, "172.18.0.2/16")};
    }

    std::vector<FindingCode> codes() const {
        MemberState member;
        member.known = known;
        member.elsewhere = elsewhere;
        if (known && readable) {
            member.in = &container;
            member.interface = find_interface(network.members.at(0), container);
            if (member.interface != nullptr) member.port = port;
        }
        std::vector<FindingCode> out;
        for (const auto& finding : check_network(network, host, {member})) {
            CHECK_FALSE(finding.message.empty());
            CHECK_FALSE(finding.subject.empty());
            out.push_back(finding.code);
        }
        return out;
    }
};

using Codes = std::vector<FindingCode>;

}  // namespace

TEST_CASE("networks: where engine and kernel agree there is no finding", "[unit]") {
    CHECK(Scene().codes().empty());
}

TEST_CASE("networks: a member that was not looked at is no finding, nor is one port that may be its own",
          "[unit]") {
    Scene scene;
    scene.known = false;
    CHECK(scene.codes() == Codes{FindingCode::member_unknown, FindingCode::port_unknown});
    scene.elsewhere = true;
    CHECK(scene.codes().empty());
    scene.host.links.push_back(link(12, "veth2", "veth", 3));
    CHECK(scene.codes() == Codes{FindingCode::port_unknown, FindingCode::port_unknown});
}

TEST_CASE("networks: of a container the engine's own word is whether it runs", "[unit]") {
    CHECK(engine_json::parse_running(R"({"Id":"c1","State":{"Running":true}})"));
    for (const auto* other :
         {R"({"State":{"Running":false}})", R"({"State":{}})", R"({"State":[]})", "[]", "", "{"})
        CHECK_FALSE(engine_json::parse_running(other));
}

TEST_CASE("networks: what is wrong with the bridge is found", "[unit]") {
    Scene scene;
    scene.host.links.erase(scene.host.links.begin());
    CHECK(scene.codes() == Codes{FindingCode::bridge_missing});

    scene = {};
    scene.host.links[0].link.kind = "veth";
    CHECK(scene.codes() == Codes{FindingCode::not_a_bridge});

    scene = {};
    scene.host.links[0].link.flags = 0;
    CHECK(scene.codes() == Codes{FindingCode::bridge_down});

    scene = {};
    scene.host.addresses.clear();
    CHECK(scene.codes() == Codes{FindingCode::gateway_missing});
    scene.network.options = {{"com.docker.network.bridge.inhibit_ipv4", "true"}};
    CHECK(scene.codes().empty());

    scene.network.options.clear();
    scene.network.subnets[0].gateway.reset();
    CHECK(scene.codes() == Codes{FindingCode::gateway_missing});
    scene.host.addresses = {address(3, "172.18.0.254/16")};
    CHECK(scene.codes().empty());

    scene = {};
    scene.host.addresses.push_back(address(3, "10.9.9.9/24"));
    CHECK(scene.codes() == Codes{FindingCode::bridge_address_unknown});

    scene = {};
    scene.host.links.push_back(link(12, "veth2", "veth", 3));
    CHECK(scene.codes() == Codes{FindingCode::port_unknown});
}

TEST_CASE("networks: what is wrong with a member is found", "[unit]") {
    Scene scene;
    scene.known = false;
    CHECK(scene.codes() == Codes{FindingCode::member_unknown, FindingCode::port_unknown});

    scene = {};
    scene.readable = false;
    CHECK(scene.codes() == Codes{FindingCode::member_unreadable, FindingCode::port_unknown});

    scene = {};
    scene.container = {};
    CHECK(scene.codes() == Codes{FindingCode::interface_missing, FindingCode::port_unknown});

    scene = {};
    scene.container.addresses.clear();
    CHECK(scene.codes() == Codes{FindingCode::address_missing});

    scene = {};
    scene.container.addresses.push_back(address(5, "172.18.0.77/16"));
    CHECK(scene.codes() == Codes{FindingCode::address_unknown});

    scene = {};
    scene.container.addresses = {address(5, "172.18.0.2/24")};
    CHECK(scene.codes() == Codes{FindingCode::prefix_differs});

    scene = {};
    scene.container.links[0].link.mac = *MacAddress::parse("02:00:00:00:00:01");
    CHECK(scene.codes() == Codes{FindingCode::mac_differs});

    scene = {};
    scene.container.links[0].link.flags = 0;
    CHECK(scene.codes() == Codes{FindingCode::interface_down});
}

TEST_CASE("networks: what is wrong between a member and the bridge is found", "[unit]") {
    Scene scene;
    scene.port.reset();
    CHECK(scene.codes() == Codes{FindingCode::port_missing, FindingCode::port_unknown});

    scene = {};
    scene.host.links[1].link.master = 0;
    CHECK(scene.codes() == Codes{FindingCode::port_detached});

    scene = {};
    scene.host.links[1].link.flags = 0;
    CHECK(scene.codes() == Codes{FindingCode::port_down});

    scene = {};
    scene.host.links[1].bridge_port->state = BR_STATE_BLOCKING;
    CHECK(scene.codes() == Codes{FindingCode::port_blocked});
}

TEST_CASE("networks: link-local addresses and those of a router's advertisement are nobody's mistake",
          "[unit]") {
    Scene scene;
    auto local = address(5, "fe80::1/64");
    local.scope = RT_SCOPE_LINK;
    auto advertised = address(5, "2001:db8::5/64");
    advertised.valid = 3000;
    scene.container.addresses.push_back(local);
    scene.container.addresses.push_back(advertised);
    CHECK(scene.codes().empty());
}

TEST_CASE("networks: a network of Podman has no bridge while nobody is in it", "[unit]") {
    Scene scene;
    scene.network.engine = api::Runtime::podman;
    scene.network.members.clear();
    scene.host = {};
    CHECK_FALSE(can_be_checked(scene.network));
    scene.network.engine = api::Runtime::docker;
    CHECK(can_be_checked(scene.network));
    CHECK(check_network(scene.network, scene.host, {}).size() == 1);
}

TEST_CASE("networks: the parent of a macvlan network is looked for", "[unit]") {
    api::NetworkRow network;
    network.driver = "macvlan";
    network.parent = "eth0";
    CHECK(can_be_checked(network));
    NamespaceState host;
    REQUIRE(check_network(network, host, {}).size() == 1);
    CHECK(check_network(network, host, {})[0].code == FindingCode::parent_missing);
    host.links = {link(2, "eth0", "")};
    CHECK(check_network(network, host, {}).empty());
    host.links[0].link.flags = 0;
    CHECK(check_network(network, host, {})[0].code == FindingCode::parent_down);
    network.driver = "overlay";
    CHECK_FALSE(can_be_checked(network));
}

TEST_CASE("engine JSON: a network of Docker with its members", "[unit]") {
    const auto parsed = engine_json::parse_network(R"({"Name":"net","Id":"6213fe6fbb909939","Scope":"local",
        "Driver":"bridge","EnableIPv6":true,"Internal":true,"IPAM":{"Config":[
          {"Subnet":"172.18.0.0/16","Gateway":"172.18.0.1","IPRange":"172.18.5.0/24"},
          {"Subnet":"2001:db8::/64","Gateway":"2001:db8::1/64"}, {"Subnet":"nonsense"}, 7]},
        "Containers":{"014b":{"Name":"co1","MacAddress":"02:42:ac:12:00:02","IPv4Address":"172.18.0.2/16",
                              "IPv6Address":""}},
        "Options":{"com.docker.network.driver.mtu":"1400"}})",
                                                   api::Runtime::docker);
    REQUIRE(parsed);
    CHECK(parsed->bridge == "br-6213fe6fbb90");
    CHECK(parsed->internal);
    CHECK(parsed->ipv6);
    REQUIRE(parsed->subnets.size() == 2);
    CHECK(parsed->subnets[0].gateway == *IpAddress::parse("172.18.0.1"));
    CHECK(parsed->subnets[0].range == *IpPrefix::parse("172.18.5.0/24"));
    CHECK(parsed->subnets[1].gateway == *IpAddress::parse("2001:db8::1"));
    REQUIRE(parsed->members.size() == 1);
    CHECK(parsed->members[0].name == "co1");
    CHECK(parsed->members[0].addresses == std::vector{*IpPrefix::parse("172.18.0.2/16")});
    CHECK(parsed->options == std::vector<api::NetworkOption>{{"com.docker.network.driver.mtu", "1400"}});
}

TEST_CASE("engine JSON: bridges are named by their option, by Podman, or not at all", "[unit]") {
    auto rows = engine_json::parse_networks(
        R"([{"Name":"bridge","Id":"b5137c94f8dc","Driver":"bridge",
             "Options":{"com.docker.network.bridge.name":"docker0"}}, {"Name":"host","Id":"43","Driver":"host"}, 5])",
        api::Runtime::docker);
    REQUIRE(rows);
    REQUIRE(rows->size() == 2);
    CHECK((*rows)[0].bridge == "docker0");
    CHECK_FALSE((*rows)[1].bridge);
    rows = engine_json::parse_networks(R"([{"Name":"bridge","Id":"2f25","Driver":"bridge"}])",
                                       api::Runtime::podman);
    REQUIRE(rows);
    CHECK_FALSE(rows->at(0).bridge);
    engine_json::take_libpod_names(
        R"([{"name":"podman","id":"2f25","network_interface":"podman0"},{"id":7},1])", *rows);
    CHECK(rows->at(0).bridge == "podman0");
    CHECK(rows->at(0).name == "podman");
}

TEST_CASE("engine JSON: what is no network throws nothing", "[unit]") {
    for (const auto* body : {"", "[]", "{}", "7", R"({"Name":7,"Id":[]})", R"({"Name":"a","Id":"../x"})",
                             R"({"Id":"ab","Name":""})"}) {
        INFO(body);
        CHECK_FALSE(engine_json::parse_network(body, api::Runtime::docker));
    }
    CHECK_FALSE(engine_json::parse_networks("{}", api::Runtime::docker));
    const auto odd = engine_json::parse_network(
        R"({"Name":"a","Id":"ab","Driver":"bridge","IPAM":[],"Containers":{"x":1,"y":{"IPv4Address":"z"}},"Options":7})",
        api::Runtime::docker);
    REQUIRE(odd);
    CHECK(odd->members.size() == 1);
    CHECK(odd->members[0].addresses.empty());
}
