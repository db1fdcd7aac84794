#include "cli/render/socket_text.hpp"
#include "cli/socket_line.hpp"
#include "common/json.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::cli;

TEST_CASE("sockets: a line is read as it was written, and the next has nothing of it", "[unit]") {
    SocketLineReader reader;
    api::SocketRow row;
    row.target = "co1 \"x\"\n";
    row.protocol = "tcp";
    row.state = "LISTEN";
    row.local = {"::", 80};
    row.remote = {"::", 0};
    row.recv_queue = 3;
    row.send_queue = 4'294'967'295;
    row.interface = "eth0";
    row.v6only = false;
    row.timer = api::SocketTimer{"keepalive", 1500, 2};
    row.uid = 7;
    row.inode = 4711;
    row.processes = {{{1, 4242, "a)\"\xC3\xA4", 6}, {2, 4243, "b", 7}}};
    row.tcp_info.emplace().options = {"ts"};
    row.memory.emplace();
    const auto read = reader.read(json::write(row));
    REQUIRE(read);
    row.tcp_info.reset();
    row.memory.reset();
    CHECK(json::write(**read) == json::write(row));
    api::SocketRow unix;
    unix.protocol = "u_str";
    unix.local.address = "@x";
    unix.peer_inode = 5;
    const auto next = reader.read(json::write(unix));
    REQUIRE(next);
    CHECK(json::write(**next) == json::write(unix));
    CHECK_FALSE(reader.read("{\"type\":}"));
    // A newer daemon says more.
    const auto newer =
        reader.read(R"({"type":"socket","new":{"local":{"port":9},"a":[1,{"pid":2}]},"inode":8})");
    REQUIRE(newer);
    CHECK((*newer)->inode == 8);
    CHECK_FALSE((*newer)->local.port);
}

TEST_CASE("sockets: ends are written as ss writes them", "[unit]") {
    api::SocketRow row;
    std::string text;
    row.protocol = "tcp";
    row.local = {"::", 80};
    row.remote = {"::", 0};
    row.v6only = false;
    write_local(text, row);
    CHECK(text == "*:80");
    write_remote(text, row);
    CHECK(text == "*:*");
    row.v6only = true;
    row.interface = "eth0";
    write_local(text, row);
    CHECK(text == "[::]%eth0:80");
    row.protocol = "raw";
    row.local = {"0.0.0.0", 1};
    row.interface.reset();
    write_local(text, row);
    CHECK(text == "0.0.0.0:icmp");
    row.protocol = "u_str";
    row.local = {"/run/x", std::nullopt};
    row.inode = 5;
    row.remote = {"", std::nullopt};
    row.peer_inode = 6;
    write_local(text, row);
    CHECK(text == "/run/x 5");
    write_remote(text, row);
    CHECK(text == "* 6");
    row.processes = {{{1, 4242, "web", 6}, {7, 7, "b", 8}}};
    write_processes(text, row);
    CHECK(text == "web,pid=1,host=4242,fd=6 b,pid=7,fd=8");
}
