#include "cli/render/nat_text.hpp"
#include "cli/render/ports_text.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using api::CarrierClients;
using api::CarrierKind;
using api::PortVerdict;

namespace {

IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

api::NatRule rule() {
    return {"nft", "ip", "nat", "DOCKER", 11, {}, "tcp dport 8080 dnat to 172.17.0.2:80", 14, 840, {}};
}

/// co1 publishes 8080 as 80.
api::PortRow row() {
    api::PortRow row;
    row.target = "co1";
    row.protocol = "tcp";
    row.host_address = address("0.0.0.0");
    row.host_port = 8080;
    row.container_port = 80;
    row.to = api::Endpoint{address("172.17.0.2"), 80};
    row.carried_by.push_back({CarrierKind::dnat, CarrierClients::outside, rule(), row.to, "co1", {}, {}});
    row.carried_by.push_back(
        {CarrierKind::proxy, CarrierClients::localhost, {}, row.to, "co1", 99, "docker-proxy"});
    row.listener = api::PortListener{address("0.0.0.0"), 80, {}, {}, 7, "httpd"};
    row.verdict = PortVerdict::works;
    return row;
}

}  // namespace

TEST_CASE("ports: as text what carries it, what listens and what is wrong", "[unit]") {
    const auto cells = cli::ports_text::line(row(), false);
    CHECK(cells[1].items == std::vector<std::string>{"0.0.0.0:8080/tcp"});
    CHECK(cells[2].items == std::vector<std::string>{"172.17.0.2:80"});
    CHECK(cells[3].items == std::vector<std::string>{"DNAT handle 11", "docker-proxy 99 (localhost)"});
    CHECK(cells[4].items == std::vector<std::string>{"0.0.0.0:80 httpd 7"});
    CHECK(cells[5].items == std::vector<std::string>{"works"});
}

TEST_CASE("ports: where there is none it is said who would have the same", "[unit]") {
    api::InspectionReport report;
    CHECK(cli::ports_text::sharing(report).empty());
    report.shared = {{"sidecar1", {"co1", "co\x1b[31m"}}};
    CHECK(
        cli::ports_text::sharing(report) ==
        "sidecar1 shares its network namespace with co1, co\\x1b[31m: what one of them published would lead "
        "to all\n");
    report.shared = {{"hostnet1", {"host"}}};
    CHECK(cli::ports_text::sharing(report).empty());
}

TEST_CASE("ports: what is the same of several is said once, and names cannot harm a terminal", "[unit]") {
    cli::ports_text::Remarks remarks;
    remarks.add(row(), true);
    CHECK(remarks.text().empty());
    auto bad = row();
    bad.explanation = "nothing listens";
    bad.suggestion = "start it";
    remarks.add(bad, false);
    bad.host_address = address("::");
    remarks.add(bad, false);
    CHECK(remarks.text() == "co1 0.0.0.0:8080/tcp, [::]:8080/tcp: nothing listens\n  try: start it\n");
    bad.target = "co\x1b[31m";
    remarks.add(bad, false);
    CHECK(remarks.text().find('\x1b') == std::string::npos);
}

TEST_CASE("nat: as text the way out, the way in and the rules with their counters", "[unit]") {
    api::NatOutRow out;
    out.target = "co1";
    out.network = "bridge";
    out.source = *IpPrefix::parse("172.17.0.2/16");
    out.gateway = address("172.17.0.1");
    out.interface = "eth0";
    out.bridge = "docker0";
    out.output = "ens3";
    out.as = address("198.51.100.2");
    out.verdict = api::NatVerdict::translated;
    api::NatInRow in;
    in.target = "co1";
    in.network = "bridge";
    in.protocol = "tcp";
    in.host_port = 8080;
    in.to = api::Endpoint{address("172.17.0.2"), 80};
    in.rule = rule();
    CHECK(cli::nat_text::page({out}, {in}, false) ==
          "co1 on bridge\n"
          "  out  172.17.0.2 (eth0) -> 172.17.0.1 (docker0) -> ens3 as 198.51.100.2\n"
          "  in   *:8080/tcp -> 172.17.0.2:80 (co1)\n"
          "       ip nat DOCKER handle 11: tcp dport 8080 dnat to 172.17.0.2:80  [14 packets, 840 bytes]\n");
    // A target's two families have one heading, and what comes in by either is below it.
    auto out_v6 = out;
    out_v6.family = in.family == Family::ipv6 ? Family::ipv4 : Family::ipv6;
    const auto both = cli::nat_text::page({out, out_v6}, {in}, false);
    CHECK(both.find("other rules") == both.npos);
    CHECK(both.ends_with("[14 packets, 840 bytes]\n"));
    in.shadowed_by = rule();
    CHECK(cli::nat_text::page({out}, {in}, false)
              .ends_with("       NEVER MET, first comes ip nat DOCKER handle 11: tcp dport 8080 dnat to "
                         "172.17.0.2:80  [14 packets, 840 bytes]\n"));
    in.reached = false;
    CHECK(cli::nat_text::page({out}, {in}, false).find("  in ") == std::string::npos);
    CHECK(cli::nat_text::page({out}, {in}, true).find("no chain leads to this rule") != std::string::npos);
}
