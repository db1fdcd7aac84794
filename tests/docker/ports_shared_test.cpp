#include "tests/docker/ports_lab.hpp"
#include "tests/docker/why_lab.hpp"

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// Containers that share a network namespace: whose program it is that listens.

TEST_CASE("ports: who lives in another container's namespace has what that one publishes",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container owner("ports-owner", {"-p", "18098:80"});
    const Container joined("ports-joined", {"--network", "container:ports-owner"});
    const auto nothing = row_with(daemon, "ports-joined", "no_listener");
    CHECK(contains(text(nothing, "explanation"), "ports-joined or ports-owner"));
    CHECK(text(nothing, "publisher") == "ports-owner");
    serve(joined, "80");
    const auto row = row_with(daemon, "ports-joined", "works");
    CHECK(answers(18098));
    CHECK(text(row, "target") == "ports-joined");
    CHECK(boost::json::serialize(row.at("notes")).find("ports-owner") != std::string::npos);
    CHECK(text(row_with(daemon, "ports-owner", "works"), "target") == "ports-owner");
    // The port is there once where it is not asked for by name.
    const auto all = ports(daemon, {}).rows;
    CHECK(std::ranges::count_if(all, [](const auto& one) { return text(one, "target") == "ports-joined"; }) ==
          0);
}

TEST_CASE("ports: of containers that share a namespace the one that listens decides, paused or not",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container owner("nap-owner", {"--network", "net", "-p", "18099:80", "-p", "18099:67/udp"});
    const Container joined("nap-joined", {"--network", "container:nap-owner"});
    serve(joined, "80");
    // A program that takes datagrams.
    docker({"exec", "-d", joined.name(), "sh", "-c",
            "mkdir -p /var/lib/misc; printf 'interface eth0\nstart 192.0.2.10\nend 192.0.2.11\n' > /dhcp; "
            "exec udhcpd -f /dhcp"});
    const Words question{"co1", "--address", "nap-owner:80"};
    const auto is_paused = [&](const char* name) {
        return support::eventually(
            [&] {
                return text(named(daemon.netlab({"-j", "ls"}).json().as_array(), name), "state") == "paused";
            },
            5s);
    };
    const auto all_are = [&](const char* name, std::string_view wanted, std::string_view suggestion) {
        const auto rows = ports(daemon, {name});
        INFO(rows.finished.out << rows.finished.err);
        CHECK_FALSE(rows.rows.empty());
        for (const auto& row : rows.rows) {
            CHECK(text(row, "verdict") == wanted);
            CHECK(text(row, "suggestion") == suggestion);
        }
    };
    (void)row_with(daemon, "nap-joined", "works");
    docker({"pause", "nap-owner"});
    REQUIRE(is_paused("nap-owner"));
    CHECK(answers(18099));
    for (const auto* name : {"nap-owner", "nap-joined"})
        all_are(name, "works", "");
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "suggestion").empty());
    docker({"unpause", "nap-owner"});
    docker({"pause", "nap-joined"});
    REQUIRE(is_paused("nap-joined"));
    CHECK_FALSE(answers(18099));
    for (const auto* name : {"nap-owner", "nap-joined"})
        all_are(name, "paused", "docker unpause nap-joined");
    for (const auto& asked : {question, Words{"co1", "--address", "nap-owner:80", "--no-probe"},
                              Words{"host", "127.0.0.1:18099"}}) {
        report = ask_why(daemon, asked);
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(contains(text(report, "explanation"), "nap-joined is paused"));
        CHECK(text(report, "suggestion") == "docker unpause nap-joined");
    }
    follow(report);
    CHECK(support::eventually([] { return answers(18099); }, 5s));
    (void)row_with(daemon, "nap-owner", "works");
}
