#include "daemon/operations/echo_loop.hpp"

#include "daemon/operations/clock.hpp"
#include "daemon/operations/transmit_keys.hpp"

#include <cctype>
#include <cerrno>
#include <system_error>

namespace netlab::operations {

namespace {

using std::chrono::nanoseconds;

Moment now() {
    return {now_on(CLOCK_MONOTONIC), now_on(CLOCK_REALTIME)};
}

/// Output's clock is CLOCK_MONOTONIC too.
Output::Clock::time_point time_point(nanoseconds monotonic) {
    return Output::Clock::time_point(std::chrono::duration_cast<Output::Clock::duration>(monotonic));
}

double microseconds(nanoseconds span) {
    return static_cast<double>(span.count()) / 1000;
}

std::optional<bool> flag(bool set) {
    return set ? std::optional(true) : std::nullopt;
}

std::string cannot_send(const SendFailure& failure) {
    if (failure.error_number == EMSGSIZE) {
        return failure.mtu == 0 ? "message too long" : "message too long, mtu " + std::to_string(failure.mtu);
    }
    // Broadcast addresses have been refused before the first echo.
    if (failure.error_number == EACCES) return "cannot send: a route or rule prohibits it";
    auto reason = std::generic_category().message(failure.error_number);
    if (!reason.empty()) reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
    return "cannot send: " + reason;
}

class EchoLoop {
  public:
    EchoLoop(EchoSocket& socket, const EchoPlan& plan, const TargetWatch& watch, Output& output)
        : socket_(socket), plan_(plan), watch_(watch), output_(output), tracker_(plan.wait) {}

    Result<EchoResult> run() {
        const auto start = now_on(CLOCK_MONOTONIC);
        next_send_ = start;
        for (;;) {
            if (may_send(now_on(CLOCK_MONOTONIC))) send();
            // Taken before the queues are emptied: what is in them by now is not lost.
            const auto before = now_on(CLOCK_MONOTONIC);
            if (auto received = receive(); !received) return received.error();
            for (const auto seq : tracker_.tick(before))
                output_.event(api::PingLost{seq});
            if (plan_.flood) tell_progress(before, start);
            if (all_sent() && tracker_.settled()) break;
            if (auto waited = wait(); !waited) return waited.error();
        }
        return EchoResult{tracker_.counts(), tracker_.rtt(), last_error_,
                          no_route_,         prohibited_,    now_on(CLOCK_MONOTONIC) - start};
    }

  private:
    [[nodiscard]] bool all_sent() const {
        return plan_.count != 0 && tracker_.counts().transmitted >= plan_.count;
    }

    [[nodiscard]] bool may_send(nanoseconds time) const {
        return !all_sent() && (time >= next_send_ || (plan_.flood && replied_));
    }

    void schedule(nanoseconds sent) {
        constexpr nanoseconds flood_gap = std::chrono::milliseconds(10);
        if (plan_.flood) {
            next_send_ = sent + flood_gap;
            return;
        }
        next_send_ += plan_.interval;
        // Held up for longer than an interval (a slow reader, a stopped process): no burst to make up for it.
        if (next_send_ < sent) next_send_ = sent;
    }

    void send() {
        replied_ = false;
        const auto at = now();
        const auto seq = tracker_.sent(at);
        const auto payload = make_echo_payload(plan_.payload, seq, plan_.cookie);
        const auto failure = socket_.send(plan_.to, static_cast<std::uint16_t>(seq), payload);
        if (failure) {
            keys_.failed();
            tell_failure(seq, *failure);
        } else {
            keys_.sent(seq, at.realtime, now_on(CLOCK_REALTIME));
        }
        schedule(at.monotonic);
    }

    /// A flood's replies are not told one by one: whoever interrupts it still gets his figures.
    void tell_progress(nanoseconds time, nanoseconds start) {
        constexpr nanoseconds gap = std::chrono::milliseconds(200);
        if (time < next_progress_) return;
        next_progress_ = time + gap;
        const auto& counts = tracker_.counts();
        api::PingProgress event{
            counts.transmitted, counts.received,  counts.duplicates,
            counts.late,        counts.reordered, counts.corrupt,
            counts.errors,      tracker_.rtt(),   static_cast<double>((time - start).count()) / 1e6};
        output_.event(event);
    }

    void tell_failure(std::uint64_t seq, const SendFailure& failure) {
        no_route_ = failure.error_number == ENETUNREACH || failure.error_number == EHOSTUNREACH;
        prohibited_ = failure.error_number == EACCES;
        if (!tracker_.error(seq)) return;
        api::PingError event;
        event.seq = seq;
        event.from = plan_.source;
        if (failure.mtu != 0) event.mtu = failure.mtu;
        event.message = cannot_send(failure);
        last_error_ = event;
        output_.event(event);
    }

    Result<void> receive() {
        read_notices();
        constexpr int most_at_once = 256;
        for (int i = 0; i < most_at_once; ++i) {
            const auto received = socket_.receive();
            if (!received) return received.error();
            if (!*received) return {};
            // A transmit timestamp is queued before its reply can be, so it is there now.
            read_notices();
            take(**received);
        }
        return {};
    }

    void read_notices() {
        // Bounded: errors of other echoes of the namespace come here as well, and may come faster than they
        // are read.
        constexpr int at_once = 1024;
        for (int i = 0; i < at_once; ++i) {
            const auto notice = socket_.notice();
            if (!notice) return;
            if (const auto* transmit = std::get_if<TransmitNotice>(&*notice)) {
                if (const auto seq = keys_.find(transmit->key, transmit->kernel_time)) {
                    tracker_.transmitted(*seq, transmit->kernel_time);
                }
            } else {
                take(std::get<IcmpErrorNotice>(*notice));
            }
        }
    }

    void take(const IcmpErrorNotice& notice) {
        // The kernel shows every raw socket the errors of all echoes from this namespace.
        if (notice.echo.id != plan_.id || notice.destination != plan_.to.address) return;
        const auto seq = unwrap_sequence(notice.echo.sequence, tracker_.counts().transmitted);
        if (!seq || !tracker_.error(*seq)) return;
        no_route_ = prohibited_ = false;
        api::PingError event;
        event.seq = *seq;
        event.from = notice.from;
        event.icmp_type = notice.type;
        event.icmp_code = notice.code;
        if (notice.mtu != 0) event.mtu = notice.mtu;
        event.message = icmp::error_text(socket_.family(), notice.type, notice.code, notice.mtu);
        last_error_ = event;
        output_.event(event);
    }

    void take(const ReceivedEcho& received) {
        const auto& reply = received.reply;
        const auto verdict = judge_echo_payload(reply.payload, plan_.payload, reply.sequence,
                                                tracker_.counts().transmitted, plan_.cookie);
        if (!verdict || verdict->state == PayloadState::foreign) return;
        EchoTracker::Arrival arrival;
        arrival.seq = verdict->seq;
        arrival.intact = verdict->state == PayloadState::intact && reply.checksum_right;
        arrival.at = now();
        arrival.kernel = received.kernel_time;
        const auto tracked = tracker_.reply(arrival);
        if (!tracked) return;
        replied_ = replied_ || tracked->counted;
        if (tracked->lost_now) output_.event(api::PingLost{verdict->seq});
        if (plan_.flood) return;
        api::PingReply event;
        event.seq = verdict->seq;
        event.from = received.from;
        event.bytes = reply.size;
        if (reply.ttl) event.ttl = *reply.ttl;
        event.rtt_us = microseconds(tracked->rtt);
        event.duplicate = flag(tracked->duplicate);
        event.late = flag(tracked->late);
        event.reordered = flag(tracked->reordered);
        event.corrupt = flag(tracked->corrupt);
        output_.event(event);
    }

    Result<void> wait() {
        auto until = tracker_.next_deadline();
        if (!all_sent()) until = std::min(until.value_or(next_send_), next_send_);
        if (plan_.flood && replied_ && !all_sent()) until = nanoseconds(0);
        pollfd descriptor{socket_.descriptor(), POLLIN, 0};
        auto ready =
            watch_.wait(output_, {&descriptor, 1}, until ? std::optional(time_point(*until)) : std::nullopt);
        if (!ready) return ready.error();
        return {};
    }

    EchoSocket& socket_;
    const EchoPlan& plan_;
    const TargetWatch& watch_;
    Output& output_;
    EchoTracker tracker_;
    TransmitKeys keys_;
    nanoseconds next_send_{};
    bool replied_ = false;  // since the last echo was sent
    bool no_route_ = false;
    bool prohibited_ = false;
    nanoseconds next_progress_{};
    std::optional<api::PingError> last_error_;
};

}  // namespace

Result<EchoResult> send_echoes(EchoSocket& socket, const EchoPlan& plan, const TargetWatch& watch,
                               Output& output) {
    return EchoLoop(socket, plan, watch, output).run();
}

}  // namespace netlab::operations
