#include "cli/conntrack_line.hpp"
#include "cli/render/conntrack_text.hpp"
#include "common/json.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;
using conntrack_text::Names;

namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

api::ConntrackRow published() {
    api::ConntrackRow row;
    row.protocol = "tcp";
    row.state = "ESTABLISHED";
    row.replied = true;
    row.status = {"seen_reply", "assured"};
    row.timeout = 431'999;
    row.original.source = {ip("198.51.100.9"), 40000, {}};
    row.original.destination = {ip("198.51.100.1"), 8080, "host"};
    row.original.packets = 12;
    row.original.bytes = 840;
    row.reply.source = {ip("172.17.0.4"), 80, "web \"x\"\n"};
    row.reply.destination = {ip("198.51.100.9"), 40000, {}};
    row.dnat = {row.original.destination, row.reply.source};
    row.mark = 7;
    row.zone = 5;
    row.id = 4'000'000'000;
    row.use = 1;
    row.helper = "ftp";
    return row;
}

}  // namespace

TEST_CASE("conntrack: a line is read as it was written, and the next has nothing of it", "[unit]") {
    ConntrackLineReader reader;
    auto row = published();
    row.stale = {"nobody has it", "conntrack -D"};
    row.original.icmp = {8, 0, 77};
    const auto read = reader.read(json::write(row));
    REQUIRE(read);
    CHECK(**read == row);
    api::ConntrackRow plain;
    plain.protocol = "udp";
    plain.snat = {{ip("fd00::1"), 1, {}}, {ip("fd00::2"), 2, "x"}};
    const auto next = reader.read(json::write(plain));
    REQUIRE(next);
    CHECK(**next == plain);
    CHECK_FALSE(reader.read("{\"type\":}"));
    CHECK_FALSE(reader.read(R"({"type":"entry","original":{"source":{"address":"nonsense"}}})"));
    // A newer daemon says more.
    const auto newer = reader.read(R"({"type":"entry","new":{"source":{"port":9},"a":[1,{"id":2}]},"id":8})");
    REQUIRE(newer);
    CHECK((*newer)->id == 8);
}

TEST_CASE("conntrack: state, protocol and translation in words", "[unit]") {
    auto row = published();
    CHECK(conntrack_text::state(row) == "ESTABLISHED");
    row.reply.source.name = "web";
    row.dnat->to.name = "web";
    CHECK(conntrack_text::translation(row, Names::yes) == "dnat 198.51.100.1:8080 -> web 172.17.0.4:80");
    CHECK(conntrack_text::translation(row, Names::no) == "dnat 198.51.100.1:8080 -> 172.17.0.4:80");
    row.snat = {{ip("172.18.0.2"), 40000, "co1"}, {ip("198.51.100.1"), 40000, "host"}};
    CHECK(conntrack_text::translation(row, Names::yes) ==
          "dnat 198.51.100.1:8080 -> web 172.17.0.4:80, snat 172.18.0.2 -> host 198.51.100.1");
    row.dnat.reset();
    row.snat->to.port = 1024;
    CHECK(conntrack_text::translation(row, Names::no) == "snat 172.18.0.2:40000 -> 198.51.100.1:1024");
    row.snat.reset();
    CHECK(conntrack_text::translation(row, Names::no) == "-");
    row.state = "SYN_SENT";
    row.replied = false;
    CHECK(conntrack_text::state(row) == "SYN_SENT UNREPLIED");
    row.state.reset();
    row.stale = {"a", "b"};
    CHECK(conntrack_text::state(row) == "STALE UNREPLIED");
    row.stale.reset();
    row.replied = true;
    CHECK(conntrack_text::state(row) == "ASSURED");
    row.status = {"offload"};
    CHECK(conntrack_text::state(row) == "REPLIED OFFLOAD");
    row.protocol = "icmp";
    row.original.icmp = {8, 0, 77};
    CHECK(conntrack_text::protocol(row) == "icmp type 8 id 77");
}

TEST_CASE("conntrack: events, losses and counts are lines", "[unit]") {
    auto row = published();
    row.event = api::ConntrackEvent::new_;
    const auto line = conntrack_text::line(row, Names::yes);
    // What a name holds does not reach the terminal.
    CHECK(line.find("dnat 198.51.100.1:8080 -> web \"x\"\\x0a 172.17.0.4:80") != line.npos);
    CHECK(line.find("NEW     tcp  ESTABLISHED") != line.npos);
    CHECK(line.ends_with("(12 packets, 840 bytes)\n"));
    CHECK(conntrack_text::line(api::ConntrackLost{"2026-11-26T07:24:36.123456789Z"}).find(" LOST ") !=
          std::string::npos);
    CHECK(conntrack_text::counts({api::ConntrackEnding::count, 3, 1, 1, 1, 0, 5}) ==
          "3 events: 1 new, 1 update, 1 destroyed\n");
    CHECK(conntrack_text::counts({api::ConntrackEnding::count, 0, 0, 0, 0, 2, 5}) ==
          "0 events: 0 new, 0 updates, 0 destroyed; more were lost, 2 times: the kernel does not say how "
          "many\n");
}

TEST_CASE("conntrack: how full the table is", "[unit]") {
    api::ConntrackTableRow row;
    row.target = "host";
    row.entries = 214;
    row.maximum = 262'144;
    CHECK(conntrack_text::table(row, 1) ==
          "1 entry shown of 214 in the table of host, which takes 262144 (0 % full)\n");
    row.dropped = 7;
    CHECK(conntrack_text::table(row, 2).find("; 7 packets were dropped for want of room") !=
          std::string::npos);
    row.entries.reset();
    CHECK(conntrack_text::table(row, 2) == "2 entries shown; how many the table of host has is not told\n");
}
