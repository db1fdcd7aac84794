#include "daemon/operations/engine_json.hpp"

#include "common/binary.hpp"
#include "common/frame.hpp"
#include "common/json.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations::engine_json;
using api::EngineRecordKind;
using api::Runtime;
using api::State;

namespace {

const std::string id = "e7a9dab162180442b4f86412c219023358af3a781402a239509073767fcf0606";

/// The parts of Docker 20.10's answer that matter, as it was given by a real Engine.
const std::string docker_20 = R"({"Id":")" + id + R"(","Created":"2026-11-24T03:57:55Z","Path":"sleep",
"State":{"Status":"running","Running":true,"Paused":false,"Restarting":false,"Dead":false,"Pid":15359,"ExitCode":0},
"Image":"sha256:dedf9eac82d2","Name":"/co4","RestartCount":0,
"HostConfig":{"NetworkMode":"default","PortBindings":{"8080/tcp":[{"HostIp":"","HostPort":"8080"}]}},
"Config":{"Hostname":"e7a9dab16218","Image":"lab/busybox",
"Labels":{"com.docker.compose.project":"shop","com.docker.compose.service":"api"}},
"NetworkSettings":{"Bridge":"","SandboxID":"28d5","SandboxKey":"/var/run/docker/netns/28d52a8246ea",
"Ports":{"8443/tcp":null,"53/udp":[{"HostIp":"127.0.0.1","HostPort":"5353"}],
"8080/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]},
"IPAddress":"172.17.0.3","Networks":{
"bridge":{"IPAMConfig":null,"Links":null,"Aliases":null,"Gateway":"172.17.0.1","IPAddress":"172.17.0.3","IPPrefixLen":16,
"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"MacAddress":"02:42:ac:11:00:03","DriverOpts":null},
"net6":{"IPAMConfig":{},"Aliases":["e7a9dab16218","api"],"DNSNames":["co4","e7a9dab16218","api"],
"Gateway":"172.20.0.1","IPAddress":"172.20.0.4","IPPrefixLen":16,"IPv6Gateway":"2001:db8:6::1",
"GlobalIPv6Address":"2001:db8:6::4","GlobalIPv6PrefixLen":64,"MacAddress":"02:42:AC:14:00:04"}}}})";

/// A container with one member changed.
std::string changed(std::string_view from, std::string_view to) {
    auto text = docker_20;
    const auto at = text.find(from);
    REQUIRE(at != text.npos);
    return text.replace(at, from.size(), to);
}

std::optional<api::EngineRecord> event(std::string_view text, Runtime runtime = Runtime::docker) {
    return parse_event(*json::parse(text), runtime);
}

}  // namespace

TEST_CASE("engine: a container of Docker 20.10 becomes a record", "[unit]") {
    const auto record = parse_container(docker_20, Runtime::docker);
    REQUIRE(record);
    const auto& target = record->target;
    CHECK(target.name == "co4");
    CHECK(target.id == id);
    CHECK(target.image == "lab/busybox");
    CHECK(target.state == State::running);
    CHECK(target.pid == 15359);
    CHECK(target.network_mode == "bridge");
    CHECK(record->sandbox_path == "/var/run/docker/netns/28d52a8246ea");
    CHECK(record->compose_project == "shop");
    CHECK(record->compose_service == "api");
    CHECK_FALSE(target.namespace_);

    REQUIRE(target.networks.size() == 2);
    CHECK(target.networks[0].name == "bridge");
    CHECK(target.networks[0].addresses == std::vector{*IpPrefix::parse("172.17.0.3/16")});
    CHECK(target.networks[0].gateway == *IpAddress::parse("172.17.0.1"));
    CHECK_FALSE(target.networks[0].gateway_v6);
    CHECK(target.networks[1].addresses ==
          std::vector{*IpPrefix::parse("172.20.0.4/16"), *IpPrefix::parse("2001:db8:6::4/64")});
    CHECK(target.networks[1].gateway_v6 == *IpAddress::parse("2001:db8:6::1"));
    CHECK(target.networks[1].mac == "02:42:ac:14:00:04");
    CHECK(target.networks[1].aliases == std::vector<std::string>{"e7a9dab16218", "api", "co4"});
}

TEST_CASE("engine: published and exposed ports are told apart", "[unit]") {
    const auto record = parse_container(docker_20, Runtime::docker);
    REQUIRE(record);
    const auto& ports = record->target.ports;
    REQUIRE(ports.size() == 4);
    CHECK(ports[0].container_port == 53);
    CHECK(ports[0].protocol == "udp");
    CHECK(ports[0].host_address == *IpAddress::parse("127.0.0.1"));
    CHECK(ports[0].host_port == 5353);
    CHECK(ports[1].host_address == *IpAddress::parse("0.0.0.0"));
    CHECK(ports[2].host_address == *IpAddress::parse("::"));
    CHECK(ports[3].container_port == 8443);
    CHECK_FALSE(ports[3].host_address);
    CHECK_FALSE(ports[3].host_port);
}

TEST_CASE("engine: Podman's empty host address means all of them", "[unit]") {
    const auto record =
        parse_container(changed(R"("HostIp":"127.0.0.1")", R"("HostIp":"")"), Runtime::podman);
    REQUIRE(record);
    CHECK(record->target.ports[0].host_address == *IpAddress::parse("0.0.0.0"));
    CHECK(record->target.runtime == Runtime::podman);
}

TEST_CASE("engine: every state has a word, Podman's own too", "[unit]") {
    for (const auto& [word, state] :
         std::vector<std::pair<std::string, State>>{{"created", State::created},
                                                    {"configured", State::created},
                                                    {"initialized", State::created},
                                                    {"running", State::running},
                                                    {"paused", State::paused},
                                                    {"restarting", State::restarting},
                                                    {"removing", State::removing},
                                                    {"exited", State::exited},
                                                    {"stopped", State::exited},
                                                    {"dead", State::dead},
                                                    {"of another year", State::dead}}) {
        const auto record = parse_container(changed("\"running\"", "\"" + word + "\""), Runtime::podman);
        REQUIRE(record);
        CHECK(record->target.state == state);
    }
}

TEST_CASE("engine: a stopped container has networks without addresses", "[unit]") {
    const auto record = parse_container(
        R"({"Id":"5c5b","Name":"/dead1","State":{"Status":"exited","Pid":0},"HostConfig":{"NetworkMode":"net"},"Config":{},
        "NetworkSettings":{"SandboxKey":"","Ports":{},"Networks":{"net":{"Gateway":"","IPAddress":"","IPPrefixLen":0}}}})",
        Runtime::docker);
    REQUIRE(record);
    REQUIRE(record->target.networks.size() == 1);
    CHECK(record->target.networks[0].addresses.empty());
    CHECK_FALSE(record->target.networks[0].gateway);
}

TEST_CASE("engine: what is no container is a protocol error, and odd members count as absent", "[unit]") {
    for (const char* text :
         {"", "null", "[]", "{}", R"({"Id":"x"})", R"({"Id":"../../x","Name":"/a"})",
          R"({"Id":1,"Name":"/a"})", R"({"Id":"x","Name":"/"})", "{\"Id\":\"x\",\"Name\":\"\xff\"}"}) {
        INFO(text);
        const auto record = parse_container(text, Runtime::docker);
        REQUIRE_FALSE(record);
        CHECK(record.error().code == errc::protocol_error);
    }
    const auto odd = parse_container(
        R"({"Id":"x","Name":"a","State":[],"HostConfig":null,"Config":{"Labels":[],"Image":7},
        "NetworkSettings":{"SandboxKey":{},"Ports":{"x":null,"0/tcp":null,"99999/tcp":null,"80":[1,{"HostPort":80}]},
        "Networks":{"a":null,"b":{"IPAddress":"nonsense","IPPrefixLen":-1,"MacAddress":"zz","Aliases":[1,null,"x"]},
        "c":{"IPAddress":"10.0.0.1","IPPrefixLen":33},"d":{"IPAddress":"10.0.0.1","IPPrefixLen":1e300}}}})",
        Runtime::docker);
    REQUIRE(odd);
    CHECK(odd->target.state == State::dead);
    CHECK(odd->target.pid == 0);
    REQUIRE(odd->target.networks.size() == 4);
    CHECK(odd->target.networks[1].aliases == std::vector<std::string>{"x"});
    CHECK(odd->target.networks[2].addresses.empty());
    REQUIRE(odd->target.ports.size() == 1);
    CHECK_FALSE(odd->target.ports[0].host_port);
    CHECK(parse_container(changed("15359", "-15359"), Runtime::docker)->target.pid == 0);
    CHECK(parse_container(changed("15359", "15359000000000"), Runtime::docker)->target.pid == 0);
}

TEST_CASE("engine: a record fits into a frame whatever the engine says", "[unit]") {
    std::string networks, ports;
    for (int i = 0; i < 3000; ++i) {
        const auto number = std::to_string(i + 1);
        networks += (i > 0 ? ",\"" : "\"") + std::string(300, 'n') + number + R"(":{"Aliases":[")" +
                    std::string(300, 'a') + "\"]}";
        ports += (i > 0 ? ",\"" : "\"") + number + R"(/tcp":[{"HostIp":"0.0.0.0","HostPort":"1"}])";
    }
    const auto record = parse_container(R"({"Id":"x","Name":"/a","NetworkSettings":{"Ports":{)" + ports +
                                            R"(},"Networks":{)" + networks + "}}}",
                                        Runtime::docker);
    REQUIRE(record);
    CHECK(binary::encode(*record).size() < frame::largest);
    CHECK_FALSE(record->target.networks.empty());
}

TEST_CASE("engine: a container that cannot be inspected is known by its row of the list", "[unit]") {
    const auto rows =
        parse_list(R"([{"Id":"e7a9","Names":["/web/alias","/co1"],"Image":"lab","State":"running"},
        {"Id":"no/path","Names":["/x"]},{"Names":["/y"]},7,{"Id":"abcdef0123456789","Names":[],"State":"exited"}])",
                   Runtime::docker);
    REQUIRE(rows);
    REQUIRE(rows->size() == 2);
    CHECK(rows->at(0).record.target.name == "co1");
    CHECK(rows->at(0).record.target.state == State::running);
    CHECK(rows->at(1).record.target.name == "abcdef012345");
    CHECK_FALSE(parse_list("{}", Runtime::docker));
    CHECK_FALSE(parse_list("[", Runtime::docker));
    CHECK(parse_list("[]", Runtime::docker)->empty());
}

TEST_CASE("engine: events that change a container say which", "[unit]") {
    const auto started = event(R"({"status":"start","id":"e7a9","Type":"container","Action":"start",
        "Actor":{"ID":"e7a9","Attributes":{"name":"co1"}},"scope":"local","time":1,"timeNano":1})");
    REQUIRE(started);
    CHECK(started->kind == EngineRecordKind::container_changed);
    CHECK(started->container == "e7a9");
    CHECK(event(R"({"Type":"container","Action":"destroy","Actor":{"ID":"e7a9"}})")->kind ==
          EngineRecordKind::container_removed);
    CHECK(event(R"({"Type":"container","Action":"remove","Actor":{"ID":"e7a9"}})", Runtime::podman)->kind ==
          EngineRecordKind::container_removed);
}

TEST_CASE("engine: the container of a network's event is an attribute for Docker and the actor for Podman",
          "[unit]") {
    const auto docker = event(R"({"Type":"network","Action":"connect","Actor":{"ID":"a56286a47a0a",
        "Attributes":{"container":"e7a9","name":"net","type":"bridge"}}})");
    REQUIRE(docker);
    CHECK(docker->kind == EngineRecordKind::container_changed);
    CHECK(docker->container == "e7a9");
    const auto podman =
        event(R"({"status":"connect","id":"f5c7","Type":"network","Action":"connect","Actor":{"ID":"f5c7",
        "Attributes":{"containerExitCode":"0","image":"","name":"tgtp2","podId":""}}})",
              Runtime::podman);
    REQUIRE(podman);
    CHECK(podman->container == "f5c7");
    CHECK(event(R"({"Type":"network","Action":"connect","Actor":{"ID":"a56286"}})")->kind ==
          EngineRecordKind::networks_changed);
}

TEST_CASE("engine: events that change nothing are passed over", "[unit]") {
    for (const char* text :
         {R"({"Type":"container","Action":"exec_start: sh","Actor":{"ID":"e7a9"}})",
          R"({"Type":"container","Action":"exec_died","Actor":{"ID":"e7a9"}})",
          R"({"Type":"container","Action":"health_status: healthy","Actor":{"ID":"e7a9"}})",
          R"({"Type":"image","Action":"pull","Actor":{"ID":"x"}})",
          R"({"Type":"network","Action":"create","Actor":{"ID":"x"}})", "{}", "[]", "7", "null"}) {
        INFO(text);
        CHECK_FALSE(event(text));
    }
}

TEST_CASE("engine: a stream of objects is taken apart however it is cut", "[unit]") {
    const std::string text = "\n{\"a\":1}\n{\"b\":\"}{\"} {\"c\":{\"d\":[1,2]}}{\"e\":2}\r\n\r\n";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        ObjectStream stream;
        auto objects = *stream.feed(std::string_view(text).substr(0, cut));
        for (auto& object : *stream.feed(std::string_view(text).substr(cut)))
            objects.push_back(std::move(object));
        REQUIRE(objects.size() == 4);
        CHECK(json::write(objects[1]) == R"({"b":"}{"})");
        CHECK(json::write(objects[3]) == R"({"e":2})");
    }
    ObjectStream stream;
    std::size_t count = 0;
    for (const char c : text)
        count += stream.feed({&c, 1})->size();
    CHECK(count == 4);
}

TEST_CASE("engine: a stream that is no JSON, or holds an endless object, is given up", "[unit]") {
    ObjectStream broken;
    CHECK(broken.feed("{\"a\":1}\nnonsense").error().code == errc::protocol_error);
    ObjectStream deep;
    CHECK(deep.feed(std::string(100, '[')).error().code == errc::protocol_error);
    ObjectStream endless;
    Result<std::vector<boost::json::value>> result = endless.feed("{\"a\":\"");
    const std::string piece(100'000, 'x');
    for (int i = 0; i < 20 && result; ++i)
        result = endless.feed(piece);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == errc::too_large);
}

TEST_CASE("engine: its words for an error are passed on", "[unit]") {
    CHECK(parse_message(R"({"message":"No such container: x"})") == "No such container: x");
    for (const char* text : {"", "[]", "{}", R"({"message":7})", "404 page not found"})
        CHECK(parse_message(text).empty());
}
