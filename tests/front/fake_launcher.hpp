#pragma once

#include "common/unique_fd.hpp"

#include <atomic>
#include <cstdint>

/// A launcher that speaks the protocol and forks workers which do what the request's words say, in no
/// namespace at all.
namespace netlab::front_test {

/// What the test, the fake launcher and its workers share: anonymous memory, mapped before the forks.
struct Stage {
    std::atomic<int> started{0};              ///< workers of requests (not the daemon's own)
    std::atomic<pid_t> worker{0};             ///< the last of them
    std::atomic<std::uint64_t> written{0};    ///< bytes that it has got rid of
    std::atomic<int> inspections{0};          ///< InspectEngine workers started
    std::atomic<bool> engine_hangs{false};    ///< InspectEngine workers say nothing
    std::atomic<bool> engine_holds{false};    ///< they know what they will say, and wait with it
    std::atomic<bool> silent_watcher{false};  ///< WatchEngine says nothing, not even `up`
    std::atomic<int> watchers{0};             ///< WatchEngine workers started
    std::atomic<bool> foreign_peers{false};   ///< every client lives in other namespaces
    std::atomic<bool> busy{false};   ///< the launcher has others to answer before a client's question
    std::atomic<bool> hangs{false};  ///< it answers nobody
    char containers[4096] =
        {};  ///< what the engine has: lines of "NAME X PID", X the digit that its ID is made of
};

/// Serves until the channel ends. `events`: each packet is an api::EngineRecord that the engine's watcher
/// passes on. A ping's `to` is the script: answers, refuses, fails, dies, halves, garbles, endless, floods,
/// stubborn, late (stubborn, and its `started` comes late), refused (by the launcher), silent.
[[noreturn]] void play_launcher(UniqueFd channel, int events, Stage& stage);

}  // namespace netlab::front_test
