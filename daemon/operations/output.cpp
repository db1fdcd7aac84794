#include "daemon/operations/output.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <sys/socket.h>
#include <sys/uio.h>

namespace netlab::operations {

void Output::nobody_listens() {
    std::_Exit(0);
}

void Output::flush() {
    data(std::as_bytes(std::span(waiting_)));
    waiting_.clear();
}

void Output::data(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto piece = bytes.first(std::min(bytes.size(), frame::largest));
        frame(frame::Kind::data, piece);
        bytes = bytes.subspan(piece.size());
    }
}

void Output::offer(std::span<const std::byte> bytes) {
    offered_ = {frame::Kind::data, static_cast<std::uint32_t>(bytes.size())};
    owed_header_ = std::as_bytes(std::span(&offered_, 1));
    owed_ = bytes;
    push();
}

void Output::push() {
    while (owes()) {
        iovec parts[2] = {{const_cast<std::byte*>(owed_header_.data()), owed_header_.size()},
                          {const_cast<std::byte*>(owed_.data()), owed_.size()}};
        msghdr message{};
        message.msg_iov = parts;
        message.msg_iovlen = 2;
        const auto sent = ::sendmsg(stream_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (sent < 0) nobody_listens();
        const auto of_header = std::min(owed_header_.size(), static_cast<std::size_t>(sent));
        owed_header_ = owed_header_.subspan(of_header);
        owed_ = owed_.subspan(static_cast<std::size_t>(sent) - of_header);
    }
}

void Output::counts(const frame::Counts& counts) {
    frame(frame::Kind::counts, std::as_bytes(std::span(&counts, 1)));
}

void Output::error(const Error& error) {
    flush();
    const auto code = static_cast<std::uint16_t>(error.code);
    auto text = json::write_error(error);
    // Names of thousands of interfaces: what happened matters more.
    if (text.size() + sizeof code > frame::largest) {
        constexpr std::size_t longest = 4096;
        text = json::write_error({error.code, valid_utf8(error.message.substr(0, longest)), {}, {}});
    }
    binary::Bytes payload(sizeof code + text.size());
    std::memcpy(payload.data(), &code, sizeof code);
    std::memcpy(payload.data() + sizeof code, text.data(), text.size());
    frame(frame::Kind::error, payload);
}

void Output::end() {
    flush();
    frame(frame::Kind::end, {});
}

void Output::frame(frame::Kind kind, std::span<const std::byte> payload) {
    frame::Header header{kind, static_cast<std::uint32_t>(payload.size())};
    // One sendmsg for header and payload: the front then reads a whole event at once.
    iovec parts[2] = {{&header, sizeof header}, {const_cast<std::byte*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    while (message.msg_iovlen > 0) {
        auto sent = ::sendmsg(stream_, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            nobody_listens();
        }
        while (message.msg_iovlen > 0 && static_cast<std::size_t>(sent) >= message.msg_iov->iov_len) {
            sent -= static_cast<ssize_t>(message.msg_iov->iov_len);
            ++message.msg_iov;
            --message.msg_iovlen;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + sent;
            message.msg_iov->iov_len -= static_cast<std::size_t>(sent);
        }
    }
}

int Output::wait(std::span<pollfd> descriptors, std::optional<Clock::time_point> until) {
    std::vector<pollfd> all(descriptors.begin(), descriptors.end());
    // What has been said once would be said again and again.
    const auto hangup = static_cast<short>(wants_no_more_ ? 0 : POLLRDHUP);
    all.push_back({stream_, static_cast<short>(hangup | (owes() ? POLLOUT : 0)), 0});
    for (;;) {
        timespec left{};
        if (until) {
            const auto ns =
                std::max<std::int64_t>(0, std::chrono::nanoseconds(*until - Clock::now()).count());
            left = {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
        }
        const int ready = ::ppoll(all.data(), all.size(), until ? &left : nullptr, nullptr);
        if (ready < 0 && errno == EINTR) continue;
        const auto stream = all.back().revents;
        if ((stream & (POLLERR | POLLHUP | POLLNVAL)) != 0) nobody_listens();
        if ((stream & POLLRDHUP) != 0) {
            if (!finishing_) nobody_listens();
            wants_no_more_ = true;
        }
        if ((stream & POLLOUT) != 0) push();
        for (std::size_t i = 0; i < descriptors.size(); ++i)
            descriptors[i].revents = all[i].revents;
        return std::max(ready, 0);
    }
}

}  // namespace netlab::operations
