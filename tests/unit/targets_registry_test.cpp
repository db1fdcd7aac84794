#include "daemon/targets/registry.hpp"
#include "tests/support/catch.hpp"

#include <chrono>

using namespace netlab;
using namespace netlab::targets;
using api::PeerMatch;
using api::Runtime;
using api::State;

namespace {

const Engine docker{Runtime::docker, "/run/docker.sock"};
const Engine podman{Runtime::podman, "/run/podman/podman.sock"};

struct Attached {
    std::string network;
    std::string prefix;
};

std::string id_of(int number) {
    auto text = std::to_string(number);
    return std::string(12 - text.size(), 'a') + text + std::string(52, '0');
}

/// A running container; `number` makes its ID and its PID.
api::ContainerRecord container(const std::string& name, int number, std::vector<Attached> networks = {},
                               Runtime runtime = Runtime::docker) {
    api::ContainerRecord record;
    auto& target = record.target;
    target.name = name;
    target.runtime = runtime;
    target.id = id_of(number);
    target.state = State::running;
    target.pid = 1000 + number;
    target.network_mode = networks.empty() ? "none" : networks.front().network;
    for (const auto& [network, prefix] : networks) {
        auto& membership = target.networks.emplace_back();
        membership.name = network;
        membership.addresses.push_back(*IpPrefix::parse(prefix));
    }
    record.sandbox_path = "/run/docker/netns/" + std::to_string(number);
    return record;
}

api::ContainerRecord stopped(const std::string& name, int number, State state = State::exited) {
    auto record = container(name, number);
    record.target.state = state;
    record.target.pid = 0;
    record.sandbox_path.clear();
    return record;
}

api::InterfaceFacts interface(std::uint32_t index, const std::string& name,
                              std::vector<std::string> prefixes) {
    api::InterfaceFacts facts;
    facts.index = index;
    facts.name = name;
    facts.loopback = name == "lo";
    for (const auto& prefix : prefixes)
        facts.addresses.push_back(*IpPrefix::parse(prefix));
    return facts;
}

api::NamespaceRecord facts(const std::string& id, std::uint64_t inode,
                           std::vector<api::InterfaceFacts> interfaces = {}) {
    api::NamespaceRecord record;
    record.id = id;
    record.device = 4;
    record.inode = inode;
    record.interfaces = std::move(interfaces);
    return record;
}

const api::Target& listed(const Registry& registry, std::string_view name,
                          Runtime runtime = Runtime::docker) {
    for (const auto& target : registry.list()) {
        if (target.name == name && target.runtime == runtime) return target;
    }
    throw std::out_of_range("not listed");
}

std::vector<std::string> listed_names(const Registry& registry) {
    std::vector<std::string> names;
    for (const auto& target : registry.list())
        names.push_back(target.name);
    return names;
}

/// What the tutorial of the workshop has.
struct Tutorial {
    Tutorial() {
        registry.set_state(docker, {true, ""});
        registry.apply(docker, container("co1", 1, {{"net", "172.18.0.2/16"}}));
        registry.apply(docker, container("co2", 2, {{"net", "172.18.0.3/16"}}));
        registry.apply(docker, container("co3", 3, {{"bridge", "172.17.0.2/16"}}));
        registry.apply(docker, container("co4", 4, {{"bridge", "172.17.0.3/16"}, {"net", "172.18.0.4/16"}}));
        registry.apply(docker, stopped("dead1", 5));
        auto host =
            facts("", 1,
                  {interface(1, "lo", {"127.0.0.1/8"}), interface(2, "eth0", {"198.51.100.2/24"}),
                   interface(3, "docker0", {"172.17.0.1/16"}), interface(9, "veth1", {"fe80::1/64"})});
        host.interfaces[3].port = true;
        registry.apply(host);
        registry.apply(facts(
            "/run/netns/blue", 77,
            {interface(1, "lo", {"127.0.0.1/8"}), interface(2, "eth0", {"2001:db8::1/64", "192.0.2.1/24"})}));
    }
    Registry registry;
};

}  // namespace

TEST_CASE("registry: containers are listed in natural order, then namespaces, then the host", "[unit]") {
    Tutorial tutorial;
    tutorial.registry.apply(docker, container("co10", 10));
    tutorial.registry.apply(podman, container("web", 11, {}, Runtime::podman));
    CHECK(listed_names(tutorial.registry) ==
          std::vector<std::string>{"co1", "co2", "co3", "co4", "co10", "dead1", "web", "blue", "host"});
}

TEST_CASE("registry: the host and named namespaces have a membership for each interface with addresses",
          "[unit]") {
    const Tutorial tutorial;
    const auto& host = listed(tutorial.registry, "host", Runtime::host);
    REQUIRE(host.networks.size() == 2);
    CHECK(host.networks[0].interface == "eth0");
    CHECK(host.networks[1].interface == "docker0");
    const auto& blue = listed(tutorial.registry, "blue", Runtime::netns);
    REQUIRE(blue.networks.size() == 1);
    REQUIRE(blue.networks[0].addresses.size() == 2);
    CHECK(blue.networks[0].addresses[0].to_string() == "192.0.2.1/24");  // IPv4 first
    CHECK(blue.id == "/run/netns/blue");
    CHECK(blue.namespace_->inode == 77);
}

TEST_CASE("registry: interfaces are named by their address, else by their MAC address", "[unit]") {
    Tutorial tutorial;
    auto record = container("co6", 6, {{"net", "172.18.0.6/16"}, {"bridge", "172.17.0.6/16"}});
    record.target.networks[1].addresses.clear();
    record.target.networks[1].mac = "02:42:ac:11:00:06";
    tutorial.registry.apply(docker, record);
    auto found =
        facts(record.target.id, 600,
              {interface(1, "lo", {}), interface(5, "eth1", {"172.18.0.6/16"}), interface(7, "eth0", {})});
    found.interfaces[2].mac = "02:42:ac:11:00:06";
    tutorial.registry.apply(found);
    const auto& networks = listed(tutorial.registry, "co6").networks;
    CHECK(networks[0].interface == "eth1");
    CHECK(networks[1].interface == "eth0");
}

TEST_CASE("registry: who lives in one namespace is told of the others, and a stopped one never", "[unit]") {
    Tutorial tutorial;
    auto& registry = tutorial.registry;
    auto sidecar = container("sidecar", 8);
    sidecar.target.network_mode = "container:" + id_of(1);
    sidecar.sandbox_path.clear();
    registry.apply(docker, sidecar);
    auto on_host = container("hostnet1", 9);
    on_host.target.network_mode = "host";
    registry.apply(docker, on_host);
    registry.apply(facts(id_of(1), 100, {interface(4, "eth0", {"172.18.0.2/16"})}));
    registry.apply(facts(id_of(8), 100, {interface(4, "eth0", {"172.18.0.2/16"})}));
    registry.apply(facts(id_of(9), 1));
    CHECK(listed(registry, "co1").namespace_->shared_with == std::vector<std::string>{"sidecar"});
    CHECK(listed(registry, "hostnet1").namespace_->shared_with == std::vector<std::string>{"host"});
    CHECK(listed(registry, "host", Runtime::host).namespace_->shared_with ==
          std::vector<std::string>{"hostnet1"});
    // It is on the networks of the container whose namespace it joined, but the address is that one's.
    CHECK(listed(registry, "sidecar").networks.at(0).interface == "eth0");
    const auto peer = registry.find_peer("172.18.0.2", listed(registry, "co2"));
    REQUIRE(peer);
    REQUIRE(peer->has_value());
    CHECK((*peer)->target.name == "co1");

    registry.apply(docker, stopped("sidecar", 8));
    CHECK(listed(registry, "co1").namespace_->shared_with.empty());
    CHECK_FALSE(listed(registry, "sidecar").namespace_);
}

TEST_CASE("registry: what leads to whose namespace a container joined leads to it too", "[unit]") {
    Tutorial tutorial;
    auto& registry = tutorial.registry;
    auto owner = container("co1", 1, {{"net", "172.18.0.2/16"}});
    owner.target.ports = {{IpAddress(), std::uint16_t{8080}, 80, "tcp"}};
    registry.apply(docker, owner);
    auto sidecar = container("sidecar", 8);
    sidecar.target.network_mode = "container:" + id_of(1);
    registry.apply(docker, sidecar);
    registry.apply(facts(id_of(1), 100));
    CHECK(registry.joined_ports(listed(registry, "sidecar")).empty());
    registry.apply(facts(id_of(8), 100));
    CHECK(registry.joined_ports(listed(registry, "sidecar")) == owner.target.ports);
    CHECK(registry.joined_ports(listed(registry, "co2")).empty());
    // It stays behind in the namespace that the other had before its restart.
    registry.apply(facts(id_of(1), 101));
    CHECK(registry.joined_ports(listed(registry, "sidecar")).empty());
}

TEST_CASE("registry: a snapshot removes what it does not hold, of its own engine only", "[unit]") {
    Tutorial tutorial;
    auto& registry = tutorial.registry;
    registry.apply(podman, container("web", 11, {}, Runtime::podman));
    const std::vector snapshot{container("co1", 1, {{"net", "172.18.0.2/16"}}), container("new", 12)};
    registry.replace(docker, snapshot);
    CHECK(listed_names(registry) == std::vector<std::string>{"co1", "new", "web", "blue", "host"});
    auto gone = container("co1", 1);
    gone.gone = true;
    registry.apply(docker, gone);
    registry.remove(id_of(12));
    registry.remove("never heard of");
    CHECK(listed_names(registry) == std::vector<std::string>{"web", "blue", "host"});
}

TEST_CASE("registry: a named namespace that the watcher does not say again is gone at the mark", "[unit]") {
    Tutorial tutorial;
    auto& registry = tutorial.registry;
    registry.begin_namespaces();
    registry.apply(facts("/run/netns/red", 78));
    CHECK(registry.resolve("blue"));
    api::NamespaceRecord mark;
    mark.complete = true;
    registry.apply(mark);
    CHECK_FALSE(registry.resolve("blue"));
    CHECK(registry.resolve("red"));
    CHECK(registry.resolve("host"));
}

TEST_CASE("registry: an engine's own handle of a container is not listed and resolves by its prefix",
          "[unit]") {
    Registry registry;
    const std::string handle = "netns-263ba65f-735a-067a-8fc0-bca2f3d5f38c";
    auto web = container("web", 1, {{"podman", "10.88.0.2/16"}}, Runtime::podman);
    web.sandbox_path = "/run/netns/" + handle;
    registry.apply(podman, web);
    registry.apply(facts("/run/netns/" + handle, 50));
    CHECK(listed_names(registry) == std::vector<std::string>{"web"});  // before anybody knows whose it is
    registry.apply(facts(id_of(1), 50));
    registry.apply(facts("/run/netns/web2", 50));  // somebody's own name for it
    CHECK(listed_names(registry) == std::vector<std::string>{"web", "web2"});
    CHECK(listed(registry, "web", Runtime::podman).namespace_->shared_with ==
          std::vector<std::string>{"web2"});
    CHECK_FALSE(registry.resolve(handle));
    CHECK(registry.resolve("netns:" + handle));
    // Left behind by a container that is no more: then it is a namespace like any other.
    registry.remove(id_of(1));
    CHECK(listed_names(registry) == std::vector<std::string>{handle, "web2"});
}

TEST_CASE("registry: what has to be identified is said once, and a stale answer is ignored", "[unit]") {
    Registry registry;
    registry.apply(docker, container("co1", 1));
    registry.apply(docker, stopped("dead1", 2));
    const auto first = registry.take_unidentified();
    REQUIRE(first.size() == 1);
    CHECK(first[0].reference.way == Way::path);
    CHECK(first[0].reference.pid == 1001);
    CHECK(registry.take_unidentified().empty());

    auto restarted = container("co1", 1);
    restarted.target.pid = 4321;
    registry.apply(docker, restarted);
    registry.apply(facts(first[0].key, 10));  // of the process before
    CHECK_FALSE(registry.resolve("co1")->target.namespace_);
    const auto second = registry.take_unidentified();
    REQUIRE(second.size() == 1);
    registry.apply(facts(second[0].key, 11));
    CHECK(registry.resolve("co1")->reference.inode == 11);

    // Another network, the same process: its interfaces are read again, its identity stays.
    auto connected = restarted;
    connected.target.networks.emplace_back().name = "net";
    registry.apply(docker, connected);
    CHECK(registry.resolve("co1")->reference.inode == 11);
    const auto third = registry.take_unidentified();
    REQUIRE(third.size() == 1);
    registry.identify_again(third[0].key);
    CHECK(registry.take_unidentified().size() == 1);
    registry.identify_again(second[0].key);  // stale
    CHECK(registry.take_unidentified().empty());
}

TEST_CASE("registry: the same record again changes nothing", "[unit]") {
    Tutorial tutorial;
    const auto version = tutorial.registry.version();
    tutorial.registry.apply(docker, container("co1", 1, {{"net", "172.18.0.2/16"}}));
    tutorial.registry.set_state(docker, {false, "gone"});
    CHECK(tutorial.registry.version() == version);
    CHECK(listed_names(tutorial.registry).size() == 7);  // targets stay known while an engine is down
}

TEST_CASE("registry: a namespace is reached by its path where it has one, else by its process", "[unit]") {
    Tutorial tutorial;
    auto& registry = tutorial.registry;
    CHECK(registry.resolve("co1")->reference.path == "/run/docker/netns/1");
    CHECK(registry.resolve("co1")->reference.pid == 1001);
    for (const char* path : {"", "/run/docker/netns/default", "relative"}) {
        auto record = container("co1", 1);
        record.sandbox_path = path;
        registry.apply(docker, record);
        CHECK(registry.resolve("co1")->reference.way == Way::process);
    }
    auto on_host = container("hostnet1", 9);
    on_host.target.network_mode = "host";
    registry.apply(docker, on_host);
    CHECK(registry.resolve("hostnet1")->reference.way == Way::process);
    CHECK(registry.resolve("host")->reference.way == Way::host);
    CHECK(registry.resolve("netns:blue")->reference.path == "/run/netns/blue");
    const auto process = registry.resolve("pid:4242");
    REQUIRE(process);
    CHECK(process->reference.way == Way::process);
    CHECK(process->reference.pid == 4242);
    CHECK(process->target.name == "pid:4242");
}

TEST_CASE("registry: with 1000 targets a look-up takes microseconds", "[unit]") {
    Registry registry;
    for (int i = 0; i < 1000; ++i) {
        registry.apply(
            docker,
            container("c" + std::to_string(i), i,
                      {{"net", "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "/16"}}));
        registry.apply(facts(id_of(i), 1000 + static_cast<std::uint64_t>(i)));
    }
    const auto from = registry.resolve("c0")->target;
    constexpr int rounds = 2000;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) {
        const auto number = std::to_string(i % 1000);
        REQUIRE(registry.resolve("c" + number));
        REQUIRE(registry.find_peer("c" + number, from)->has_value());
        REQUIRE(registry.find_peer("10.0.2.7", from)->has_value());
    }
    const auto spent = std::chrono::steady_clock::now() - start;
    // Loose: sanitizers and a loaded machine are no reason to fail.
    CHECK(spent / (3 * rounds) < std::chrono::microseconds(200));
}

TEST_CASE("registry: the running members of a network, and the nearest name of one that is none", "[unit]") {
    Registry registry;
    registry.apply(docker, container("co1", 1, {{"net", "172.18.0.2/16"}}));
    registry.apply(docker, container("co2", 2, {{"net", "172.18.0.3/16"}, {"bridge", "172.17.0.2/16"}}));
    registry.apply(docker, container("co3", 3, {{"bridge", "172.17.0.3/16"}}));
    registry.apply(docker, stopped("co4", 4));
    for (const int number : {1, 2, 3})
        registry.apply(facts(id_of(number), static_cast<std::uint64_t>(100 + number)));
    const auto names = [&](std::string_view network) {
        std::vector<std::string> out;
        const auto members = registry.members(network);
        for (const auto& member : members ? *members : std::vector<Resolution>{})
            out.push_back(member.target.name);
        return out;
    };
    CHECK(names("net") == std::vector<std::string>{"co1", "co2"});
    CHECK(names("bridge") == std::vector<std::string>{"co2", "co3"});
    const auto unknown = registry.members("brigde");
    REQUIRE(!unknown);
    CHECK(unknown.error().code == errc::no_such_target);
    CHECK(unknown.error().hint == "did you mean bridge?");
    CHECK(!registry.members(""));
    const auto as_target = registry.resolve("net");
    REQUIRE(!as_target);
    CHECK(as_target.error().message == "'net' is a network, not a target");
    CHECK(as_target.error().hint == "name who is on it: co1 or co2");

    // Containers of the host's network live in its namespace, whose target is the host itself.
    registry.apply(facts("", 1));
    auto on_host = container("hostnet1", 5);
    on_host.target.networks.emplace_back().name = "host";
    registry.apply(docker, on_host);
    registry.apply(facts(id_of(5), 1));
    const auto host = registry.members("host");
    REQUIRE(!host);
    CHECK(host.error().message == "the containers on 'host' have no network namespace of their own");
}

TEST_CASE("registry: the other end is known by its aliases on FROM's networks, whatever the case", "[unit]") {
    Tutorial tutorial;
    auto& registry = tutorial.registry;
    auto web = container("shop-web-1", 10, {{"net", "172.18.0.10/16"}});
    web.target.networks.front().aliases = {"web", "aaaaaaaaaa10"};
    registry.apply(docker, web);
    const auto from = listed(registry, "co1");
    const auto name_of = [&](std::string_view word) {
        const auto peer = registry.find_peer(word, from);
        REQUIRE(peer);
        return *peer ? (*peer)->target.name : std::string();
    };
    for (const auto* word : {"web", "WEB", "web.", "Shop-Web-1."})
        CHECK(name_of(word) == "shop-web-1");
    CHECK(name_of("CO2") == "co2");
    // On another network that is nobody's name.
    CHECK_FALSE(registry.find_peer("WEB", listed(registry, "co3"))->has_value());
    auto second = container("shop-web-2", 11, {{"net", "172.18.0.11/16"}});
    second.target.networks.front().aliases = {"web"};
    registry.apply(docker, second);
    CHECK(name_of("web").empty());
}
