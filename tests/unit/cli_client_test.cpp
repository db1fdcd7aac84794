#include "cli/client.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/fake_daemon.hpp"

#include <csignal>

using namespace netlab;
using namespace netlab::cli;
using test::FakeDaemon;
using test::head;
using test::stream_head;
using test::whole;

namespace {

/// Lines until the end, or until an error.
struct Heard {
    std::vector<std::string> lines;
    std::optional<Error> error;
    bool interrupted = false;
};

Heard listen_to(const FakeDaemon& daemon) {
    Heard heard;
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/ping", "{}"});
    REQUIRE(exchange);
    for (;;) {
        auto received = exchange->next(interrupt);
        if (!received) {
            heard.error = received.error();
            return heard;
        }
        if (received->event != Exchange::Event::line) {
            heard.interrupted = received->event == Exchange::Event::interrupted;
            return heard;
        }
        heard.lines.push_back(received->line);
    }
}

Result<std::string> get(const FakeDaemon& daemon) {
    auto exchange = Exchange::start(daemon.options(), {"GET", "/v1/targets", {}});
    REQUIRE(exchange);
    return exchange->body();
}

}  // namespace

TEST_CASE("client: asks in HTTP/1.1 and takes the whole body", "[unit]") {
    FakeDaemon daemon({whole(200, "application/json", "[1,2]")});
    const auto body = get(daemon);
    REQUIRE(body);
    CHECK(*body == "[1,2]");
    const auto request = daemon.request();
    CHECK(request.starts_with("GET /v1/targets HTTP/1.1\r\nHost: netlabd\r\n"));
    CHECK(request.ends_with("\r\n\r\n"));
    CHECK(request.find("Content-Length") == std::string::npos);
}

TEST_CASE("client: a body is sent with its length", "[unit]") {
    FakeDaemon daemon({stream_head, "0\r\n\r\n"});
    CHECK_FALSE(listen_to(daemon).error);
    const auto request = daemon.request();
    CHECK(request.find("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}") != std::string::npos);
}

TEST_CASE("client: a stream cut at awkward places is heard line by line", "[unit]") {
    // Chunks of 12, 12 and 3 bytes, none of which ends with a line.
    FakeDaemon daemon({"HTTP/1.1 2", "wait", "00 OK\r\nContent-Type: application/x-nd", "wait",
                       "json\r\nTransfer-Encoding: chunked\r", "wait", "\n\r\n", "wait",
                       "c\r\n{\"n\":1}\n{\"n\"", "wait", "\r\nc\r\n:2}\n{\"n\":3}", "wait", "\n\r", "wait",
                       "\n3\r\n{}\n\r\n", "wait", "0\r\n", "wait", "\r\n"});
    const auto heard = listen_to(daemon);
    CHECK_FALSE(heard.error);
    CHECK(heard.lines == std::vector<std::string>{R"({"n":1})", R"({"n":2})", R"({"n":3})", "{}"});
}

TEST_CASE("client: an error in place of a stream is netlabd's error", "[unit]") {
    FakeDaemon daemon({whole(
        404, "application/json",
        R"({"error":{"code":"no_such_target","message":"there is no target 'co9'","hint":"did you mean co1?"}})")});
    const auto heard = listen_to(daemon);
    REQUIRE(heard.error);
    CHECK(*heard.error == Error{errc::no_such_target, "there is no target 'co9'", "did you mean co1?", {}});
}

TEST_CASE("client: an error in place of a body is netlabd's error, candidates included", "[unit]") {
    FakeDaemon daemon({whole(409, "application/json",
                             R"({"error":{"code":"ambiguous_target","message":"m","details":["a","b"]}})")});
    const auto body = get(daemon);
    REQUIRE(body.has_error());
    CHECK(body.error() == Error{errc::ambiguous_target, "m", "", {"a", "b"}});
}

TEST_CASE("client: an error as a stream's last line is a line", "[unit]") {
    FakeDaemon daemon({stream_head, "8\r\n{\"x\":1}\n\r\n", "20\r\n",
                       "{\"error\":{\"code\":\"target_gone\"}}\r\n0\r\n\r\n"});
    const auto heard = listen_to(daemon);
    CHECK_FALSE(heard.error);
    REQUIRE(heard.lines.size() == 2);
    CHECK(error_of(json::parse(heard.lines[1]).value())->code == errc::target_gone);
}

TEST_CASE("client: a connection lost in the middle of a line is an error after what came whole", "[unit]") {
    FakeDaemon daemon({stream_head, "c\r\n{\"x\":1}\n{\"y\"\r\n"});
    const auto heard = listen_to(daemon);
    CHECK(heard.lines == std::vector<std::string>{"{\"x\":1}"});
    REQUIRE(heard.error);
    CHECK(heard.error->message == "the connection to netlabd was lost");
    CHECK(exit_code(heard.error->code) == 5);
}

TEST_CASE("client: a daemon that closes without a word is told as such", "[unit]") {
    FakeDaemon daemon({});
    const auto body = get(daemon);
    REQUIRE(body.has_error());
    CHECK(body.error().message == "netlabd closed the connection without an answer");
}

TEST_CASE("client: another HTTP server is not netlabd", "[unit]") {
    for (const auto& answer :
         {whole(200, "text/html", "<html>"), whole(404, "text/plain", "404 page not found"),
          whole(302, "text/html", ""), whole(500, "application/json", "[]")}) {
        FakeDaemon daemon({answer});
        const auto body = get(daemon);
        REQUIRE(body.has_error());
        CHECK(body.error().message.starts_with("what answers is not netlabd"));
        CHECK(exit_code(body.error().code) == 5);
    }
}

TEST_CASE("client: a signal ends the wait for the next line", "[unit]") {
    const FakeDaemon daemon({stream_head, "8\r\n{\"x\":1}\n\r\n", "hold"});
    {
        const Interrupt interrupt;
        auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/ping", "{}"});
        REQUIRE(exchange);
        auto line = exchange->next(interrupt);
        REQUIRE(line);
        CHECK(line->line == "{\"x\":1}");
        ::raise(SIGINT);
        const auto received = exchange->next(interrupt);
        REQUIRE(received);
        CHECK(received->event == Exchange::Event::interrupted);
    }
    struct sigaction after {};
    ::sigaction(SIGINT, nullptr, &after);
    CHECK(after.sa_handler == SIG_DFL);
}

TEST_CASE("client: a daemon that does not run is told with how to start it", "[unit]") {
    const auto none = Exchange::start({"unix:///nonexistent/n.sock", "-H", {}, {}}, {"GET", "/", {}});
    REQUIRE(none.has_error());
    CHECK(none.error().message == "netlabd is not running (no socket at /nonexistent/n.sock)");
    CHECK(none.error().hint.starts_with("start it: "));
    CHECK(exit_code(none.error().code) == 4);

    FakeDaemon gone({});
    CHECK(get(gone).has_error());
    CHECK_FALSE(gone.request().empty());
    const auto refused = Exchange::start(gone.options(), {"GET", "/", {}});
    REQUIRE(refused.has_error());
    CHECK(refused.error().message == "netlabd is not running (nobody listens on " + gone.path() + ")");
}

namespace {

const std::string capture_head =
    head(200, "Content-Type: application/x-pcapng\r\nTransfer-Encoding: chunked");

/// What next_piece() gives, each taken as a whole.
struct Pieces {
    std::string bytes;
    std::size_t count = 0;
    std::optional<Exchange::PieceEvent> last;
    std::optional<Error> error;
};

Pieces take_pieces(const FakeDaemon& daemon) {
    Pieces pieces;
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/capture", "{}"});
    REQUIRE(exchange);
    for (;;) {
        const auto piece = exchange->next_piece(interrupt);
        if (!piece) {
            pieces.error = piece.error();
            return pieces;
        }
        pieces.last = piece->event;
        if (piece->event != Exchange::PieceEvent::bytes) return pieces;
        pieces.bytes += piece->bytes;
        ++pieces.count;
        exchange->take(piece->bytes.size());
    }
}

}  // namespace

TEST_CASE("client: bytes are given as they come", "[unit]") {
    FakeDaemon daemon({capture_head, "wait", "5\r\nhel", "wait", "lo\r\n3\r\n\nyo\r", "wait", "\n0\r\n\r\n"});
    const auto pieces = take_pieces(daemon);
    CHECK_FALSE(pieces.error);
    CHECK(pieces.last == Exchange::PieceEvent::end);
    CHECK(pieces.bytes == "hello\nyo");
    CHECK(pieces.count == 2);
}

TEST_CASE("client: an error in place of a capture is netlabd's error", "[unit]") {
    FakeDaemon daemon({whole(
        400, "application/json",
        R"({"error":{"code":"bad_request","message":"syntax error","details":["tcp prot","    ^"]}})")});
    const auto pieces = take_pieces(daemon);
    REQUIRE(pieces.error);
    CHECK(*pieces.error == Error{errc::bad_request, "syntax error", "", {"tcp prot", "    ^"}});
}

TEST_CASE("client: what came before a capture broke off is given before the error", "[unit]") {
    // In one piece with its end; and with a chunk that is none.
    for (const std::string broken : {"", "zz\r\n"}) {
        FakeDaemon daemon({capture_head + "5\r\nhello\r\n" + broken});
        const auto pieces = take_pieces(daemon);
        CHECK(pieces.bytes == "hello");
        REQUIRE(pieces.error);
        CHECK(pieces.error->code == errc::protocol_error);
    }
}

TEST_CASE("client: bytes that are not taken come again, with more", "[unit]") {
    FakeDaemon daemon({capture_head, "5\r\nhello\r\n", "wait", "3\r\n yo\r\n0\r\n\r\n"});
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/capture", "{}"});
    REQUIRE(exchange);
    auto piece = exchange->next_piece(interrupt);
    REQUIRE(piece);
    CHECK(piece->bytes == "hello");
    exchange->take(4);
    piece = exchange->next_piece(interrupt);
    REQUIRE(piece);
    CHECK(piece->bytes == "o yo");
    exchange->take(1);
    piece = exchange->next_piece(interrupt);
    REQUIRE(piece);
    CHECK(piece->event == Exchange::PieceEvent::end);
    CHECK(piece->bytes == " yo");
}

TEST_CASE("client: who wants no more has the operation finish, and hears its end", "[unit]") {
    FakeDaemon daemon({capture_head, "5\r\nhello\r\n", "hold", "3\r\nend\r\n0\r\n\r\n"});
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/capture", "{}"});
    REQUIRE(exchange);
    auto piece = exchange->next_piece(interrupt);
    REQUIRE(piece);
    exchange->take(5);
    ::raise(SIGINT);
    piece = exchange->next_piece(interrupt);
    REQUIRE(piece);
    REQUIRE(piece->event == Exchange::PieceEvent::interrupted);
    struct sigaction second {};
    ::sigaction(SIGINT, nullptr, &second);
    CHECK(second.sa_handler == SIG_DFL);  // the next one ends the process
    exchange->finish();
    piece = exchange->next_piece(interrupt);
    REQUIRE(piece);
    CHECK(piece->event == Exchange::PieceEvent::bytes);
    CHECK(piece->bytes == "end");
}

TEST_CASE("client: a wait for bytes ends at its time", "[unit]") {
    FakeDaemon daemon({capture_head, "hold"});
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/capture", "{}"});
    REQUIRE(exchange);
    const auto until = Exchange::Clock::now() + std::chrono::milliseconds(20);
    const auto piece = exchange->next_piece(interrupt, until);
    REQUIRE(piece);
    CHECK(piece->event == Exchange::PieceEvent::late);
    CHECK(Exchange::Clock::now() >= until);
}

TEST_CASE("client: a pipe that loses its reader ends the wait", "[unit]") {
    FakeDaemon daemon({capture_head, "hold"});
    const Interrupt interrupt;
    auto exchange = Exchange::start(daemon.options(), {"POST", "/v1/capture", "{}"});
    REQUIRE(exchange);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    exchange->watch(writer.get());
    const auto soon = Exchange::Clock::now() + std::chrono::milliseconds(20);
    CHECK(exchange->next_piece(interrupt, soon)->event == Exchange::PieceEvent::late);
    reader.reset();
    CHECK(exchange->next_piece(interrupt)->event == Exchange::PieceEvent::unwanted);
    CHECK(exchange->next(interrupt)->event == Exchange::Event::unwanted);
}
