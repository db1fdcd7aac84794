#include "cli/client.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include <sys/socket.h>
#include <sys/un.h>

using namespace netlab;
using namespace netlab::cli;
using namespace std::chrono_literals;

namespace {

/// Speaks to one client: reads its request, writes the pieces one by one, closes.
class FakeDaemon {
  public:
    explicit FakeDaemon(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {
        std::strcpy(directory_, "/tmp/netlab-cli-XXXXXX");
        REQUIRE(::mkdtemp(directory_));
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path().c_str());
        REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_.get(), 1) == 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeDaemon() {
        stop();
        std::filesystem::remove_all(directory_);
    }

    [[nodiscard]] Options options() const { return {"unix://" + path(), "-H", {}, {}}; }
    [[nodiscard]] std::string path() const { return std::string(directory_) + "/s"; }
    /// The request as it came. Ends the daemon.
    [[nodiscard]] std::string request() {
        stop();
        return request_;
    }

  private:
    void stop() {
        ::shutdown(listener_.get(), SHUT_RDWR);  // wakes an accept that nobody came to
        if (thread_.joinable()) thread_.join();
    }

    void serve() {
        const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        std::array<char, 4096> buffer;
        while (request_.find("\r\n\r\n") == std::string::npos) {
            const auto size = ::recv(client.get(), buffer.data(), buffer.size(), 0);
            if (size <= 0) return;
            request_.append(buffer.data(), static_cast<std::size_t>(size));
        }
        for (const auto& piece : pieces_) {
            if (piece == "wait") {
                std::this_thread::sleep_for(30ms);
            } else if (piece == "hold") {
                while (::recv(client.get(), buffer.data(), buffer.size(), 0) > 0) {
                }
            } else if (::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) {
                return;
            }
        }
    }

    char directory_[32];
    std::vector<std::string> pieces_;
    UniqueFd listener_;
    std::string request_;
    std::thread thread_;
};

std::string head(int status, const std::string& more) {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + more + "\r\n\r\n";
}

std::string whole(int status, const std::string& type, const std::string& body) {
    return head(status, "Content-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size())) +
           body;
}

const std::string stream_head = head(200, "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked");

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
