#include "daemon/operations/echo_tracker.hpp"

#include <algorithm>
#include <utility>

namespace netlab::operations {

namespace {

/// `span` where the two clocks agree that it is possible, `elapsed` where the wall clock was set in between.
std::chrono::nanoseconds plausible(std::chrono::nanoseconds span, std::chrono::nanoseconds elapsed) {
    return span.count() >= 0 && span <= elapsed ? span : elapsed;
}

}  // namespace

std::optional<double> EchoCounts::loss_percent() const {
    if (transmitted == 0) return std::nullopt;
    return 100.0 * static_cast<double>(transmitted - received) / static_cast<double>(transmitted);
}

std::uint64_t EchoTracker::sent(Moment at) {
    if (echoes_.size() == most_remembered) {
        if (echoes_.front().state == State::waiting) {
            settle(echoes_.front(), State::lost);
            forgotten_.push_back(first_);
        }
        echoes_.pop_front();
        ++first_;
    }
    echoes_.push_back({.sent = at, .kernel_sent = {}});
    ++waiting_;
    skip_settled();
    return ++counts_.transmitted;
}

void EchoTracker::transmitted(std::uint64_t seq, Nanoseconds kernel) {
    if (auto* echo = find(seq)) echo->kernel_sent = kernel;
}

std::optional<EchoTracker::Reply> EchoTracker::reply(const Arrival& arrival) {
    auto* echo = find(arrival.seq);
    if (echo == nullptr) return std::nullopt;
    const auto elapsed = arrival.at.monotonic - echo->sent.monotonic;
    const auto received = arrival.kernel.value_or(arrival.at.realtime);
    Reply reply;
    reply.rtt = plausible(received - echo->kernel_sent.value_or(echo->sent.realtime), elapsed);
    reply.corrupt = !arrival.intact;
    reply.duplicate = std::exchange(echo->answered, true) && (reply.corrupt || echo->state != State::corrupt);
    // What was in the kernel in time is in time, however long it lay there.
    reply.late = echo->state == State::lost || plausible(received - echo->sent.realtime, elapsed) > wait_;
    counts_.corrupt += reply.corrupt ? 1 : 0;
    if (reply.duplicate) {
        ++counts_.duplicates;
        return reply;
    }
    reply.reordered = !reply.late && arrival.seq < highest_replied_;
    highest_replied_ = std::max(highest_replied_, arrival.seq);
    counts_.late += reply.late ? 1 : 0;
    counts_.reordered += reply.reordered ? 1 : 0;
    if (reply.late) {
        reply.lost_now = echo->state == State::waiting;
        settle(*echo, State::lost);
    } else if (reply.corrupt) {
        settle(*echo, State::corrupt);
    } else {
        settle(*echo, State::received);
        reply.counted = true;
        ++counts_.received;
        rtt_.add(reply.rtt);
    }
    return reply;
}

bool EchoTracker::error(std::uint64_t seq) {
    auto* echo = find(seq);
    if (echo == nullptr || echo->answered || std::exchange(echo->error_told, true)) return false;
    ++counts_.errors;
    if (echo->state == State::waiting) settle(*echo, State::refused);
    return true;
}

std::vector<std::uint64_t> EchoTracker::tick(Nanoseconds now) {
    auto lost = std::exchange(forgotten_, {});
    while (const auto deadline = next_deadline()) {
        if (*deadline > now) break;
        lost.push_back(awaited_);
        settle(*find(awaited_), State::lost);
    }
    return lost;
}

std::optional<std::chrono::nanoseconds> EchoTracker::next_deadline() const {
    if (!forgotten_.empty()) return Nanoseconds(0);
    if (waiting_ == 0) return std::nullopt;
    return echoes_[awaited_ - first_].sent.monotonic + wait_;
}

EchoTracker::Echo* EchoTracker::find(std::uint64_t seq) {
    if (seq < first_ || seq - first_ >= echoes_.size()) return nullptr;
    return &echoes_[seq - first_];
}

void EchoTracker::settle(Echo& echo, State state) {
    if (echo.state == State::waiting) --waiting_;
    echo.state = state;
    skip_settled();
}

void EchoTracker::skip_settled() {
    awaited_ = std::max(awaited_, first_);
    while (awaited_ - first_ < echoes_.size() && echoes_[awaited_ - first_].state != State::waiting)
        ++awaited_;
}

}  // namespace netlab::operations
