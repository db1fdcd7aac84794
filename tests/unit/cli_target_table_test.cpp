#include "cli/lenient.hpp"
#include "cli/reachability.hpp"
#include "cli/render/target_table.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;

namespace {

api::PublishedPort published(const char* address, std::uint16_t host, std::uint16_t container,
                             const char* protocol = "tcp") {
    return {IpAddress::parse(address).value(), host, container, protocol};
}

api::PublishedPort exposed(std::uint16_t container) {
    return {std::nullopt, std::nullopt, container, "tcp"};
}

api::Target container() {
    api::Target target;
    target.name = "co1";
    target.id = "0123456789abcdef";
    target.image = "lab";
    target.state = api::State::running;
    target.pid = 4242;
    target.namespace_ = api::Namespace{4, 4026532281, {"co2", "co3"}};
    target.networks = {
        {"net",
         "eth0",
         {IpPrefix::parse("172.18.0.2/16").value(), IpPrefix::parse("fd00::2/64").value()},
         IpAddress::parse("172.18.0.1").value(),
         std::nullopt,
         "02:42:ac:12:00:02",
         {}},
        {"bridge", "eth1", {IpPrefix::parse("172.17.0.3/16").value()}, std::nullopt, std::nullopt, "", {}}};
    return target;
}

const Screen pipe_screen{};

}  // namespace

TEST_CASE("ports: as docker ps writes them", "[unit]") {
    using Ports = std::vector<api::PublishedPort>;
    using Texts = std::vector<std::string>;
    CHECK(port_texts({}).empty());
    CHECK(port_texts(Ports{published("0.0.0.0", 8080, 80), published("::", 8080, 80)}) ==
          Texts{"0.0.0.0:8080->80/tcp"});
    CHECK(port_texts(Ports{published("::", 8080, 80)}) == Texts{"[::]:8080->80/tcp"});
    CHECK(port_texts(Ports{published("0.0.0.0", 32768, 80), published("::", 32769, 80)}) ==
          Texts{"0.0.0.0:32768->80/tcp", "[::]:32769->80/tcp"});
    CHECK(port_texts(Ports{exposed(53), published("127.0.0.1", 53, 53, "udp")}) ==
          Texts{"127.0.0.1:53->53/udp", "53/tcp"});
}

TEST_CASE("ports: neighbours are one range", "[unit]") {
    std::vector<api::PublishedPort> ports{exposed(7001), exposed(7000), exposed(7003)};
    for (std::uint16_t i = 0; i < 4; ++i)
        ports.push_back(
            published("0.0.0.0", static_cast<std::uint16_t>(8000 + i), static_cast<std::uint16_t>(9000 + i)));
    ports.push_back(published("0.0.0.0", 8005, 9004));
    CHECK(port_texts(ports) == std::vector<std::string>{"0.0.0.0:8000-8003->9000-9003/tcp",
                                                        "0.0.0.0:8005->9004/tcp", "7000-7001/tcp",
                                                        "7003/tcp"});
}

TEST_CASE("target table: a line says where a container is and who shares its namespace", "[unit]") {
    const std::vector<api::Target> targets{container()};
    const auto text = to_text(target_table(targets, false), pipe_screen);
    CHECK(text ==
          "NAME   RUNTIME   STATE     NETWORKS                            PORTS   NAMESPACE\n"
          "co1    docker    running   net 172.18.0.2, bridge 172.17.0.3           4026532281, shared with "
          "co2, co3\n");
    const auto wide = to_text(target_table(targets, true), pipe_screen);
    for (const char* part : {"0123456789ab ", "4242", "lab",
                             "net eth0 172.18.0.2/16 fd00::2/64 gw 172.18.0.1 mac 02:42:ac:12:00:02"}) {
        CAPTURE(wide);
        CHECK(wide.find(part) != std::string::npos);
    }
    CHECK(wide.find("0123456789abc") == std::string::npos);
}

TEST_CASE("target table: many that share a namespace are counted, all of them in wide", "[unit]") {
    auto target = container();
    target.namespace_->shared_with = {"a", "b", "c", "d", "e"};
    const std::vector<api::Target> targets{target};
    CHECK(target_table(targets, false).rows[0][5].items ==
          std::vector<std::string>{"4026532281", "shared with a", "b", "c", "2 more"});
    CHECK(target_table(targets, true).rows[0][5].items ==
          std::vector<std::string>{"4026532281", "shared with a", "b", "c", "d", "e"});
}

TEST_CASE("target table: a stopped container has no namespace, one on the host's network says so", "[unit]") {
    api::Target stopped;
    stopped.name = "old";
    stopped.state = api::State::exited;
    api::Target on_host;
    on_host.name = "agent";
    on_host.network_mode = "host";
    const std::vector<api::Target> targets{stopped, on_host};
    const auto table = target_table(targets, false);
    CHECK(table.rows[0][5].items.empty());
    CHECK(table.rows[1][3].items == std::vector<std::string>{"host"});
}

TEST_CASE("table: a pipe is never cut, a narrow terminal breaks the lists", "[unit]") {
    const std::vector<api::Target> targets{container(), container()};
    const auto table = target_table(targets, false);
    const auto narrow = to_text(table, Screen{.terminal = true, .width = 80, .colours = false});
    CHECK(narrow ==
          "NAME   RUNTIME   STATE     NETWORKS            PORTS   NAMESPACE\n"
          "co1    docker    running   net 172.18.0.2              4026532281\n"
          "                           bridge 172.17.0.3           shared with co2\n"
          "                                                       co3\n"
          "co1    docker    running   net 172.18.0.2              4026532281\n"
          "                           bridge 172.17.0.3           shared with co2\n"
          "                                                       co3\n");
    const auto broad = to_text(table, Screen{.terminal = true, .width = 200, .colours = false});
    const auto in_pipe = to_text(table, pipe_screen);
    CHECK(broad == in_pipe);
    for (const std::size_t width : {1U, 10U, 20U, 40U, 60U})
        CHECK_FALSE(to_text(table, Screen{true, width, false}).empty());
}

TEST_CASE("table: colours only where asked for, hostile names escaped", "[unit]") {
    auto target = container();
    target.name = "\x1b[2Jco\\x1b";
    const std::vector<api::Target> targets{target};
    const auto plain = to_text(target_table(targets, false), pipe_screen);
    CHECK(plain.find('\x1b') == std::string::npos);
    CHECK(plain.find("\\x1b[2Jco\\x1b ") != std::string::npos);
    const auto coloured =
        to_text(target_table(targets, false), Screen{.terminal = true, .width = 300, .colours = true});
    CHECK(coloured.find("\x1b[32mrunning") != std::string::npos);
}

TEST_CASE("lenient: members that only a newer daemon has are left out, at every depth", "[unit]") {
    auto value = json::encode(container());
    value.as_object()["mood"] = "good";
    value.as_object()["namespace"].as_object()["cookie"] = 7;
    value.as_object()["networks"].as_array()[0].as_object()["driver"] = "bridge";
    const auto target = decode_answer<api::Target>(value);
    REQUIRE(target);
    CHECK(*target == container());
    value.as_object()["state"] = "dreaming";
    CHECK(decode_answer<api::Target>(value).error().code == errc::protocol_error);
}

TEST_CASE("reachability: the hint names the group that may use the socket", "[unit]") {
    const auto stranger = no_permission({"/run/n.sock", "ann", "netlab", true, false});
    CHECK(stranger.message == "no permission on /run/n.sock: it is open to group netlab");
    CHECK(stranger.hint == "sudo usermod -aG netlab ann, then log in again");
    CHECK(exit_code(stranger.code) == 4);
    CHECK(no_permission({"/run/n.sock", "ann", "netlab", true, true}).hint.find("newgrp netlab") !=
          std::string::npos);
    CHECK(no_permission({"/run/n.sock", "ann", "root", true, false}).hint.find("usermod") ==
          std::string::npos);
    CHECK(no_permission({"/run/n.sock", "ann", "netlab", false, false}).message.find("its owner only") !=
          std::string::npos);
}
