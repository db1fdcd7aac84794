#include "common/api/capture.hpp"
#include "daemon/targets/points.hpp"
#include "tests/support/catch.hpp"

#include <limits>

using namespace netlab;
using namespace netlab::targets;

namespace {

const Engine docker{api::Runtime::docker, "/run/docker.sock"};

api::ContainerRecord container(const std::string& name, char id, const std::string& network,
                               const std::string& prefix) {
    api::ContainerRecord record;
    record.target.name = name;
    record.target.id = std::string(64, id);
    record.target.runtime = api::Runtime::docker;
    record.target.state = api::State::running;
    record.target.pid = 100 + id;
    record.sandbox_path = std::string("/run/docker/netns/") + id;
    auto& membership = record.target.networks.emplace_back();
    membership.name = network;
    membership.addresses.push_back(*IpPrefix::parse(prefix));
    return record;
}

void identify(Registry& registry, const api::ContainerRecord& record, std::uint64_t inode) {
    api::NamespaceRecord facts;
    facts.id = record.target.id;
    facts.device = 4;
    facts.inode = inode;
    auto& interface = facts.interfaces.emplace_back();
    interface.name = "eth0";
    interface.addresses = record.target.networks.front().addresses;
    registry.apply(facts);
}

/// co1 and co2 on `net`, co3 on `bridge`, and the host.
void fill(Registry& registry) {
    const std::vector<api::ContainerRecord> records{container("co1", 'a', "net", "172.20.0.2/16"),
                                                    container("co2", 'b', "net", "172.20.0.3/16"),
                                                    container("co3", 'c', "bridge", "172.17.0.2/16")};
    registry.set_state(docker, {true, {}});
    registry.replace(docker, records);
    for (std::uint64_t inode = 10; const auto& record : records)
        identify(registry, record, inode++);
    api::NamespaceRecord host;
    host.device = 4;
    host.inode = 1;
    registry.apply(host);
}

}  // namespace

TEST_CASE("capture points: a target, an interface, any, and a veth's other end", "[unit]") {
    Registry registry;
    fill(registry);
    const std::vector<std::string> words{"co1", "co2:eth0", "docker:co1:any", "co1:eth0@veth",
                                         "host:docker0"};
    const auto found = find_points(registry, words);
    REQUIRE(found);
    REQUIRE(found->points.size() == 5);
    CHECK(found->points[0] == api::CapturePoint{"co1", 0, "", false, "", false});
    CHECK(found->points[1] == api::CapturePoint{"co2:eth0", 1, "eth0", false, "", false});
    CHECK(found->points[2] == api::CapturePoint{"docker:co1:any", 0, "any", false, "", false});
    CHECK(found->points[3] == api::CapturePoint{"co1:eth0@veth", 0, "eth0", true, "", false});
    CHECK(found->points[4] == api::CapturePoint{"host:docker0", 2, "docker0", false, "", false});
    REQUIRE(found->targets.size() == 3);
    CHECK(found->targets[2].target.runtime == api::Runtime::host);
}

TEST_CASE("capture points: a network is its members' interfaces and their bridge", "[unit]") {
    Registry registry;
    fill(registry);
    const std::vector<std::string> words{"net:net"};
    const auto found = find_points(registry, words);
    REQUIRE(found);
    REQUIRE(found->points.size() == 2);
    CHECK(found->points[0] == api::CapturePoint{"net:net", 0, "eth0", false, "net", true});
    CHECK(found->points[1] == api::CapturePoint{"net:net", 1, "eth0", false, "net", true});
    REQUIRE(found->targets.size() == 3);  // the bridge is in the host's namespace
    CHECK(found->targets[2].target.runtime == api::Runtime::host);
}

TEST_CASE("capture points: what is none is told why", "[unit]") {
    Registry registry;
    fill(registry);
    const auto [word, code, message] = GENERATE(table<std::string, errc, std::string>({
        {"co9", errc::no_such_target, "co9"},
        {"co9:eth0", errc::no_such_target, "co9"},
        {"docker:co9", errc::no_such_target, "co9"},
        {"co1:", errc::bad_request, "names no interface"},
        {"co1:eth0@peer", errc::bad_request, "'@peer'"},
        {"co1:any@veth", errc::bad_request, "'any' has no other end"},
        {"net:nett", errc::no_such_target, "nett"},
        {"pid:x", errc::bad_request, "x"},
    }));
    INFO(word);
    const std::vector<std::string> words{"co1", word};
    const auto found = find_points(registry, words);
    REQUIRE(!found);
    CHECK(found.error().code == code);
    INFO(found.error().message);
    CHECK(found.error().message.find(message) != std::string::npos);
}

TEST_CASE("capture request: what cannot be captured is refused", "[unit]") {
    api::CaptureRequest fine;
    fine.points = {"co1"};
    CHECK(check(fine, {}));
    const auto code_of = [&](auto change, api::Roles roles = {}) {
        auto request = fine;
        change(request);
        const auto checked = check(request, roles);
        return checked ? std::optional<errc>() : std::optional(checked.error().code);
    };
    CHECK(code_of([](auto& r) { r.points.clear(); }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.points.resize(65, "co1"); }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.points.emplace_back(); }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.filter.assign(4097, ' '); }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.filter = std::string("a\0b", 3); }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.snap_length = 262'145; }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.duration_ms = -1; }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.duration_ms = std::numeric_limits<double>::quiet_NaN(); }) ==
          errc::bad_request);
    CHECK(code_of([](auto& r) { r.buffer_kib = 511; }) == errc::bad_request);
    CHECK(code_of([](auto& r) { r.buffer_kib = 65'537; }) == errc::limit_exceeded);
    CHECK(code_of([](auto& r) { r.buffer_kib = 65'537; }, api::Roles::all()) == std::nullopt);
    CHECK(code_of([](auto& r) { r.buffer_kib = 524'289; }, api::Roles::all()) == errc::bad_request);
}
