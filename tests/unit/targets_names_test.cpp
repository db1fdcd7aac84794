#include "daemon/targets/names.hpp"
#include "daemon/targets/registry.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::targets;
using api::PeerMatch;
using api::Runtime;
using api::State;

namespace {

const Engine docker{Runtime::docker, "/run/docker.sock"};
const Engine podman{Runtime::podman, "/run/podman/podman.sock"};

api::ContainerRecord container(const std::string& name, const std::string& id,
                               Runtime runtime = Runtime::docker, State state = State::running) {
    api::ContainerRecord record;
    record.target.name = name;
    record.target.id = id + std::string(64 - id.size(), '0');
    record.target.runtime = runtime;
    record.target.state = state;
    record.target.pid = state == State::running || state == State::paused ? 100 : 0;
    return record;
}

api::NamespaceRecord named(const std::string& path, std::uint64_t inode) {
    api::NamespaceRecord record;
    record.id = path;
    record.device = 4;
    record.inode = inode;
    return record;
}

void attach(api::ContainerRecord& record, const std::string& network, const std::string& prefix) {
    auto& membership = record.target.networks.emplace_back();
    membership.name = network;
    membership.addresses.push_back(*IpPrefix::parse(prefix));
}

struct Machine {
    Machine() {
        registry.apply(docker, container("co1", "4f12ab"));
        registry.apply(docker, container("co2", "4f34cd"));
        registry.apply(docker, container("web", "aa01"));
        registry.apply(docker, container("abc", "bb01"));  // its name could be an ID
        registry.apply(docker, container("other", "abc1"));
        registry.apply(podman, container("web", "cc01", Runtime::podman));
        registry.apply(podman, container("pod1", "dd01", Runtime::podman));
        registry.apply(docker, container("dead1", "ee01", Runtime::docker, State::exited));
        registry.apply(named("/run/netns/blue", 7));
        registry.apply(named("", 1));
    }
    [[nodiscard]] std::string name_of(std::string_view word) const {
        const auto found = registry.resolve(word);
        return found ? std::string(found->target.name) : "error: " + found.error().message;
    }
    [[nodiscard]] Error error_of(std::string_view word) const {
        const auto found = registry.resolve(word);
        return found ? Error{} : found.error();
    }
    Registry registry;
};

}  // namespace

TEST_CASE("names: a target is named by its name, its prefix, its ID or the beginning of its ID", "[unit]") {
    const Machine machine;
    CHECK(machine.name_of("co1") == "co1");
    CHECK(machine.name_of("/co1") == "co1");
    CHECK(machine.name_of("docker:co1") == "co1");
    CHECK(machine.name_of("4f1") == "co1");
    CHECK(machine.name_of("docker:4f1") == "co1");
    CHECK(machine.name_of("4f12ab" + std::string(58, '0')) == "co1");
    CHECK(machine.name_of("podman:web") == "web");
    CHECK(machine.registry.resolve("podman:web")->target.runtime == Runtime::podman);
    CHECK(machine.name_of("netns:blue") == "blue");
    CHECK(machine.name_of("blue") == "blue");
    CHECK(machine.name_of("/run/netns/blue") == "blue");
    CHECK(machine.name_of("host") == "host");
}

TEST_CASE("names: a whole name wins over the beginning of an ID", "[unit]") {
    const Machine machine;
    CHECK(machine.name_of("abc") == "abc");
    CHECK(machine.name_of("abc1") == "other");
}

TEST_CASE("names: what means several targets is refused with words that mean one each", "[unit]") {
    const Machine machine;
    const auto web = machine.error_of("web");
    CHECK(web.code == errc::ambiguous_target);
    CHECK(web.details == std::vector<std::string>{"docker:web", "podman:web"});
    CHECK(web.hint == "say docker:web or podman:web");
    const auto prefix = machine.error_of("4f");
    CHECK(prefix.code == errc::ambiguous_target);
    CHECK(prefix.message == "'4f' means 2 targets");
    CHECK(prefix.details == std::vector<std::string>{"co1", "co2"});
}

TEST_CASE("names: two names of one namespace are not ambiguous", "[unit]") {
    Machine machine;
    machine.registry.apply(named("/run/netns/co1", 50));
    CHECK(machine.error_of("co1").details == std::vector<std::string>{"docker:co1", "netns:co1"});
    machine.registry.apply(named("4f12ab" + std::string(58, '0'), 50));
    CHECK(machine.registry.resolve("co1")->target.runtime == Runtime::docker);
}

TEST_CASE("names: an unknown name gets the nearest ones", "[unit]") {
    const Machine machine;
    const auto error = machine.error_of("co9");
    CHECK(error.code == errc::no_such_target);
    CHECK(error.message == "no target is called 'co9'");
    CHECK(error.hint == "did you mean co1 or co2?");
    CHECK(machine.error_of("docker:wbe").hint == "did you mean docker:web?");
    CHECK(machine.error_of("docker:wbe").message == "docker has no container 'wbe'");
    CHECK(machine.error_of("netns:bleu").hint == "did you mean netns:blue?");
    CHECK(machine.error_of("quite-another").hint == "netlab ls shows all targets");
    CHECK(machine.error_of("").code == errc::no_such_target);
    CHECK(machine.error_of(std::string(100'000, 'x')).message.size() < 200);
    CHECK(machine.error_of("a\xff").message == "no target is called 'a\xEF\xBF\xBD'");
}

TEST_CASE("names: an unknown prefix gets the nearest one", "[unit]") {
    const Machine machine;
    CHECK(machine.error_of("dokcer:co1").code == errc::no_such_target);
    CHECK(machine.error_of("dokcer:co1").hint == "did you mean docker:co1?");
    CHECK(machine.error_of("co1:80").hint == "did you mean co1?");
    CHECK(machine.error_of("2001:db8::1").hint == "the prefixes are docker:, podman:, netns: and pid:");
}

TEST_CASE("names: while an engine is down an unknown name says so", "[unit]") {
    Machine machine;
    machine.registry.set_state(docker, {false, "connection refused"});
    CHECK(machine.error_of("co9").hint ==
          "did you mean co1 or co2?; docker does not answer (connection refused), its newer containers are "
          "not known");
    CHECK(machine.error_of("podman:pod9").hint == "did you mean podman:pod1?");
    CHECK(machine.name_of("co1") == "co1");
    machine.registry.set_state(docker, {true, ""});
    CHECK(machine.error_of("co9").hint == "did you mean co1 or co2?");
}

TEST_CASE("names: a target that does not run is refused with its state and what to do", "[unit]") {
    Machine machine;
    CHECK(machine.error_of("dead1").code == errc::target_not_running);
    CHECK(machine.error_of("dead1").message == "container 'dead1' is not running: it is exited");
    CHECK(machine.error_of("dead1").hint == "docker start dead1");
    machine.registry.apply(podman, container("loopy", "ff01", Runtime::podman, State::restarting));
    CHECK(machine.error_of("loopy").message == "container 'loopy' is not running: it is restarting");
    CHECK(machine.error_of("loopy").hint == "podman logs loopy may say why it keeps ending");
    machine.registry.apply(docker, container("still", "ff02", Runtime::docker, State::paused));
    CHECK(machine.name_of("still") == "still");
}

TEST_CASE("names: a PID is taken as it is", "[unit]") {
    const Machine machine;
    CHECK(machine.name_of("pid:1") == "pid:1");
    for (const char* word : {"pid:", "pid:0", "pid:-1", "pid:x", "pid:1x", "pid:2147483648", "pid: 1"}) {
        INFO(word);
        CHECK(machine.error_of(word).code == errc::bad_request);
    }
}

TEST_CASE("names: a compose service means its only container, or its only running one", "[unit]") {
    Machine machine;
    const auto service = [&](const std::string& name, const std::string& id, State state) {
        auto record = container(name, id, Runtime::docker, state);
        record.compose_project = "shop";
        record.compose_service = "api";
        machine.registry.apply(docker, record);
    };
    service("shop-api-1", "5a01", State::running);
    CHECK(machine.name_of("api") == "shop-api-1");
    CHECK(machine.name_of("shop/api") == "shop-api-1");
    CHECK(machine.name_of("docker:api") == "shop-api-1");
    CHECK(machine.error_of("podman:api").code == errc::no_such_target);
    service("shop-api-run-1", "5a02", State::exited);
    CHECK(machine.name_of("api") == "shop-api-1");
    service("shop-api-2", "5a03", State::running);
    CHECK(machine.error_of("api").details ==
          std::vector<std::string>{"shop-api-1", "shop-api-2", "shop-api-run-1"});
}

TEST_CASE("names: a peer of the same runtime comes first, and a prefixed word must name something",
          "[unit]") {
    const Machine machine;
    const auto from_docker = machine.registry.resolve("co1")->target;
    const auto from_podman = machine.registry.resolve("pod1")->target;
    const auto from_blue = machine.registry.resolve("blue")->target;
    const auto peer = [&](std::string_view word, const api::Target& from) {
        const auto found = machine.registry.find_peer(word, from);
        return found && *found ? **found : Peer{};
    };
    CHECK(peer("web", from_docker).target.runtime == Runtime::docker);
    CHECK(peer("web", from_podman).target.runtime == Runtime::podman);
    CHECK(peer("web", from_podman).match == PeerMatch::name);
    CHECK(peer("web", from_blue).match == PeerMatch::none);
    CHECK(peer("podman:web", from_docker).match == PeerMatch::explicit_);
    CHECK(peer("host", from_docker).match == PeerMatch::host);
    CHECK(peer("pid:12", from_docker).reference->pid == 12);
    CHECK(peer("4f34cd000000", from_docker).target.name == "co2");
    CHECK(peer("4f34", from_docker).match == PeerMatch::none);  // may be a host's name
    CHECK(peer("example.com", from_docker).match == PeerMatch::none);
    const auto dead = peer("dead1", from_docker);
    CHECK(dead.match == PeerMatch::name);
    CHECK_FALSE(dead.reference);
    CHECK(peer("docker:dead1", from_docker).match == PeerMatch::explicit_);
    CHECK(machine.registry.find_peer("docker:nope", from_docker).error().code == errc::no_such_target);
    CHECK_FALSE(machine.registry.find_peer("dokcer:co1", from_docker)->has_value());
}

TEST_CASE("names: an address means the target on a common network that has it", "[unit]") {
    Registry registry;
    auto co1 = container("co1", "01");
    attach(co1, "net", "172.18.0.2/16");
    auto co2 = container("co2", "02");
    attach(co2, "net", "172.18.0.3/16");
    auto far = container("far", "03");
    attach(far, "elsewhere", "172.18.0.3/16");  // another engine's network of the same range
    auto farther = container("farther", "04");
    attach(farther, "more", "192.0.2.3/16");
    for (const auto& record : {co1, co2, far, farther})
        registry.apply(docker, record);
    const auto from = registry.resolve("co1")->target;
    CHECK((*registry.find_peer("172.18.0.3", from))->target.name == "co2");
    CHECK((*registry.find_peer("172.18.0.3", from))->match == PeerMatch::address);
    CHECK((*registry.find_peer("192.0.2.3", from))->target.name == "farther");
    CHECK_FALSE(registry.find_peer("172.18.0.3", registry.resolve("farther")->target)->has_value());
    CHECK_FALSE(registry.find_peer("203.0.113.1", from)->has_value());
    co2.target.state = State::exited;
    co2.target.pid = 0;
    registry.apply(docker, co2);
    CHECK((*registry.find_peer("172.18.0.3", from))->target.name == "far");
}

TEST_CASE("names: digits are compared as numbers", "[unit]") {
    CHECK(natural_less("co2", "co10"));
    CHECK_FALSE(natural_less("co10", "co2"));
    CHECK(natural_less("a", "a1"));
    CHECK(natural_less("a01", "a1"));
    CHECK_FALSE(natural_less("a1", "a1"));
    CHECK(natural_less("web-2-9", "web-2-10"));
    CHECK(natural_less("a1b", "a1c"));
}

TEST_CASE("names: engines' handles have the form of a UUID", "[unit]") {
    CHECK(is_engine_handle("netns-263ba65f-735a-067a-8fc0-bca2f3d5f38c"));
    CHECK(is_engine_handle("cni-263ba65f-735a-067a-8fc0-bca2f3d5f38c"));
    for (const char* name :
         {"blue", "netns-", "netns-blue", "netns-263ba65f-735a-067a-8fc0-bca2f3d5f38",
          "netns-263ba65f-735a-067a-8fc0-bca2f3d5f38cc", "netns-263ba65fx735a-067a-8fc0-bca2f3d5f38c"}) {
        CHECK_FALSE(is_engine_handle(name));
    }
}
