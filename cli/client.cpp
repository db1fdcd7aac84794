#include "cli/client.hpp"

#include "cli/reachability.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace netlab::cli {

namespace {

/// What a Unix socket's sender may have under way is a little less, by default (net.core.wmem_default).
constexpr std::size_t receive_size = 256 * 1024;
constexpr std::string_view capture_type = "application/x-pcapng";

Error not_answering() {
    return {errc::daemon_unreachable, "netlabd does not answer", "see its log: journalctl -u netlabd", {}};
}

Result<UniqueFd> connect_to(const std::string& path) {
    UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!connection) return system_error(errc::operation_failed, "open a socket", errno);
    // Bounds connect() too, which waits while the daemon's backlog is full (net/unix/af_unix.c).
    const timeval limit{.tv_sec = Exchange::patience.count(), .tv_usec = 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    int outcome = 0;
    do {
        outcome = ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    } while (outcome != 0 && errno == EINTR);
    if (outcome == 0) return connection;
    const int error_number = errno;
    if (error_number == EAGAIN) return not_answering();
    return unreachable(path, error_number);
}

Error error_of_answer(unsigned status, const std::string& content_type, const std::string& body) {
    if (const auto value = json::parse(body)) {
        if (const auto error = error_of(*value)) return *error;
    }
    return {errc::protocol_error,
            "what answers is not netlabd: status " + std::to_string(status) + ", " +
                (content_type.empty() ? "no content type" : content_type),
            "see -H and NETLAB_HOST",
            {}};
}

}  // namespace

std::optional<Error> error_of(const boost::json::value& value) {
    const auto* object = value.if_object();
    const auto* inner = object ? object->if_contains("error") : nullptr;
    const auto* fields = inner ? inner->if_object() : nullptr;
    if (!fields) return std::nullopt;
    const auto text = [&](std::string_view name) {
        const auto* field = fields->if_contains(name);
        const auto* string = field ? field->if_string() : nullptr;
        return string ? std::string(*string) : std::string();
    };
    Error error{errc::operation_failed, text("message"), text("hint"), {}};
    boost::describe::enum_from_string(text("code").c_str(), error.code);
    if (error.message.empty()) error.message = "netlabd gave no reason";
    if (const auto* details = fields->if_contains("details"); details && details->is_array()) {
        for (const auto& detail : details->get_array()) {
            if (const auto* string = detail.if_string()) error.details.emplace_back(*string);
        }
    }
    return error;
}

Result<Exchange> Exchange::start(const Options& options, const Call& call) {
    const auto path = socket_path(options);
    if (!path) return path.error();
    auto connection = connect_to(*path);
    if (!connection) return connection.error();
    Exchange exchange(std::move(*connection));
    if (auto sent = exchange.send(call, *path); !sent) return sent.error();
    return exchange;
}

Result<void> Exchange::send(const Call& call, const std::string& path) {
    std::string text = call.verb + " " + call.path +
                       " HTTP/1.1\r\nHost: netlabd\r\nUser-Agent: netlab/" NETLAB_VERSION
                       "\r\nConnection: close\r\n";
    if (call.verb != "GET") {
        text +=
            "Content-Type: application/json\r\nContent-Length: " + std::to_string(call.body.size()) + "\r\n";
    }
    text += "\r\n" + call.body;
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto sent = ::send(connection_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return {};  // it does not want the rest: its answer says why
        } else if (errno == EAGAIN) {
            return not_answering();
        } else if (errno != EINTR) {
            return system_error(errc::protocol_error, "send the request to " + path, errno);
        }
    }
    return {};
}

Result<Exchange::Ready> Exchange::wait(int interrupt, std::optional<Clock::time_point> until) {
    // Of a pipe's writing end only its error is asked for, which is what poll(2) calls the want of a reader.
    std::array descriptors{pollfd{connection_.get(), POLLIN, 0},
                           pollfd{finishing_ ? -1 : interrupt, POLLIN, 0}, pollfd{watched_, 0, 0}};
    for (;;) {
        int milliseconds = -1;
        if (until) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
            if (left <= 0) return Ready::late;
            milliseconds = static_cast<int>(left);
        }
        const int ready = ::poll(descriptors.data(), descriptors.size(), milliseconds);
        if (ready < 0 && errno != EINTR)
            return system_error(errc::operation_failed, "wait for netlabd", errno);
        if (ready <= 0) continue;
        if (descriptors[2].revents != 0) return Ready::unwanted;
        return descriptors[1].revents != 0 ? Ready::interrupted : Ready::bytes;
    }
}

Result<void> Exchange::receive() {
    // Not filled with zeros: what a short answer does not need is never touched.
    if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(receive_size);
    ssize_t size = 0;
    do {
        size = ::recv(connection_.get(), buffer_.get(), receive_size, 0);
    } while (size < 0 && errno == EINTR);
    // A daemon that dies leaves a reset, one that ends an end: to the user they are the same.
    if (size <= 0) return response_.feed_end();
    return response_.feed({buffer_.get(), static_cast<std::size_t>(size)});
}

Result<void> Exchange::check_head() {
    if (head_checked_ || !response_.has_head()) return {};
    const auto type = response_.content_type();
    if (response_.status() >= 300) {
        if (!response_.done()) return {};  // the reason is in the body
        return error_of_answer(response_.status(), type, response_.take_body());
    }
    if (type != "application/json" && type != "application/x-ndjson" && type != capture_type) {
        return error_of_answer(response_.status(), type, {});
    }
    head_checked_ = true;
    return {};
}

Result<std::string> Exchange::body(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (!response_.done()) {
        const auto ready = wait(-1, until);
        if (!ready) return ready.error();
        if (*ready == Ready::late) return not_answering();
        if (auto received = receive(); !received) return received.error();
        if (auto checked = check_head(); !checked) return checked.error();
    }
    return response_.take_body();
}

Result<Exchange::Received> Exchange::next(const Interrupt& interrupt) {
    for (;;) {
        if (auto checked = check_head(); !checked) return checked.error();
        if (head_checked_) {
            if (auto line = response_.take_line()) return Received{Event::line, std::move(*line)};
            if (response_.done()) return Received{Event::end, {}};
        }
        const auto ready = wait(interrupt.descriptor(), std::nullopt);
        if (!ready) return ready.error();
        if (*ready == Ready::interrupted) return Received{Event::interrupted, {}};
        if (*ready == Ready::unwanted) return Received{Event::unwanted, {}};
        if (auto received = receive(); !received) {
            // What came whole before the connection broke is still told.
            if (head_checked_) {
                if (auto line = response_.take_line()) return Received{Event::line, std::move(*line)};
            }
            return received.error();
        }
    }
}

std::optional<std::string> Exchange::ready_line() {
    return head_checked_ ? response_.take_line() : std::nullopt;
}

Result<Exchange::Piece> Exchange::next_piece(const Interrupt& interrupt,
                                             std::optional<Clock::time_point> until) {
    const auto left = response_.body().size();
    for (;;) {
        if (auto checked = check_head(); !checked) return checked.error();
        // What is left from the last time has been told.
        if (head_checked_ && response_.body().size() > left)
            return Piece{PieceEvent::bytes, response_.body()};
        if (broken_) return *broken_;
        if (head_checked_ && response_.done()) return Piece{PieceEvent::end, response_.body()};
        const auto ready = wait(interrupt.descriptor(), until);
        if (!ready) return ready.error();
        if (*ready == Ready::interrupted) return Piece{PieceEvent::interrupted, {}};
        if (*ready == Ready::late) return Piece{PieceEvent::late, {}};
        if (*ready == Ready::unwanted) return Piece{PieceEvent::unwanted, {}};
        if (auto received = receive(); !received) broken_ = received.error();
    }
}

void Exchange::finish() {
    finishing_ = true;
    ::shutdown(connection_.get(), SHUT_WR);
}

}  // namespace netlab::cli
