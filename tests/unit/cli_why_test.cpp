#include "cli/render/why_text.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;
using api::WhyProtocol;
using why_text::Destination;
using why_text::parse_destination;

TEST_CASE("why: a destination with and without a port and a protocol", "[unit]") {
    CHECK(*parse_destination("co2") == Destination{"co2", 0, WhyProtocol::icmp});
    CHECK(*parse_destination("co2:80") == Destination{"co2", 80, WhyProtocol::tcp});
    CHECK(*parse_destination("co2:53/udp") == Destination{"co2", 53, WhyProtocol::udp});
    CHECK(*parse_destination("co2/icmp") == Destination{"co2", 0, WhyProtocol::icmp});
    CHECK(*parse_destination("fd00::1") == Destination{"fd00::1", 0, WhyProtocol::icmp});
    CHECK(*parse_destination("[fd00::1]:80") == Destination{"fd00::1", 80, WhyProtocol::tcp});
    CHECK(*parse_destination("docker:co2:80/tcp") == Destination{"docker:co2", 80, WhyProtocol::tcp});
    CHECK(*parse_destination("docker:co2") == Destination{"docker:co2", 0, WhyProtocol::icmp});
    CHECK(*parse_destination("pid:4242") == Destination{"pid:4242", 0, WhyProtocol::icmp});
    CHECK(*parse_destination("co2:80/TCP") == Destination{"co2", 80, WhyProtocol::tcp});
    CHECK(*parse_destination("fe80::1%eth0") == Destination{"fe80::1%eth0", 0, WhyProtocol::icmp});
    CHECK(*parse_destination("netns:a:b") == Destination{"netns:a:b", 0, WhyProtocol::icmp});
    for (const auto* wrong :
         {"co2/sctp", "co2/tcp", "co2:80/icmp", "co2:0", "co2:65536", "co2:http", "co2:", "co2:-1", "co2: 80",
          "co2:80/tcp/udp", "docker:co2:http", "co2:80:90", "docker:co2:80:90"})
        CHECK_FALSE(parse_destination(wrong));
    CHECK(parse_destination("co2:80:90").error().message == "'co2:80:90' has two ports");
    CHECK(*parse_destination("netns:a:1:80") == Destination{"netns:a:1", 80, WhyProtocol::tcp});
}

TEST_CASE("why: the report says verdict, rule, reason and what to do, and escapes names", "[unit]") {
    api::WhyReport report;
    report.from = "co1";
    report.to = "co3";
    report.resolution.address = *IpAddress::parse("172.17.0.2");
    report.resolution.target = "co3";
    report.verdict = api::WhyVerdict::dropped;
    report.where = api::WhyPlace{"host", "ip filter FORWARD"};
    report.rule = api::WhyRule{"host", "ip", "filter", "FORWARD", 12, "oifname \"docker0\" drop", "docker"};
    report.explanation = "apart \x1b[2J";
    report.suggestion = "docker network connect net co3";
    report.probed = true;
    report.hops = {{"co1", "eth0", "source", true, false, "next hop"},
                   {"host", "docker0", "route", false, false, ""}};
    const auto text = why_text::report(report, {}, false);
    CHECK(text.find("co1 -> co3 (172.17.0.2): dropped at host, ip filter FORWARD\n") == 0);
    CHECK(text.find("ip filter FORWARD handle 12: oifname \"docker0\" drop   (docker's)") != text.npos);
    CHECK(text.find("docker network connect net co3") != text.npos);
    CHECK(text.find('\x1b') == text.npos);
    CHECK(text.find("there") != text.npos);
    report.rule.reset();
    report.verdict = api::WhyVerdict::unknown;
    report.where = api::WhyPlace{"blue", "eth0"};
    CHECK(why_text::report(report, {}, false).find("co1 -> co3 (172.17.0.2): unknown at blue, eth0\n") == 0);
}
