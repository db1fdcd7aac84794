#include "daemon/operations/engine_http.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

struct Pair {
    Pair() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        near = UniqueFd(ends[0]);
        far = UniqueFd(ends[1]);
    }
    UniqueFd near, far;
};

/// An engine that says what it is told to say. Its answers are written before they are asked for: the client
/// reads one after another.
struct Engine {
    Engine() { ::fcntl(engine.near.get(), F_SETFL, O_NONBLOCK); }
    void say(std::string_view text) const {
        REQUIRE(::send(engine.far.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    }
    void hang_up() { ::shutdown(engine.far.get(), SHUT_WR); }
    [[nodiscard]] std::string heard() const {
        std::array<char, 4096> buffer;
        const auto got = ::recv(engine.far.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
    }

    Pair engine;
    Pair front;
    Output output{front.near.get()};
    EngineConnection connection{engine.near.get(), output};
};

}  // namespace

TEST_CASE("http: answers come one after another on one connection", "[unit]") {
    Engine engine;
    engine.say(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]HTTP/1.1 404 Not Found\r\nContent-Length: "
        "3\r\n\r\nabc");
    const auto first = engine.connection.get("/containers/json?all=1");
    REQUIRE(first);
    CHECK(first->status == 200);
    CHECK(first->body == "[]");
    CHECK(engine.heard().starts_with("GET /containers/json?all=1 HTTP/1.1\r\nHost: docker\r\n"));
    const auto second = engine.connection.get("/containers/x/json");
    REQUIRE(second);
    CHECK(second->status == 404);
    CHECK(second->body == "abc");
}

TEST_CASE("http: a chunked answer is put together, however it is cut", "[unit]") {
    const std::string text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n "
        "world\r\n0\r\nTrailer: x\r\n\r\n";
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
        Engine engine;
        std::thread writer([&] {
            engine.say(std::string_view(text).substr(0, cut));
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            engine.say(std::string_view(text).substr(cut));
        });
        const auto response = engine.connection.get("/");
        writer.join();
        REQUIRE(response);
        CHECK(response->body == "hello world");
    }
}

TEST_CASE("http: a body without a length ends with the connection", "[unit]") {
    Engine engine;
    engine.say("HTTP/1.0 200 OK\r\n\r\nall of it");
    engine.hang_up();
    const auto response = engine.connection.get("/");
    REQUIRE(response);
    CHECK(response->body == "all of it");
}

TEST_CASE("http: an engine that hangs up in the middle is unavailable", "[unit]") {
    for (const char* text : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"}) {
        INFO(text);
        Engine engine;
        if (*text != '\0') engine.say(text);
        engine.hang_up();
        const auto response = engine.connection.get("/");
        REQUIRE_FALSE(response);
        CHECK(response.error().code == errc::engine_unavailable);
    }
}

TEST_CASE("http: what is no HTTP is a protocol error", "[unit]") {
    for (const char* text :
         {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        INFO(text);
        Engine engine;
        engine.say(text);
        engine.hang_up();
        const auto response = engine.connection.get("/");
        REQUIRE_FALSE(response);
        CHECK(response.error().code == errc::protocol_error);
    }
}

TEST_CASE("http: an answer over the limit is refused before it is read", "[unit]") {
    Engine engine;
    engine.say("HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n");
    const auto body = engine.connection.get("/");
    REQUIRE_FALSE(body);
    CHECK(body.error().code == errc::too_large);
    Engine wordy;
    wordy.say("HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x'));
    const auto header = wordy.connection.get("/");
    REQUIRE_FALSE(header);
    CHECK(header.error().code == errc::too_large);
}

TEST_CASE("http: a stream is handed over as it comes, until it ends", "[unit]") {
    Engine engine;
    engine.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const auto opened = engine.connection.open_stream("/events");
    REQUIRE(opened);
    CHECK(opened->status == 200);
    engine.say("4\r\n{\"a\"\r\n");
    CHECK(*engine.connection.read_stream() == "{\"a\"");
    engine.say("3\r\n:1}\r\n2\r\n{}\r\n");
    CHECK(*engine.connection.read_stream() == ":1}{}");
    engine.say("0\r\n\r\n");
    CHECK(engine.connection.read_stream()->empty());
}

TEST_CASE("http: a stream that is cut off is told from one that ends", "[unit]") {
    Engine engine;
    engine.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    REQUIRE(engine.connection.open_stream("/events"));
    engine.hang_up();
    const auto more = engine.connection.read_stream();
    REQUIRE_FALSE(more);
    CHECK(more.error().code == errc::engine_unavailable);
}

TEST_CASE("http: a refused stream has its body", "[unit]") {
    Engine engine;
    engine.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\n{\"message\":\"x\"}");
    const auto opened = engine.connection.open_stream("/events");
    REQUIRE(opened);
    CHECK(opened->status == 400);
    CHECK(opened->body == R"({"message":"x"})");
}

TEST_CASE("http: a socket that is not there is unavailable, with a hint", "[unit]") {
    const auto absent = connect_engine("/nonexistent/docker.sock");
    REQUIRE_FALSE(absent);
    CHECK(absent.error().code == errc::engine_unavailable);
    CHECK(absent.error().message == "cannot connect to /nonexistent/docker.sock: No such file or directory");
    CHECK_FALSE(absent.error().hint.empty());
    CHECK_FALSE(connect_engine(std::string(200, 'x')));
    CHECK_FALSE(connect_engine(""));
}

TEST_CASE("http: an engine whose queue is full is unavailable at once", "[unit]") {
    const std::string path = "/tmp/netlab-engine-test." + std::to_string(::getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listening.get(), 0) == 0);
    const auto first = connect_engine(path);
    REQUIRE(first);
    const auto second = connect_engine(path);
    ::unlink(path.c_str());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == errc::busy);
    CHECK(second.error().message.ends_with("it hangs"));
}

TEST_CASE("http: what may not stand in a query is encoded", "[unit]") {
    CHECK(percent_encode(R"({"type":["container"]})") == "%7B%22type%22%3A%5B%22container%22%5D%7D");
    CHECK(percent_encode("a-Z_0.9~") == "a-Z_0.9~");
}
