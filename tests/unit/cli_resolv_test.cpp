#include "cli/render/resolv_text.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;

namespace {

const Screen plain{};

bool has(const std::string& text, std::string_view part) {
    INFO(text);
    return text.find(part) != text.npos;
}

ResolvRows co1() {
    ResolvRows rows;
    auto& conf = rows.conf.emplace();
    conf.path = "/etc/resolv.conf";
    conf.servers = {"127.0.0.11"};
    conf.options = {"ndots:0"};
    conf.ndots = 0;
    conf.ignored = {{3, "nameservr 1.2.3.4", "'nameservr' is no keyword"}};
    conf.more_ignored = 7;
    auto& hosts = rows.hosts.emplace();
    hosts.path = "/etc/hosts";
    hosts.entries = {{1, *IpAddress::parse("172.18.0.2"), {"co1", "alias"}}};
    auto& server = rows.servers.emplace_back();
    server.server = "127.0.0.11";
    server.kind = api::ResolvServerKind::docker;
    server.question = ". NS";
    server.udp = {api::ResolvOutcome::answered, "NOERROR", 123.4, ""};
    server.tcp = {api::ResolvOutcome::refused, {}, {}, "port unreachable"};
    auto& embedded = rows.embedded.emplace_back();
    embedded.address = "127.0.0.11";
    embedded.rules_known = true;
    auto& udp = embedded.paths.emplace_back();
    udp.protocol = "udp";
    udp.to = "127.0.0.11:40001";
    udp.rule = {"nft", "ip nat", "DOCKER_OUTPUT", 9, {}, "ip daddr 127.0.0.11 dnat to 127.0.0.11:40001", 5};
    udp.socket.emplace().owner = {77, "dockerd", 31};
    embedded.paths.emplace_back().protocol = "tcp";
    embedded.upstreams = {{"192.0.2.1", false}, {"127.0.0.53", true}};
    embedded.upstreams_from = api::ResolvUpstreamSource::engine;
    rows.findings.push_back(
        {"co1", api::ResolvFindingCode::tcp_silent, true, "127.0.0.11", "no TCP", "do it"});
    rows.findings.push_back(
        {"co1", api::ResolvFindingCode::no_embedded_dns, false, "bridge", "as it is", ""});
    return rows;
}

}  // namespace

TEST_CASE("resolv: the page has the file, the servers, the way behind 127.0.0.11, hosts and what is wrong",
          "[unit]") {
    const auto text = resolv_text(co1(), plain, false);
    CHECK(has(text, "/etc/resolv.conf\n  servers   127.0.0.11\n  options   ndots:0\n"));
    CHECK(has(text, "ignored   line 3: nameservr 1.2.3.4  ('nameservr' is no keyword)\n"));
    CHECK(has(text, "7 lines more"));
    CHECK(has(text, "127.0.0.11   Docker's DNS   0.12 ms   refused   . NS\n"));
    CHECK(has(text,
              "udp             127.0.0.11:40001   dockerd (PID 77 on the host, fd 31)   ip nat DOCKER_OUTPUT "
              "handle 9"));
    CHECK(has(text, "tcp             nowhere"));
    CHECK(has(text, "192.0.2.1, 127.0.0.53 (asked from the host)  (by Docker's configuration)"));
    CHECK(has(text, "  172.18.0.2   co1 alias"));
    CHECK(has(text, "problem: no TCP [tcp_silent]\n  try: do it\n"));
    CHECK(has(text, "note: as it is [no_embedded_dns]\n"));
    CHECK_FALSE(has(text, "timeout"));
}

TEST_CASE("resolv: wide adds what is by default, and the rules", "[unit]") {
    const auto text = resolv_text(co1(), plain, true);
    CHECK(has(text, "  ndots     0\n  timeout   5 s\n  attempts  2\n"));
    CHECK(has(text,
              "ip nat DOCKER_OUTPUT handle 9: ip daddr 127.0.0.11 dnat to 127.0.0.11:40001  (5 packets)"));
}

TEST_CASE("resolv: what a container wrote does not reach the terminal as it is", "[unit]") {
    ResolvRows rows;
    auto& conf = rows.conf.emplace();
    conf.path = "/etc/resolv.conf";
    conf.search = {"a\x1b[2Jb"};
    conf.ignored = {{1, "\x07", "\xc2\x9b"}};
    auto& hosts = rows.hosts.emplace();
    hosts.entries = {{1, *IpAddress::parse("10.0.0.1"), {"x\x1b]0;title\x07"}}};
    rows.findings.push_back({"co1", api::ResolvFindingCode::nameserver_ignored, true, "", "\x1b[31m", "\r"});
    const auto text = resolv_text(rows, plain, true);
    for (const char c : text)
        CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
    CHECK_FALSE(has(text, "\xc2\x9b"));
}
