#pragma once

#include "common/binary.hpp"
#include "common/frame.hpp"
#include "common/json.hpp"

#include <chrono>
#include <optional>
#include <span>

#include <poll.h>

namespace netlab::operations {

/// A worker's way to whoever asked: events, records and at last an error or the end, each a frame on one
/// stream socket. Writing blocks while the client is slow. Where nobody listens any more the process ends:
/// nothing else could come of it.
class Output {
  public:
    using Clock = std::chrono::steady_clock;

    /// `stream` is borrowed: a blocking stream socket.
    explicit Output(int stream) : stream_(stream) {}

    /// One line of NDJSON, sent at once, after the rows that wait.
    template <class T>
    void event(const T& value) {
        json::append(waiting_, value);
        waiting_ += '\n';
        flush();
    }

    /// One line of NDJSON out of many: it is sent together with others, at the latest by the next event,
    /// error or end.
    template <class T>
    void row(const T& value) {
        json::append(waiting_, value);
        waiting_ += '\n';
        if (waiting_.size() >= enough) flush();
    }
    void flush();

    /// For the front itself (watchers).
    template <class T>
    void record(const T& value) {
        const auto bytes = binary::encode(value);
        frame(frame::Kind::record, bytes);
    }

    void data(std::span<const std::byte> bytes);
    void error(const Error& error);
    void end();

    /// poll(2) that also watches the listener: returns how many of `descriptors` are ready, 0 at `until`;
    /// without `until` it waits for ever. Signals do not end it. Every wait of a worker goes through here.
    int wait(std::span<pollfd> descriptors, std::optional<Clock::time_point> until);

  private:
    static constexpr std::size_t enough = 48 * 1024;

    void frame(frame::Kind kind, std::span<const std::byte> payload);

    int stream_;
    std::string waiting_;  ///< whole lines
};

}  // namespace netlab::operations
