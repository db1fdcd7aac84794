#include "cli/client.hpp"
#include "cli/ping_tally.hpp"
#include "cli/render/ping_text.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;

namespace {

PingEvent event(std::string_view line) {
    auto decoded = decode_ping_event(line);
    REQUIRE(decoded);
    return std::move(*decoded);
}

PingEvent reply(std::uint64_t seq, double rtt_us) {
    api::PingReply answer;
    answer.seq = seq;
    answer.rtt_us = rtt_us;
    return answer;
}

const char* const start =
    R"({"type":"start","from":"co1","to":"co2","address":"172.18.0.3","resolved_by":"127.0.0.11","payload":56})";

}  // namespace

TEST_CASE("ping: a line of the stream becomes its event", "[unit]") {
    CHECK(std::holds_alternative<api::PingStart>(event(start)));
    const auto late = event(
        R"({"type":"reply","seq":2,"from":"172.18.0.3","bytes":64,"ttl":64,"rtt_us":45.5,"late":true})");
    REQUIRE(std::holds_alternative<api::PingReply>(late));
    CHECK(std::get<api::PingReply>(late).late == true);
    CHECK(std::holds_alternative<api::PingLost>(event(R"({"type":"lost","seq":3})")));
    const auto failed = event(R"({"error":{"code":"target_gone","message":"co1 stopped"}})");
    REQUIRE(std::holds_alternative<StreamError>(failed));
    CHECK(std::get<StreamError>(failed).error.code == errc::target_gone);
}

TEST_CASE("ping: what only a newer daemon says is passed over", "[unit]") {
    CHECK(std::holds_alternative<UnknownEvent>(event(R"({"type":"weather","sunny":true})")));
    CHECK(std::holds_alternative<api::PingLost>(event(R"({"type":"lost","seq":3,"why":["a",{"b":1}]})")));
    const auto error = event(R"({"error":{"code":"of_2031","message":"m","more":1}})");
    REQUIRE(std::holds_alternative<StreamError>(error));
    CHECK(std::get<StreamError>(error).error.code == errc::operation_failed);
}

TEST_CASE("ping: a line that is none is a protocol error", "[unit]") {
    for (const std::string line :
         {"", "hello", "[]", "{}", R"({"type":7})", R"({"type":"lost","seq":-1})", R"({"type":"reply")"}) {
        CAPTURE(line);
        const auto decoded = decode_ping_event(line);
        REQUIRE(decoded.has_error());
        CHECK(decoded.error().code == errc::protocol_error);
    }
}

TEST_CASE("ping: the request says only what differs from its defaults", "[unit]") {
    api::PingRequest request;
    request.from = "co1";
    request.to = "co2";
    CHECK(request_body(request) == R"({"from":"co1","to":"co2"})");
    request.count = 0;
    request.family = Family::ipv6;
    request.flood = true;
    CHECK(request_body(request) == R"({"from":"co1","to":"co2","count":0,"family":"ipv6","flood":true})");
    const auto call = call_of(request);
    CHECK(call.verb == "POST");
    CHECK(call.path == "/v1/ping");
    CHECK(call_of(api::TargetsRequest{}).path == "/v1/targets");
}

TEST_CASE("ping tally: an interrupted ping counts what it has heard of", "[unit]") {
    PingTally tally;
    CHECK_FALSE(tally.started());
    CHECK(tally.report(0).transmitted == 0);
    CHECK_FALSE(tally.report(0).loss_percent);
    tally.add(event(start));
    tally.add(reply(1, 40));
    tally.add(reply(2, 60));
    tally.add(event(R"({"type":"lost","seq":3})"));
    tally.add(event(R"({"type":"icmp_error","seq":4,"from":"172.18.0.1","message":"host unreachable"})"));
    const auto report = tally.report(3210);
    CHECK(report.from == "co1");
    CHECK(report.transmitted == 4);
    CHECK(report.received == 2);
    CHECK(report.errors == 1);
    CHECK(report.loss_percent == 50.0);
    CHECK(report.elapsed_ms == 3210);
    CHECK(report.outcome == api::PingOutcome::partial);
    REQUIRE(report.rtt_us);
    CHECK(*report.rtt_us == api::RttSummary{40, 50, 60, 10, 40, 60});
}

TEST_CASE("ping tally: late, corrupt and duplicate replies are not received", "[unit]") {
    PingTally tally;
    tally.add(event(start));
    for (const char* flag : {"late", "corrupt", "duplicate", "reordered"}) {
        tally.add(event(R"({"type":"reply","seq":1,"from":"10.0.0.1","bytes":64,"rtt_us":5,")" +
                        std::string(flag) + "\":true}"));
    }
    const auto report = tally.report(1);
    CHECK(report.late == 1);
    CHECK(report.corrupt == 1);
    CHECK(report.duplicates == 1);
    CHECK(report.reordered == 1);
    CHECK(report.received == 1);  // the reordered one
    CHECK(report.outcome == api::PingOutcome::answered);
}

TEST_CASE("ping tally: the outcome of silence is lost, of errors unreachable", "[unit]") {
    PingTally silence;
    silence.add(event(R"({"type":"lost","seq":1})"));
    CHECK(silence.report(0).outcome == api::PingOutcome::lost);
    PingTally refused;
    refused.add(event(R"({"type":"icmp_error","seq":1,"message":"network unreachable"})"));
    CHECK(refused.report(0).outcome == api::PingOutcome::unreachable);
}

TEST_CASE("ping tally: the percentiles of a long ping are 0.4 % off at most", "[unit]") {
    PingTally tally;
    for (std::uint64_t seq = 1; seq <= 65'536; ++seq)
        tally.add(reply(seq, 1));
    for (std::uint64_t seq = 65'537; seq <= 131'072; ++seq)
        tally.add(reply(seq, 9));
    const auto report = tally.report(0);
    REQUIRE(report.rtt_us);
    CHECK(report.rtt_us->min == 1);
    CHECK(report.rtt_us->avg == 5);
    CHECK(report.rtt_us->p50 == Approx(1).epsilon(0.004));
    CHECK(report.rtt_us->p99 == Approx(9).epsilon(0.004));
}

TEST_CASE("ping text: reads like iputils'", "[unit]") {
    CHECK(ping_text::line(std::get<api::PingStart>(event(start))) ==
          "PING co2 (172.18.0.3) from co1: 56 data bytes, resolved by 127.0.0.11\n");
    const auto line = [](const char* more) {
        return ping_text::line(std::get<api::PingReply>(
            event(R"({"type":"reply","seq":1,"from":"172.18.0.3","bytes":64,"ttl":64,"rtt_us":45.4)" +
                  std::string(more) + "}")));
    };
    CHECK(line("") == "64 bytes from 172.18.0.3: icmp_seq=1 ttl=64 time=0.045 ms\n");
    CHECK(line(R"(,"duplicate":true)") ==
          "64 bytes from 172.18.0.3: icmp_seq=1 ttl=64 time=0.045 ms (DUP!)\n");
    CHECK(line(R"(,"late":true,"corrupt":true)").ends_with("ms (late) (corrupt)\n"));
    CHECK(ping_text::line(api::PingLost{2}, 1000) == "no reply to icmp_seq=2 within 1 s\n");
    CHECK(ping_text::line(api::PingLost{2}, 250) == "no reply to icmp_seq=2 within 0.25 s\n");
    CHECK(
        ping_text::line(std::get<api::PingError>(event(
            R"({"type":"icmp_error","seq":1,"from":"172.18.0.1","mtu":1400,"message":"fragmentation needed"})"))) ==
        "From 172.18.0.1: icmp_seq=1 fragmentation needed (mtu = 1400)\n");
}

TEST_CASE("ping text: a round trip has three figures", "[unit]") {
    CHECK(ping_text::milliseconds(45.4) == "0.045");
    CHECK(ping_text::milliseconds(999.4) == "0.999");
    CHECK(ping_text::milliseconds(1234) == "1.23");
    CHECK(ping_text::milliseconds(12'345) == "12.3");
    CHECK(ping_text::milliseconds(123'456) == "123");
}

TEST_CASE("ping text: the summary ends with why and what to do", "[unit]") {
    api::PingReport report;
    report.to = "co2";
    report.transmitted = 3;
    report.received = 2;
    report.duplicates = 1;
    report.errors = 1;
    report.loss_percent = 100.0 / 3;
    report.elapsed_ms = 2003.6;
    report.rtt_us = api::RttSummary{40, 50, 60, 10, 40, 60};
    report.explanation = "172.18.0.1 says that the host is unreachable";
    report.suggestion = "docker network connect net co3";
    const std::string statistics =
        "\n--- co2 ping statistics ---\n"
        "3 packets transmitted, 2 received, +1 duplicates, +1 errors, 33.3333% packet loss, time 2004ms\n"
        "rtt min/avg/max/mdev = 0.040/0.050/0.060/0.010 ms\n";
    const std::string reason =
        "172.18.0.1 says that the host is unreachable\ntry: docker network connect net co3\n";
    CHECK(ping_text::summary(report, false) == statistics + reason);
    CHECK(ping_text::summary(report, true) == statistics + "rtt p50/p99 = 0.040/0.060 ms\n" + reason);
}

TEST_CASE("ping text: hostile names are escaped", "[unit]") {
    api::PingStart hostile;
    hostile.to = "a\x1b[2J";
    CHECK(ping_text::line(hostile).find('\x1b') == std::string::npos);
    api::PingReport report;
    report.explanation = "x\x1b]0;y";
    CHECK(ping_text::summary(report, false).find('\x1b') == std::string::npos);
}
