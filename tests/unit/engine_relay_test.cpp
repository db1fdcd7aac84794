#include "daemon/operations/engine_relay.hpp"

#include "daemon/operations/engine_http.hpp"
#include "tests/support/catch.hpp"

#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

using namespace netlab;
using namespace netlab::operations;
using namespace std::chrono_literals;

namespace {

/// What comes within two seconds until `size` bytes are there or the other side ends.
std::string read(int socket, std::size_t size) {
    std::string out;
    std::string piece(65536, '\0');
    while (out.size() < size) {
        pollfd readable{socket, POLLIN, 0};
        if (::poll(&readable, 1, 2000) <= 0) break;
        const auto got = ::recv(socket, piece.data(), piece.size(), MSG_DONTWAIT);
        if (got <= 0) break;
        out.append(piece, 0, static_cast<std::size_t>(got));
    }
    return out;
}

/// The other side has ended, and has said nothing more.
bool has_ended(int socket) {
    pollfd readable{socket, POLLIN, 0};
    char byte = 0;
    return ::poll(&readable, 1, 2000) == 1 && ::recv(socket, &byte, 1, MSG_DONTWAIT) <= 0;
}

void say(int socket, std::string_view text) {
    REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// A relay, which gives up nothing, between the test as the operation and the test as the engine.
struct Relayed {
    Relayed() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        engine.reset(ends[0]);
        UniqueFd connection(ends[1]);
        REQUIRE(::fcntl(connection.get(), F_SETFL, O_NONBLOCK) == 0);
        Namespaces namespaces({});
        namespaces.confine_relay([] { return Result<void>(); });
        auto relay = relay_engine(namespaces, std::move(connection));
        REQUIRE(relay);
        operation = std::move(*relay);
    }
    UniqueFd engine, operation;
};

}  // namespace

TEST_CASE("relay: what the daemon asks engines for, and nothing else that an engine answers", "[unit]") {
    for (const std::string target :
         {"/containers/json?all=1", "/containers/3f9a0c/json", "/containers/co%201/json", "/networks",
          "/networks/my%20net", "/networks/a.b-c_d~", "/v4.0.0/libpod/networks/json",
          "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D&since=1700000000.000000001"}) {
        INFO(target);
        CHECK(is_engine_inspection(engine_request(target)));
    }
    for (const std::string target : {"/containers/x/attach/ws?stdin=1",
                                     "/containers/x/archive?path=/etc/shadow",
                                     "/containers/x/export",
                                     "/containers/x/logs",
                                     "/containers/x%2Fattach%2Fws/json",
                                     "/containers/..%2fx/json",
                                     "/containers/../json",
                                     "/containers/%2E%2E/json",
                                     "/containers//json",
                                     "/containers/x/json?size=1",
                                     "/containers/x%3Fy/json",
                                     "/containers/x%23/json",
                                     "/containers/x y/json",
                                     "/containers/x%0D%0A/json",
                                     "/containers/json",
                                     "/containers/json?all=1&filters=x",
                                     "/networks/",
                                     "/networks/x/y",
                                     "/networks/..",
                                     "/networks/x?y",
                                     "/networks/%",
                                     "/networks/%4",
                                     "/networks/%4g",
                                     "/images/x/get",
                                     "/info",
                                     "/secrets",
                                     "/events",
                                     "/events?filters=x",
                                     "/events?filters=x&since=",
                                     "/events?filters=x&since=1;2",
                                     "/events?filters=x&y=1&since=1",
                                     "/events?filters=x/&since=1",
                                     ""}) {
        INFO(target);
        CHECK_FALSE(is_engine_inspection(engine_request(target)));
    }
    const auto good = engine_request("/networks");
    CHECK_FALSE(is_engine_inspection("POST" + good.substr(3)));
    CHECK_FALSE(is_engine_inspection("get" + good.substr(3)));
    CHECK_FALSE(is_engine_inspection(" " + good));
    CHECK_FALSE(is_engine_inspection(good + good));
    CHECK_FALSE(is_engine_inspection(good + "x"));
    CHECK_FALSE(
        is_engine_inspection(engine_request("/networks HTTP/1.1\r\nHost: x\r\n\r\nPOST /containers/create")));
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        CHECK_FALSE(is_engine_inspection(good.substr(0, cut)));
}

TEST_CASE("relay: requests go one way whole, answers the other way as they come", "[unit]") {
    const Relayed relayed;
    const auto first = engine_request("/networks");
    for (const char byte : first) {
        say(relayed.operation.get(), {&byte, 1});
        std::this_thread::sleep_for(100us);
    }
    CHECK(read(relayed.engine.get(), first.size()) == first);
    const auto second = engine_request("/networks/a");
    const auto third = engine_request("/containers/b/json");
    say(relayed.operation.get(), second + third.substr(0, 20));
    CHECK(read(relayed.engine.get(), second.size()) == second);
    say(relayed.operation.get(), third.substr(20));
    CHECK(read(relayed.engine.get(), third.size()) == third);

    // More than all buffers, to one who is slow; and an engine that then hangs up.
    std::string answer(8 << 20, 'a');
    for (std::size_t i = 0; i < answer.size(); i += 4093)
        answer[i] = static_cast<char>('b' + i % 20);
    std::thread engine([&] {
        say(relayed.engine.get(), answer);
        ::shutdown(relayed.engine.get(), SHUT_RDWR);
    });
    std::this_thread::sleep_for(100ms);
    CHECK(read(relayed.operation.get(), answer.size()) == answer);
    engine.join();
    CHECK(has_ended(relayed.operation.get()));
}

TEST_CASE("relay: at anything else it ends, and the engine has heard nothing of it", "[unit]") {
    const auto good = engine_request("/networks");
    for (const auto& [text, heard] : std::vector<std::pair<std::string, std::string>>{
             {"POST /containers/create HTTP/1.1\r\nHost: docker\r\n\r\n", ""},
             {engine_request("/containers/x/attach/ws"), ""},
             {good + "POST /containers/x/start HTTP/1.1\r\n\r\n", good},
             {std::string(8192, 'G'), ""},
             {"\r\n\r\n", ""}}) {
        const Relayed relayed;
        say(relayed.operation.get(), text);
        CHECK(has_ended(relayed.operation.get()));
        const auto got = read(relayed.engine.get(), text.size());
        CHECK((got.empty() || got == heard));
        CHECK(has_ended(relayed.engine.get()));
    }
}

TEST_CASE("relay: it ends with the operation, also where the engine reads nothing", "[unit]") {
    Relayed relayed;
    const auto request = engine_request("/networks");
    pollfd writable{relayed.operation.get(), POLLOUT, 0};
    while (::poll(&writable, 1, 200) == 1 &&
           ::send(relayed.operation.get(), request.data(), request.size(), MSG_DONTWAIT) > 0) {
    }
    relayed.operation.reset();
    // What had been passed on is still there; then comes the end.
    while (!read(relayed.engine.get(), 65536).empty()) {
    }
    CHECK(has_ended(relayed.engine.get()));
}

TEST_CASE("relay: without a confinement the connection itself comes back", "[unit]") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd other(ends[0]);
    Namespaces namespaces({});
    const auto same = relay_engine(namespaces, UniqueFd(ends[1]));
    REQUIRE(same);
    CHECK(same->get() == ends[1]);
}
