#include "daemon/operations/directory_watch.hpp"
#include "daemon/operations/engine_http.hpp"
#include "daemon/operations/engine_json.hpp"
#include "daemon/operations/operation.hpp"

#include <array>
#include <cstdio>

#include <sys/stat.h>

namespace netlab::operations::watch_engine {

namespace {

using std::chrono::milliseconds;
using Wall = std::chrono::system_clock;

/// Docker's names of events, and Podman's where they differ. Whatever is not named here does not wake this
/// process: executions and health checks above all.
constexpr std::string_view filters =
    R"({"type":["container","network"],)"
    R"("event":["create","start","die","died","destroy","remove","rename","pause","unpause","restart","connect","disconnect"]})";

/// A socket that was made this lately and refuses may not listen yet.
constexpr milliseconds youth{2000};
constexpr milliseconds look_again{100};
/// One that is stopped with a full backlog goes on without touching its socket.
constexpr milliseconds hanging{5000};

struct Handles {
    DirectoryWatch watch;
    UniqueFd socket;       ///< empty where nobody listens
    std::string why_down;  ///< then
    /// And then: after which it is tried again, although nothing has happened to its socket.
    std::optional<std::chrono::milliseconds> again;
};

bool is_young(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return false;
    const auto age = std::chrono::seconds(Wall::to_time_t(Wall::now()) - status.st_ctim.tv_sec);
    return age >= std::chrono::seconds(0) && age <= youth;
}

Result<Handles> prepare(Namespaces& namespaces, const api::WatchEngineRequest& request, const api::Context&) {
    auto watch = DirectoryWatch::open();
    if (!watch) return watch.error();
    Handles handles{std::move(*watch), {}, {}, {}};
    const auto slash = request.socket.rfind('/');
    if (slash == std::string::npos || slash + 1 == request.socket.size()) {
        return Error{errc::bad_request, "'" + request.socket + "' is no path of a socket", {}, {}};
    }
    // Watched first, then tried: a socket that appears in between is seen by one of the two.
    const auto directory = slash == 0 ? std::string("/") : request.socket.substr(0, slash);
    if (auto added = handles.watch.add(directory, request.socket.substr(slash + 1)); !added)
        return added.error();
    auto socket = connect_engine(namespaces, request.socket);
    // Not the engine's fault, and nothing would tell when it is over: the front asks again.
    if (!socket && socket.error().code == errc::operation_failed) return socket.error();
    if (socket) {
        handles.socket = std::move(*socket);
    } else {
        handles.why_down = socket.error().message;
        if (is_young(request.socket)) {
            handles.again = look_again;
        } else if (socket.error().code == errc::busy) {
            handles.again = hanging;
        }
    }
    return handles;
}

void say(Output& output, api::EngineRecordKind kind, std::string message = {}) {
    api::EngineRecord record;
    record.kind = kind;
    record.message = std::move(message);
    output.record(record);
}

void wait_for_socket(DirectoryWatch& watch, std::optional<milliseconds> again, Output& output) {
    const auto until = again ? std::optional(Output::Clock::now() + *again) : std::nullopt;
    for (;;) {
        pollfd changed{watch.descriptor(), POLLIN, 0};
        if (output.wait({&changed, 1}, until) == 0 || watch.changed()) return;
    }
}

/// Docker answers before it has subscribed: what happened in between comes because it happened after this
/// moment.
std::string since() {
    const auto now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Wall::now().time_since_epoch()).count();
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%lld.%09lld", static_cast<long long>(now / 1'000'000'000),
                  static_cast<long long>(now % 1'000'000'000));
    return text.data();
}

/// Until the engine ends the stream; why it did.
std::string follow(EngineConnection& engine, const api::WatchEngineRequest& request, Output& output) {
    const auto opened =
        engine.open_stream("/events?filters=" + percent_encode(filters) + "&since=" + since());
    if (!opened) return opened.error().message;
    if (opened->status != 200) {
        const auto words = engine_json::parse_message(opened->body);
        return "it refuses its events: " +
               (words.empty() ? "status " + std::to_string(opened->status) : words);
    }
    say(output, api::EngineRecordKind::up);
    engine_json::ObjectStream objects;
    for (;;) {
        const auto bytes = engine.read_stream();
        if (!bytes) return bytes.error().message;
        if (bytes->empty()) return "it closed its stream of events";
        const auto events = objects.feed(*bytes);
        if (!events) return events.error().message;
        for (const auto& event : *events) {
            if (const auto record = engine_json::parse_event(event, request.runtime)) output.record(*record);
        }
    }
}

Result<void> run(Handles& handles, const api::WatchEngineRequest& request, const api::Context&,
                 Output& output) {
    if (!handles.socket) {
        say(output, api::EngineRecordKind::down, handles.why_down);
        wait_for_socket(handles.watch, handles.again, output);
        return {};
    }
    EngineConnection engine(handles.socket.get(), output);
    say(output, api::EngineRecordKind::down, follow(engine, request, output));
    return {};
}

const Registration<api::WatchEngineRequest> registered{
    operation<prepare, run>({.engines = true, .cpu_seconds = 3600})};

}  // namespace

}  // namespace netlab::operations::watch_engine
