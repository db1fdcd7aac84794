#include "daemon/operations/capture_loop.hpp"

#include "daemon/operations/clock.hpp"

#include <algorithm>
#include <limits>
#include <queue>

namespace netlab::operations {

namespace {

using std::chrono::nanoseconds;
using Clock = Output::Clock;

/// Between a packet's time stamp and its place in the ring: an interrupt may be in between.
constexpr std::chrono::milliseconds stamping{1};
/// Where nobody looks on: the processor may be slow to come to it.
constexpr std::chrono::milliseconds patient_stamping{10};
/// Timers of the kernel are as coarse as its ticks, 10 ms at the most; one to start and one to end.
constexpr std::chrono::milliseconds ticks{20};

/// Packets may come faster than they can be told; the client's wish and the time must be seen all the same.
constexpr std::chrono::milliseconds longest_pass{20};
constexpr std::uint64_t look_around = 128;  ///< packets between two looks at the clock

/// How often an interface that is down is asked for.
constexpr std::chrono::milliseconds look_at_down{100};

/// For a stopped ring's last block, should the kernel be late with it.
constexpr std::chrono::milliseconds late{500};

class CaptureLoop {
  public:
    CaptureLoop(CaptureHandles& handles, const api::CaptureRequest& request, CaptureSink& sink,
                Output& output)
        : sources_(handles.sources),
          watches_(handles.watches),
          request_(request),
          sink_(sink),
          output_(output),
          homes_(handles.homes),
          stamping_(handles.batch > stamping ? patient_stamping : stamping),
          hold_(handles.batch + ticks),
          watched_(handles.watches.size(), true),
          exhausted_(handles.sources.size(), false) {}

    api::CaptureEnd run() {
        std::optional<Clock::time_point> until;
        if (request_.duration_ms > 0) {
            until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double, std::milli>(request_.duration_ms));
        }
        for (;;) {
            pass();
            sink_.flush();
            if (counted_out()) return finish(api::CaptureEnd::count);
            look_at_those_down();
            close_ended();
            if (std::ranges::none_of(sources_, [](const auto& source) { return source.ring.has_value(); }))
                return finish(api::CaptureEnd::ended);
            if (!end_ && output_.wants_no_more()) stop_all(api::CaptureEnd::finished);
            if (!end_ && until && Clock::now() >= *until) stop_all(api::CaptureEnd::duration);
            tell_counts();
            wait(until);
        }
    }

  private:
    [[nodiscard]] bool counted_out() const { return request_.count > 0 && taken_ >= request_.count; }

    /// The last packets of a stopped source are there when its block has been closed: it is to be read until
    /// then.
    void stop(CaptureSource& source, std::string why) {
        if (!source.ring) return;
        if (source.closes) {
            if (source.ended.empty()) source.ended = std::move(why);
            return;
        }
        source.ring->stop();
        source.ended = std::move(why);
        source.closes = Clock::now() + hold_ + late;
    }

    void stop_all(api::CaptureEnd end) {
        end_ = end;
        for (auto& source : sources_) {
            if (source.ring && !source.closes) look_at(source);
            stop(source, {});
        }
    }

    void close_ended() {
        for (auto& source : sources_) {
            if (!source.closes || !source.ring || source.ring->front() != nullptr) continue;
            if (source.ring->empty_now() || Clock::now() >= *source.closes) close(source);
        }
    }

    /// What the kernel has counted and nobody has seen is dropped, wherever it is left.
    void close(CaptureSource& source) const {
        const auto counts = source.ring->counts();
        source.dropped = counts.dropped;
        if (!counted_out() && counts.received > source.delivered)
            source.dropped = std::max(source.dropped, counts.received - source.delivered);
        source.ended_ns = static_cast<std::uint64_t>(now_on(CLOCK_REALTIME).count());
        source.ring.reset();
    }

    api::CaptureEnd finish(api::CaptureEnd end) {
        for (auto& source : sources_) {
            if (source.ring) close(source);
        }
        for (sink_.flush(); !sink_.idle(); sink_.flush())
            output_.wait({}, std::nullopt);
        send_counts();
        return end_.value_or(end);
    }

    /// Until when all packets of a source that has none to show have been shown, at `now`.
    [[nodiscard]] nanoseconds horizon_of(const CaptureSource& source, nanoseconds now) const {
        return now - (source.ring->empty_now() ? nanoseconds(stamping_) : nanoseconds(hold_));
    }

    /// A source with a packet to show, and its time.
    using Head = std::pair<std::uint64_t, std::size_t>;

    /// Hands on what is there, in the order of time, as far as nothing older can come any more.
    void pass() {
        unfinished_ = !sink_.idle();
        if (unfinished_) return;
        leave_ = Clock::now() + longest_pass;
        const auto now = now_on(CLOCK_REALTIME);
        auto horizon = nanoseconds::max();
        std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            if (!sources_[i].ring) continue;
            const auto* packet = sources_[i].ring->front();
            exhausted_[i] = packet == nullptr;
            if (packet != nullptr) {
                heads.emplace(packet->time_ns, i);
            } else {
                horizon = std::min(horizon, horizon_of(sources_[i], now));
            }
        }
        const bool merging = sources_.size() > 1;
        while (!heads.empty()) {
            const auto [time, index] = heads.top();
            heads.pop();
            auto limit = heads.empty() ? std::numeric_limits<std::uint64_t>::max() : heads.top().first;
            unordered_ = unordered_ || stale();
            if (merging && !unordered_) {
                const auto shown = static_cast<std::uint64_t>(std::max(horizon, nanoseconds{}).count());
                if (time > shown) return hold();
                limit = std::min(limit, shown);
            }
            held_since_.reset();
            const auto taken = take_until(sources_[index], index, limit);
            if (taken == Taken::no_more) return;
            exhausted_[index] = taken == Taken::all_there;
            if (exhausted_[index]) {
                horizon = std::min(horizon, horizon_of(sources_[index], now));
            } else {
                heads.emplace(sources_[index].ring->front()->time_ns, index);
            }
        }
        unordered_ = false;
    }

    void hold() {
        if (!held_since_) held_since_ = Clock::now();
    }

    /// What was stamped before the clock was set back would wait until that time comes again.
    [[nodiscard]] bool stale() const { return held_since_ && Clock::now() - *held_since_ > 2 * hold_; }

    enum class Taken { all_there, until_limit, no_more };

    Taken take_until(CaptureSource& source, std::size_t index, std::uint64_t limit) {
        while (const auto* packet = source.ring->front()) {
            if (packet->time_ns > limit) return Taken::until_limit;
            if (taken_ % look_around == 0 && Clock::now() > leave_) {
                unfinished_ = true;
                return Taken::no_more;
            }
            if (!sink_.take(index, *packet)) {
                sink_.flush();
                unfinished_ = !sink_.idle() || !sink_.take(index, *packet);
                if (unfinished_) return Taken::no_more;
            }
            ++source.delivered;
            if (source.down_ns && packet->time_ns > *source.down_ns) source.down_ns.reset();
            source.bytes += packet->length;
            source.ring->pop();
            ++taken_;
            if (counted_out()) return Taken::no_more;
        }
        return Taken::all_there;
    }

    /// What wait() looks at: the rings that have shown all, and the targets.
    void wait(std::optional<Clock::time_point> until) {
        descriptors_.clear();
        polled_.clear();
        const bool sending = !sink_.idle();
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            auto& source = sources_[i];
            // A block that is being read would be ready again and again. Whether there is one is what pass()
            // has seen: of one that has come since, poll(2) tells.
            if (!source.ring || sending || !exhausted_[i]) continue;
            descriptors_.push_back({source.ring->descriptor(), POLLIN, 0});
            polled_.push_back(&source);
        }
        const auto rings = descriptors_.size();
        for (std::size_t i = 0; i < watches_.size(); ++i)
            descriptors_.push_back({watched_[i] ? watches_[i].descriptor() : -1, POLLIN, 0});
        output_.wait(descriptors_, wake_up(until));
        for (std::size_t i = 0; i < rings; ++i) {
            if ((descriptors_[i].revents & POLLERR) != 0) look_at(*polled_[i]);
        }
        for (std::size_t i = 0; i < watches_.size(); ++i) {
            if (descriptors_[rings + i].revents != 0) target_ended(i);
        }
    }

    [[nodiscard]] std::optional<Clock::time_point> wake_up(std::optional<Clock::time_point> until) const {
        const auto now = Clock::now();
        // What there was no room or no time for has some now: only a look at who listens, and who has ended.
        if (unfinished_ && sink_.idle()) return now;
        std::optional<Clock::time_point> earliest;
        const auto at = [&](Clock::time_point time) {
            if (!earliest || time < *earliest) earliest = time;
        };
        if (until && !end_) at(*until);
        if (!sink_.idle()) return earliest;
        if (held_since_) at(now + 2 * stamping);
        for (const auto& source : sources_) {
            if (source.down_ns && source.ring && !source.closes) at(now + look_at_down);
            if (source.ring && source.closes) at(now + 2 * stamping);
        }
        if (taken_ != told_) at(now + std::chrono::seconds(1));
        return earliest;
    }

    void look_at(CaptureSource& source) {
        const auto condition = source.ring->condition();
        if (condition == CaptureRing::Condition::down)
            source.down_ns = static_cast<std::uint64_t>(now_on(CLOCK_REALTIME).count());
        if (condition == CaptureRing::Condition::removed)
            stop(source, source.place.interface + " has been removed");
    }

    /// Those that are down have said so, and will not say what becomes of them.
    void look_at_those_down() {
        const auto now = Clock::now();
        if (now < next_look_) return;
        next_look_ = now + look_at_down;
        for (auto& source : sources_) {
            if (source.down_ns && source.ring && !source.closes) look_at(source);
        }
    }

    void target_ended(std::size_t place) {
        watched_[place] = false;
        const auto home = homes_[place];
        for (std::size_t i = 0; i < watches_.size(); ++i) {
            // Somebody else lives there still.
            if (homes_[i] == home && watched_[i] && watches_[i].descriptor() >= 0) return;
        }
        const auto error = watches_[place].check();
        for (auto& source : sources_) {
            if (source.place.place == home)
                stop(source, error ? "the target has ended" : error.error().message);
        }
    }

    /// What the audit has, should the worker be killed: once a second.
    void tell_counts() {
        const auto now = Clock::now();
        if (taken_ == told_ || now < next_counts_ || !sink_.idle()) return;
        next_counts_ = now + std::chrono::seconds(1);
        send_counts();
    }

    void send_counts() {
        frame::Counts counts;
        for (auto& source : sources_) {
            if (source.ring) source.dropped = source.ring->counts().dropped;
            counts.packets += source.delivered;
            counts.dropped += source.dropped;
        }
        told_ = taken_;
        output_.counts(counts);
    }

    std::vector<CaptureSource>& sources_;
    std::vector<TargetWatch>& watches_;
    const api::CaptureRequest& request_;
    CaptureSink& sink_;
    Output& output_;
    const std::vector<std::size_t>& homes_;
    std::chrono::milliseconds stamping_;
    nanoseconds hold_;
    std::vector<bool> watched_;    ///< whose end has not been seen yet
    std::vector<bool> exhausted_;  ///< the source's ring has shown all that it had
    bool unfinished_ = false;      ///< packets are there that the sink had no room for, or pass() no time
    Clock::time_point leave_;      ///< when pass() has been at it for long enough
    std::optional<api::CaptureEnd> end_;
    std::uint64_t taken_ = 0;
    std::uint64_t told_ = 0;  ///< of these, in the last counts
    Clock::time_point next_counts_ = Clock::now() + std::chrono::seconds(1);
    Clock::time_point next_look_;
    bool unordered_ = false;  ///< until the rings are empty: the clock was set back
    /// Since when a packet waits for older ones that may come.
    std::optional<Clock::time_point> held_since_;
    std::vector<pollfd> descriptors_;
    std::vector<CaptureSource*> polled_;
};

}  // namespace

api::CaptureEnd run_capture(CaptureHandles& handles, const api::CaptureRequest& request, CaptureSink& sink,
                            Output& output) {
    return CaptureLoop(handles, request, sink, output).run();
}

}  // namespace netlab::operations
