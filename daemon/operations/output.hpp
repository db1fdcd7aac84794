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

    /// Sends a piece of the body without waiting. What the stream does not take at once is owed: `bytes`,
    /// frame::largest of them at most, must stay as they are until owes() is false, and nothing else may be
    /// sent before.
    void offer(std::span<const std::byte> bytes);
    /// Sends more of what is owed, without waiting.
    void push();
    [[nodiscard]] bool owes() const { return owed_header_.size() + owed_.size() > 0; }

    /// For the audit.
    void counts(const frame::Counts& counts);

    /// From now on a client that wants no more does not end the process: wants_no_more() says so
    /// (Row::that_finishes).
    void finish_on_hangup() { finishing_ = true; }
    [[nodiscard]] bool wants_no_more() const { return wants_no_more_; }
    void error(const Error& error);
    void end();

    /// poll(2) that also watches the listener: returns how many of `descriptors` are ready, 0 at `until`;
    /// without `until` it waits for ever. Signals do not end it. Every wait of a worker goes through here.
    /// It also ends when the stream takes more of what is owed, which then has been sent, and when the client
    /// begins to want no more.
    int wait(std::span<pollfd> descriptors, std::optional<Clock::time_point> until);

  private:
    static constexpr std::size_t enough = 48 * 1024;

    void frame(frame::Kind kind, std::span<const std::byte> payload);

    [[noreturn]] static void nobody_listens();

    int stream_;
    bool finishing_ = false;
    bool wants_no_more_ = false;
    frame::Header offered_;                          ///< of the piece that is owed
    std::span<const std::byte> owed_header_, owed_;  ///< what of `offered_` and of the piece is left to send
    std::string waiting_;                            ///< whole lines
};

}  // namespace netlab::operations
