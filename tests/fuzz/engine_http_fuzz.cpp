#include "daemon/operations/engine_http.hpp"
#include "daemon/operations/engine_json.hpp"
#include "daemon/operations/engine_networks.hpp"
#include "daemon/operations/engine_relay.hpp"
#include "tests/fuzz/check.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/// Whoever listens at the socket of an engine, with an answer for each question of a connection: it is
/// written before it is asked for. The first byte says what is asked.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

/// A socket in the file system that a worker connects to as to an engine's.
class Engine {
  public:
    Engine()
        : directory_(std::filesystem::temp_directory_path() / ("netlab-fuzz-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(directory_);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        ::unlink(address.sun_path);
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto* any = reinterpret_cast<const sockaddr*>(&address);
        check(::bind(listener_.get(), any, sizeof address) == 0 && ::listen(listener_.get(), 1) == 0);
    }
    ~Engine() { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::string path() const { return directory_ / "engine.sock"; }

    /// To the connection that waits: all it will ever hear.
    [[nodiscard]] UniqueFd say(std::string_view text) const {
        UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        check(static_cast<bool>(peer));
        while (!text.empty()) {
            const auto sent = ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
            check(sent > 0);
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        ::shutdown(peer.get(), SHUT_WR);
        return peer;
    }

  private:
    std::filesystem::path directory_;
    UniqueFd listener_;
};

/// The front, which listens for as long as the fuzzer runs: without it Output would end the process.
struct Front {
    Front() {
        int ends[2];
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        near.reset(ends[0]);
        far.reset(ends[1]);
    }
    UniqueFd near, far;
    Output output{near.get()};
};

void ask_networks(const Engine& engine, Front& front, std::string_view text, api::Runtime runtime) {
    api::Context context;
    context.engines.push_back({runtime, engine.path()});
    Namespaces none({});
    Engines engines(none, context);
    const auto peer = engine.say(text);
    check(engines.size() == 1 && !engines.absent(0) && engines.runtime(0) == runtime &&
          !engines.name(0).empty());
    (void)engines.networks(0, true, front.output);
    (void)engines.runs(0, "co1/..", front.output);
}

void follow(const Engine& engine, Front& front, std::string_view text) {
    const auto socket = connect_engine(engine.path());
    check(socket.has_value());
    const auto peer = engine.say(text);
    EngineConnection connection(socket->get(), front.output);
    const auto opened = connection.open_stream("/events");
    if (!opened || opened->status != 200) return;
    std::size_t read = 0;
    engine_json::ObjectStream objects;
    for (;;) {
        const auto bytes = connection.read_stream();
        if (!bytes || bytes->empty()) return;
        read += bytes->size();
        check(read <= text.size());
        if (!objects.feed(*bytes)) return;
    }
}

void ask_twice(const Engine& engine, Front& front, std::string_view text) {
    const auto socket = connect_engine(engine.path());
    check(socket.has_value());
    const auto peer = engine.say(text);
    EngineConnection connection(socket->get(), front.output);
    for (int i = 0; i < 2; ++i) {
        const auto response = connection.get("/containers/json?all=1");
        if (!response) return;
        check(response->body.size() <= text.size());
    }
}

/// Where there is no engine to be had.
void fail_to_connect(const Engine& engine) {
    check(!connect_engine(engine.path() + ".none") && !connect_engine(std::string(200, 'x')));
    Namespaces none({});
    api::Context context;
    context.engines.push_back({api::Runtime::docker, engine.path() + ".none"});
    check(!Engines(none, context).absent(0));
    context.engines.push_back({api::Runtime::docker, engine.path()});
    check(Engines(none, context).absent(0));
    // The connection that was just made is not to be the next one's.
    (void)engine.say({});
}

/// One that accepts, and says nothing more.
void wait_in_vain(Front& front) {
    int ends[2];
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    const UniqueFd near(ends[0]), far(ends[1]);
    EngineConnection connection(near.get(), front.output);
    connection.give_up_at(Output::Clock::now());
    const auto response = connection.get("/networks");
    check(!response && response.error().code == errc::timed_out);
}

/// What a worker that was taken over would have its relay pass on: one request, for one known path.
void ask_relay(std::string_view text) {
    if (is_engine_inspection(text)) {
        check(text.starts_with("GET /") && text.find("\r\n\r\n") == text.size() - 4);
        check(text.substr(0, text.find("\r\n")).find(" HTTP/1.1") == text.find("\r\n") - 9);
    }
    if (!is_engine_inspection(engine_request(text))) return;
    for (const char c : text)
        check(c > 0x20 && c < 0x7F);
    // What an engine's router would take for more than one segment, or for another.
    for (const auto* part : {"//", "/../", "/./", "%2F", "%5C", "%2E", "%25", "%00"})
        check(text.find(part) == text.npos || text.starts_with("/events?"));
    const bool slashes = std::ranges::count(text, '/') <= 3;
    check(slashes || text == "/v4.0.0/libpod/networks/json");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Engine engine;
    static Front front;
    if (size == 0) {
        fail_to_connect(engine);
        wait_in_vain(front);
        return 0;
    }
    const auto text = as_text({data + 1, size - 1});
    switch (data[0] % 5) {
        case 0:
            ask_networks(engine, front, text, api::Runtime::docker);
            break;
        case 1:
            ask_networks(engine, front, text, api::Runtime::podman);
            break;
        case 2:
            follow(engine, front, text);
            break;
        case 3:
            ask_twice(engine, front, text);
            break;
        default:
            ask_relay(text);
            break;
    }
    return 0;
}
