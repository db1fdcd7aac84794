#include "common/api/resolv.hpp"
#include "tests/netns/dns_responder.hpp"
#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

using namespace netlab;
using namespace netlab::test;

namespace {

using boost::json::object;

/// A namespace that looks like a container of Docker's: a server at 127.0.0.12 plays the engine's.
struct Container {
    explicit Container(bool serving = true) : network("a") {
        if (serving) server.emplace(network.name('a'), [](int ready) { serve_dns(ready, "127.0.0.12"); });
    }
    void run(const std::string& command) const {
        INFO(command);
        REQUIRE(shell("ip netns exec " + network.name('a') + " sh -ec '" + command + "'"));
    }
    [[nodiscard]] std::string output(const std::string& command) const {
        return support::run({"ip", "netns", "exec", network.name('a'), "sh", "-c", command}).out;
    }
    [[nodiscard]] Inspected resolv(
        const std::string& conf = "nameserver 127.0.0.11\noptions ndots:0\n") const {
        auto asked = ask(network, "a");
        auto& target = asked.context.targets.at(0);
        target.runtime = api::Runtime::docker;
        target.state = api::State::running;
        target.id = "abc";
        target.networks.emplace_back().name = "net";
        target.networks.back().addresses.push_back(*IpPrefix::parse("172.18.0.2/16"));
        asked.handles[0] = network.handle('a', conf);
        return inspect(api::ResolvRequest{"a", 300}, std::move(asked));
    }

    TestNetwork network;
    std::optional<NamespaceProcess> server;
};

/// As Docker does it with iptables (libnetwork, resolver_unix.go), but for where the rules lead.
std::string docker_rules(const std::string& iptables) {
    const auto nat = iptables + " -t nat ";
    std::string out = nat + "-N DOCKER_OUTPUT;" + nat + "-I OUTPUT -d 127.0.0.11 -j DOCKER_OUTPUT;";
    for (const std::string protocol : {"udp", "tcp"})
        out += nat + "-I DOCKER_OUTPUT -d 127.0.0.11 -p " + protocol +
               " --dport 53 -j DNAT --to-destination 127.0.0.12:53;";
    return out;
}

object path(const Inspected& said, std::string_view protocol) {
    const auto row = said.of("embedded").at(0);
    for (const auto& one : row.at("paths").as_array()) {
        if (one.at("protocol").as_string() == protocol) return one.as_object();
    }
    FAIL("no path of " << protocol);
    return {};
}

std::string text(const object& row, const char* member) {
    const auto* value = row.if_contains(member);
    return value ? std::string(value->as_string()) : std::string();
}

std::string finding(const Inspected& said) {
    const auto found = said.of("finding");
    return found.empty() ? "none" : text(found[0], "code");
}

/// The socket that ss shows there has that inode.
void check_socket(const Container& container, const Inspected& said, const std::string& protocol) {
    INFO(protocol);
    const auto one = path(said, protocol);
    CHECK(text(one, "to") == "127.0.0.12:53");
    const auto inode = std::to_string(one.at("socket").at("inode").to_number<std::uint64_t>());
    CHECK(container.output("ss -Hlne --" + protocol).find("ino:" + inode + " ") != std::string::npos);
}

}  // namespace

TEST_CASE("embedded resolver: rules by iptables-nft lead to the socket, and the questions take the same way",
          "[netns]") {
    const Container container;
    container.run(docker_rules("iptables-nft"));
    const auto said = container.resolv();
    REQUIRE_FALSE(said.error);
    for (const std::string protocol : {"udp", "tcp"}) {
        check_socket(container, said, protocol);
        const auto rule = path(said, protocol).at("rule").as_object();
        CHECK(text(rule, "backend") == "nft");
        CHECK(text(rule, "table") == "ip nat");
        CHECK(text(rule, "text") == "ip daddr 127.0.0.11 " + protocol + " dport 53 dnat to 127.0.0.12:53");
        CHECK(rule.at("packets") == 0);
        // The question that was asked meanwhile has met that very rule.
        const auto listed = container.output("nft -a list chain ip nat DOCKER_OUTPUT");
        const auto line = listed.substr(listed.find(protocol + " dport 53"));
        CHECK(line.find("packets 1 ") < line.find('\n'));
        CHECK(line.find("# handle " + std::to_string(rule.at("handle").to_number<int>()) + "\n") <=
              line.find('\n'));
    }
    const auto server = said.of("server").at(0);
    CHECK(server.at("kind") == "docker");
    CHECK(server.at("question") == "2.0.18.172.in-addr.arpa PTR");
    CHECK(server.at("udp").at("outcome") == "answered");
    CHECK(server.at("tcp").at("outcome") == "answered");
    CHECK(finding(said) == "none");
    // Nobody has made a table of iptables-legacy's by looking for one.
    CHECK(container.output("cat /proc/net/ip_tables_names").empty());
}

TEST_CASE("embedded resolver: rules by iptables-legacy", "[netns]") {
    const Container container;
    container.run(docker_rules("iptables-legacy"));
    const auto said = container.resolv();
    REQUIRE_FALSE(said.error);
    for (const std::string protocol : {"udp", "tcp"}) {
        check_socket(container, said, protocol);
        const auto rule = path(said, protocol).at("rule").as_object();
        CHECK(text(rule, "backend") == "legacy");
        CHECK(text(rule, "chain") == "DOCKER_OUTPUT");
        CHECK(rule.at("number") == (protocol == "tcp" ? 1 : 2));
    }
    CHECK(finding(said) == "none");
}

TEST_CASE("embedded resolver: rules by nft, as Docker 29 makes them", "[netns]") {
    const Container container;
    container.run(
        "nft \"add table ip docker-dns; add chain ip docker-dns dns-dnat { type nat hook output priority "
        "-100; }; add rule ip docker-dns dns-dnat ip daddr 127.0.0.11 udp dport 53 counter dnat to "
        "127.0.0.12:53; add rule ip docker-dns dns-dnat ip daddr 127.0.0.11 tcp dport 53 counter dnat to "
        "127.0.0.12:53\"");
    const auto said = container.resolv();
    check_socket(container, said, "udp");
    check_socket(container, said, "tcp");
    CHECK(text(path(said, "udp").at("rule").as_object(), "table") == "ip docker-dns");
    CHECK(finding(said) == "none");
}

TEST_CASE("embedded resolver: gone rules, a lost jump, a dead end and a drop are told apart", "[netns]") {
    SECTION("no rules at all") {
        const Container container;
        CHECK(finding(container.resolv()) == "embedded_rules_gone");
    }
    SECTION("the jump is gone") {
        const Container container;
        container.run(docker_rules("iptables-nft") + "iptables-nft -t nat -F OUTPUT");
        const auto said = container.resolv();
        CHECK(finding(said) == "embedded_rules_gone");
        CHECK_FALSE(path(said, "udp").contains("to"));
    }
    SECTION("nobody listens") {
        const Container container(false);
        container.run(docker_rules("iptables-nft"));
        const auto said = container.resolv();
        CHECK(finding(said) == "embedded_socket_gone");
        CHECK(text(path(said, "udp"), "to") == "127.0.0.12:53");
    }
    SECTION("a rule of somebody else's comes first") {
        const Container container;
        container.run(
            docker_rules("iptables-nft") +
            "nft \"add table ip x; add chain ip x c { type nat hook output priority -150; }; add rule ip x c "
            "udp dport 53 drop\"");
        const auto said = container.resolv();
        CHECK(finding(said) == "embedded_rules_gone");
        CHECK(text(path(said, "udp").at("rule").as_object(), "text") == "udp dport 53 drop");
        CHECK(text(path(said, "tcp"), "to") == "127.0.0.12:53");
    }
    SECTION("a filter drops what the rules lead on") {
        const Container container;
        container.run(
            docker_rules("iptables-nft") +
            "nft \"add table ip x; add chain ip x c { type filter hook input priority 0; }; add rule ip x c "
            "udp dport 53 drop\"");
        const auto said = container.resolv();
        CHECK(finding(said) == "udp_silent");
    }
}

TEST_CASE("embedded resolver: a rule that netlab does not understand is not said to be gone", "[netns]") {
    const Container container;
    container.run(
        "nft \"add table ip x; add set ip x s { type ipv4_addr; elements = { 127.0.0.11 }; }; add chain ip x "
        "c "
        "{ type nat hook output priority -100; }; add rule ip x c ip daddr @s udp dport 53 dnat to "
        "127.0.0.12:53; add rule ip x c ip daddr @s tcp dport 53 dnat to 127.0.0.12:53\"");
    const auto said = container.resolv();
    CHECK(said.of("embedded").at(0).at("uncertain") == true);
    CHECK(said.of("server").at(0).at("udp").at("outcome") == "answered");
    CHECK(finding(said) == "none");
}

TEST_CASE(
    "embedded resolver: 20,000 rules of a hostile container are read within a second, or said to be too many",
    "[netns]") {
    const Container container;
    container.run(
        docker_rules("iptables-nft") +
        "(echo \"add table ip x; add chain ip x c { type nat hook output priority -150; }\"; "
        "for i in $(seq 20000); do echo \"add rule ip x c ip daddr 10.0.0.1 udp dport $i dnat to 10.0.0.2\"; "
        "done) | nft -f -");
    const auto start = std::chrono::steady_clock::now();
    const auto said = container.resolv();
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
    REQUIRE_FALSE(said.error);
    const auto row = said.of("embedded").at(0);
    if (row.at("rules_known").as_bool()) CHECK(text(path(said, "udp"), "to") == "127.0.0.12:53");
    CHECK(said.of("server").at(0).at("udp").at("outcome") == "answered");
    CHECK(finding(said) == "none");
}

TEST_CASE("embedded resolver: a file that names it three times has it looked behind once", "[netns]") {
    const Container container;
    container.run(docker_rules("iptables-nft"));
    const auto said =
        container.resolv("nameserver 127.0.0.11\nnameserver 127.0.0.11\nnameserver 127.0.0.11\n");
    REQUIRE_FALSE(said.error);
    CHECK(said.of("embedded").size() == 1);
    CHECK(said.of("server").size() == 3);
    CHECK(finding(said) == "none");
}
