#include "cli/connect_events.hpp"
#include "cli/connect_words.hpp"
#include "cli/render/connect_text.hpp"
#include "tests/support/catch.hpp"

#include <boost/json/parse.hpp>

using namespace netlab;
using namespace netlab::cli;

namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

api::ConnectAttempt attempt(api::ConnectOutcome outcome) {
    api::ConnectAttempt attempt;
    attempt.seq = 1;
    attempt.outcome = outcome;
    attempt.local = api::Endpoint{ip("172.18.0.2"), 40112};
    attempt.remote = {ip("172.18.0.3"), 80};
    return attempt;
}

std::string hint_of(std::string_view words) {
    const auto parsed = parse_host_and_port(words);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == errc::bad_request);
    return parsed.error().hint;
}

}  // namespace

TEST_CASE("connect words: a name, a prefixed target, an address, an IPv6 address in brackets", "[unit]") {
    CHECK(*parse_host_and_port("co2:80") == HostAndPort{"co2", 80});
    CHECK(*parse_host_and_port("docker:co2:80") == HostAndPort{"docker:co2", 80});
    CHECK(*parse_host_and_port("127.0.0.1:65535") == HostAndPort{"127.0.0.1", 65535});
    CHECK(*parse_host_and_port("[::1]:1") == HostAndPort{"::1", 1});
    CHECK(*parse_host_and_port("[fe80::1%eth0]:443") == HostAndPort{"fe80::1%eth0", 443});
    CHECK(*parse_host_and_port("netns:a:b:80") == HostAndPort{"netns:a:b", 80});
}

TEST_CASE("connect words: what is wrong is said with the right form", "[unit]") {
    CHECK(hint_of("co2") == "co2:80");
    CHECK(hint_of("[fd00::1]") == "[fd00::1]:80");
    CHECK(hint_of("fd00::1") == "[fd00::1]:80 or [fd00::1]:80");
    CHECK(hint_of("::1:80") == "[::1:80]:80 or [fd00::1]:80");
    CHECK(hint_of("fe80::1%eth0:80") == "[fe80::1%eth0:80]:80 or [fd00::1]:80");
    CHECK(hint_of("fd00:0:0:0:0:0:0:1:80") == "[fd00:0:0:0:0:0:0:1]:80");
    CHECK(hint_of("[fd00::1") == "an IPv6 address is written [fd00::1]:80");
    CHECK(hint_of("[co2]:80") == "brackets are for those alone");
    CHECK(hint_of("[fd00::1]80") == "[fd00::1]:80");
    CHECK(hint_of(":80") == "co2:80");
    for (const auto* words :
         {"co2:", "co2:0", "co2:65536", "co2:http", "co2:-1", "co2:8 0", "co2:+80", "co2:99999999999"})
        CHECK(hint_of(words) == "a number from 1 to 65535");
}

TEST_CASE("connect text: one line for each outcome", "[unit]") {
    auto connected = attempt(api::ConnectOutcome::connected);
    connected.handshake_us = 85.2;
    connected.mss = 1448;
    CHECK(connect_text::line(connected, 4000) ==
          "connected to 172.18.0.3:80 from 172.18.0.2:40112: seq=1 time=0.085 ms mss=1448\n");
    connected.retransmits = 1;
    CHECK(connect_text::line(connected, 4000).find("(SYN sent 2 times)") != std::string::npos);

    auto refused = attempt(api::ConnectOutcome::refused);
    refused.refusal =
        api::Refusal{api::RefusalWay::reset, ip("172.18.0.3"), {}, {}, 64, "02:42:ac:12:00:03", "eth0", ""};
    CHECK(connect_text::line(refused, 4000) ==
          "172.18.0.3:80 refused: seq=1 reset from 172.18.0.3 (ttl 64, 02:42:ac:12:00:03 on eth0)\n");
    refused.refusal = api::Refusal{api::RefusalWay::reset, {}, {}, {}, {}, {}, {}, "connection refused"};
    CHECK(connect_text::line(refused, 4000) == "172.18.0.3:80 refused: seq=1 reset\n");

    auto unreachable = attempt(api::ConnectOutcome::unreachable);
    unreachable.remote = {ip("fd00::3"), 80};
    unreachable.refusal =
        api::Refusal{api::RefusalWay::icmp, ip("fd00::1"), 1, 0, {}, {}, {}, "no route to the destination"};
    CHECK(connect_text::line(unreachable, 4000) ==
          "[fd00::3]:80 unreachable: seq=1 ICMP no route to the destination from fd00::1\n");

    CHECK(connect_text::line(attempt(api::ConnectOutcome::timed_out), 1500) ==
          "no answer from 172.18.0.3:80 within 1.5 s: seq=1\n");
    CHECK(connect_text::line(attempt(api::ConnectOutcome::silent), 4000) ==
          "no answer from 172.18.0.3:80 within 4 s: seq=1\n");
}

TEST_CASE("connect text: a banner and a certificate cannot write to the terminal", "[unit]") {
    auto one = attempt(api::ConnectOutcome::connected);
    one.banner = "SSH\x1b[2J";
    one.tls = api::TlsAnswer{true, "TLSv1.3", "X", "h2", "CN=a\nb\x9b", {}};
    const auto text = connect_text::line(one, 4000);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\x9b') == std::string::npos);
    CHECK(std::ranges::count(text, '\n') == 3);
}

TEST_CASE("connect text: what came of the banner is told apart", "[unit]") {
    auto one = attempt(api::ConnectOutcome::connected);
    const auto last = [&] {
        const auto text = connect_text::line(one, 4000);
        return text.substr(text.rfind("  "));
    };
    one.banner = "";
    CHECK(last() == "  banner: none in time\n");
    one.closed = "reset";
    CHECK(last() == "  banner: none, the other end reset the connection\n");
    one.closed = "end";
    CHECK(last() == "  banner: none, the other end closed the connection\n");
}

TEST_CASE("connect text: the summary counts where there were several, and wide shows the sockets", "[unit]") {
    api::ConnectReport report;
    report.to = "co2";
    report.protocol = "tcp";
    report.remote = api::Endpoint{ip("172.18.0.3"), 80};
    report.attempts = 1;
    report.explanation = "because";
    report.suggestion = "this";
    report.listening =
        std::vector<api::Listener>{{ip("127.0.0.1"), 80, {}, {}, 3, 2}, {ip("::"), 22, true, "eth0", 0, 5}};
    CHECK(connect_text::summary(report) == "because\ntry: this\n");
    CHECK(connect_text::summary(report, {false, true}).find("connect statistics") != std::string::npos);
    CHECK(connect_text::summary(report, {true, false}) ==
          "listening in co2: 127.0.0.1:80, 3 of 2 wait\nlistening in co2: [::]:22 (IPv6 only) on "
          "eth0\nbecause\ntry: this\n");
    report.attempts = 3;
    report.connected = 2;
    report.timed_out = 1;
    report.elapsed_ms = 12;
    CHECK(connect_text::summary(report) ==
          "\n--- co2:80 connect statistics ---\n3 attempts, 2 connected, 1 timed out, time "
          "12ms\nbecause\ntry: this\n");
}

TEST_CASE("connect events: who interrupts it before the first attempt's end gets a report that says so",
          "[unit]") {
    api::ConnectReport seen;
    seen.from = "co1";
    seen.to = "co2";
    seen.protocol = "tcp";
    seen.explanation = "interrupted before anything was known of the first attempt";
    const auto line = interrupted_report(seen);
    REQUIRE(line.ends_with("}\n"));
    auto object = boost::json::parse(line).as_object();
    CHECK(object.at("outcome") == "interrupted");
    CHECK(object.at("type") == "report");
    CHECK(object.at("attempts") == 0);
    // Nothing else differs from a report of the daemon's.
    object["outcome"] = "unresolved";
    CHECK(boost::json::value(object) == boost::json::parse(json::write(seen)));
}

TEST_CASE("connect events: each line of the stream, and what is none", "[unit]") {
    CHECK(std::holds_alternative<api::ConnectStart>(*decode_connect_event(json::write(api::ConnectStart{}))));
    CHECK(std::holds_alternative<api::ConnectAttempt>(
        *decode_connect_event(json::write(api::ConnectAttempt{}))));
    CHECK(
        std::holds_alternative<api::ConnectReport>(*decode_connect_event(json::write(api::ConnectReport{}))));
    CHECK(std::holds_alternative<UnknownEvent>(*decode_connect_event(R"({"type":"later"})")));
    CHECK(std::holds_alternative<StreamError>(
        *decode_connect_event(R"({"error":{"code":"target_gone","message":"x"}})")));
    CHECK(!decode_connect_event(R"({"seq":1})"));
    CHECK(!decode_connect_event("no"));
    CHECK(!decode_connect_event(R"({"type":"attempt","seq":"x"})"));
}
