#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// Published ports that docker-proxy takes on the host: its accept says nothing of the container.

namespace {

/// What listens on TCP port 80 there, once it does.
support::Process start_http(const std::string& container, const std::string& address) {
    auto server = start_in(container, {"busybox", "httpd", "-f", "-p", address + ":80"});
    REQUIRE(support::eventually([&] { return contains(in_container(container, "ss -ltn"), address + ":80"); },
                                5s));
    return server;
}

/// As many connections as its queue takes wait for a program that accepts none.
support::Process start_full_queue(const std::string& container) {
    auto server = start_in(container, {"python3", "-c", R"(
import socket, time
s = socket.socket()
s.bind(("0.0.0.0", 80))
s.listen(0)
waiting = [socket.create_connection(("127.0.0.1", 80), 1)]
time.sleep(60)
)"});
    REQUIRE(
        support::eventually([&] { return contains(in_container(container, "ss -tn"), "127.0.0.1:80"); }, 5s));
    return server;
}

/// A question, and how a client's curl(1) fares on the same way.
struct Way {
    Words question;
    std::function<int(const std::string&)> run;
    std::string url;
    [[nodiscard]] int curl() const { return run("curl -s -o /dev/null -m 2 " + url); }
};

}  // namespace

TEST_CASE("why: docker-proxy is looked behind from wherever the packet comes to it", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("why-behind", {"--network", "net", "-p", "18093:80"});
    const auto in_co1 = [](const std::string& command) { return status_in_container("co1", command); };
    const std::vector<Way> ways{
        {{"co1", "198.51.100.2:18093"}, in_co1, "http://198.51.100.2:18093/"},
        {{"co1", "172.17.0.1:18093"}, in_co1, "http://172.17.0.1:18093/"},
        {{outside_target(), "[2001:db8:51::2]:18093"}, status_outside, "http://[2001:db8:51::2]:18093/"}};
    for (const auto& way : ways) {
        INFO(way.url);
        CHECK(way.curl() != 0);
        auto report = ask_why(daemon, way.question);
        INFO(report);
        CHECK(verdict(report) == "refused");
        CHECK(report.at("where").at("target") == "why-behind");
        CHECK(contains(text(report, "explanation"), "nothing in why-behind listens on TCP port 80"));
        CHECK(contains(json::write(report.at("notes")), "docker-proxy"));
        CHECK(verdict(ask_why(daemon, {way.question[0], way.question[1], "--no-probe"})) == "refused");
        const auto lonely = start_http("why-behind", "127.0.0.1");
        report = ask_why(daemon, way.question);
        INFO(report);
        CHECK(verdict(report) == "refused");
        CHECK(contains(text(report, "explanation"), "only 127.0.0.1:80 listens"));
    }
    const auto http = start_http("why-behind", "0.0.0.0");
    for (const auto& way : ways) {
        INFO(way.url);
        // The server has no page: curl(1) has its 404.
        CHECK(way.curl() == 0);
        check_delivered(daemon, way.question);
    }
    const auto rest = " OUTPUT -d " + address_of("why-behind", "net") + " -p tcp -j DROP";
    {
        const Undo undo("iptables -w -D" + rest);
        on_host("iptables -w -I" + rest);
        for (const auto& way : ways) {
            const auto report = ask_why(daemon, way.question);
            INFO(report);
            CHECK(way.curl() != 0);
            CHECK(verdict(report) == "dropped");
            CHECK(contains(text(report, "explanation"), "docker-proxy's own connection to "));
            CHECK(contains(text(report, "suggestion"), "nft insert rule ip filter OUTPUT oifname "));
        }
    }
    docker({"pause", "why-behind"});
    for (const auto& way : ways) {
        boost::json::object report;
        CHECK(support::eventually(
            [&] {
                report = ask_why(daemon, way.question);
                return contains(text(report, "explanation"), "is paused");
            },
            5s));
        INFO(report);
        CHECK(verdict(report) == "lost");
    }
}

TEST_CASE("why: behind docker-proxy a socket takes no datagram, or a queue is full", "[docker]") {
    const support::Daemon daemon(settings());
    const Container silent("why-silent", {"--network", "net", "-p", "18094:53/udp", "-p", "18094:80"});
    auto report = ask_why(daemon, {"co1", "198.51.100.2:18094/udp"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(report.at("where").at("target") == "why-silent");
    const auto echo = start_in("why-silent", {"python3", "-c", R"(
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 53))
while True:
    s.sendto(b"x", s.recvfrom(9)[1])
)"});
    REQUIRE(support::eventually([] { return contains(in_container("why-silent", "ss -lun"), ":53 "); }, 5s));
    // By its own gateway: by another address of the host's the process' answer has the wrong source.
    const auto gateway = text(ip_json("co1", {"route", "show", "default"}).front().as_object(), "gateway");
    check_delivered(daemon, {"co1", gateway + ":18094/udp"});
    check_delivered(daemon, {"host", "127.0.0.1:18094/udp"});
    const auto full = start_full_queue("why-silent");
    for (const auto& question : {Words{"co1", "198.51.100.2:18094"}, Words{"host", "127.0.0.1:18094"}}) {
        report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(contains(text(report, "explanation"), "the accept queue of 0.0.0.0:80 in why-silent is full"));
    }
}
