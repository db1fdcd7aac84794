#include "daemon/operations/engine_relay.hpp"

#include "daemon/operations/beside_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

constexpr std::string_view method = "GET ";
// HTTP/1.1 wants a Host; Docker's own client sends this one over a Unix socket.
constexpr std::string_view rest_of_request =
    " HTTP/1.1\r\nHost: docker\r\nUser-Agent: netlab/" NETLAB_VERSION "\r\nAccept: application/json\r\n\r\n";
constexpr std::string_view end_of_request = "\r\n\r\n";
constexpr std::size_t largest_request = 8192;
constexpr std::size_t piece = 65536;

bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool take_end(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// What percent_encode() makes, of text without anything that `refused` names once it is decoded.
bool is_encoded(std::string_view text, std::string_view refused) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_unreserved(text[i])) continue;
        if (text[i] != '%' || i + 2 >= text.size()) return false;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return false;
        const char byte = static_cast<char>(high * 16 + low);
        if (static_cast<unsigned char>(byte) < 0x20 || refused.find(byte) != std::string_view::npos)
            return false;
        i += 2;
    }
    return true;
}

/// A name or an ID as one segment of a path, also after the engine's router has decoded it and cleaned the
/// path.
bool is_segment(std::string_view text) {
    return !text.empty() && text != "." && text != ".." && is_encoded(text, "/\\.%?#;");
}

bool is_moment(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

bool is_inspected(std::string_view target) {
    if (target == "/containers/json?all=1" || target == "/networks" ||
        target == "/v4.0.0/libpod/networks/json")
        return true;
    if (take(target, "/networks/")) return is_segment(target);
    if (take(target, "/containers/")) return take_end(target, "/json") && is_segment(target);
    if (!take(target, "/events?filters=")) return false;
    const auto since = target.find("&since=");
    return since != std::string_view::npos && is_encoded(target.substr(0, since), "") &&
           is_moment(target.substr(since + std::string_view("&since=").size()));
}

/// One way of a relay: bytes that have been read and not yet been written.
class Way {
  public:
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    void add(std::string_view bytes) { bytes_.append(bytes); }
    /// False where the other side has gone.
    [[nodiscard]] bool write_to(int socket) {
        const auto sent = ::send(socket, bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR;
        bytes_.erase(0, static_cast<std::size_t>(sent));
        return true;
    }

  private:
    std::string bytes_;
};

class Relay {
  public:
    Relay(int operation, int engine) : operation_(operation), engine_(engine) {}

    /// Until either side ends, or the operation asks for what it may not.
    void run() {
        for (bool more = true; more;) {
            std::array<pollfd, 2> sides{
                interest(operation_, asked_.empty(), !answered_.empty()),
                interest(engine_, answered_.empty() && !engine_ended_, !asked_.empty())};
            // An engine of which nothing is wanted is not looked at: one that has hung up would be reported
            // without end.
            if (sides[1].events == 0) sides[1].fd = -1;
            if (::poll(sides.data(), sides.size(), -1) < 0 && errno != EINTR) return;
            more = serve(operation_, sides[0].revents, answered_, [this] { return read_operation(); }) &&
                   serve(engine_, sides[1].revents, asked_, [this] { return read_engine(); }) &&
                   !(engine_ended_ && answered_.empty());
        }
    }

  private:
    static pollfd interest(int socket, bool in, bool out) {
        return {socket, static_cast<short>((in ? POLLIN : 0) | (out ? POLLOUT : 0)), 0};
    }

    template <class Read>
    static bool serve(int socket, short events, Way& waiting, const Read& read) {
        if ((events & (POLLERR | POLLNVAL)) != 0) return false;
        if ((events & POLLOUT) != 0 && !waiting.empty() && !waiting.write_to(socket)) return false;
        return (events & (POLLIN | POLLHUP)) == 0 || read();
    }

    [[nodiscard]] bool read_operation() {
        std::array<char, largest_request> bytes;
        const auto got = ::recv(operation_, bytes.data(), bytes.size() - request_.size(), 0);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        request_.append(bytes.data(), static_cast<std::size_t>(got));
        for (;;) {
            const auto end = request_.find(end_of_request);
            if (end == std::string::npos) return request_.size() < largest_request;
            const auto request = std::string_view(request_).substr(0, end + end_of_request.size());
            if (!is_engine_inspection(request)) return false;
            asked_.add(request);
            request_.erase(0, request.size());
        }
    }

    [[nodiscard]] bool read_engine() {
        std::array<char, piece> bytes;
        const auto got = ::recv(engine_, bytes.data(), bytes.size(), 0);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        engine_ended_ = got == 0;
        answered_.add({bytes.data(), static_cast<std::size_t>(got)});
        return true;
    }

    int operation_;
    int engine_;
    std::string request_;  ///< of the operation's, not yet whole
    Way asked_;
    Way answered_;
    bool engine_ended_ = false;
};

/// All but two descriptors are closed, also what others' destructors would.
[[noreturn]] void relay(const Namespaces::Confine& confine, int operation, int engine) {
    const auto first = static_cast<unsigned>(std::min(operation, engine));
    const auto last = static_cast<unsigned>(std::max(operation, engine));
    if (first > 3) ::close_range(3, first - 1, 0);
    if (last - first > 1) ::close_range(first + 1, last - 1, 0);
    ::close_range(last + 1, ~0U, 0);
    ::prctl(PR_SET_NAME, "nl:relay", 0, 0, 0);
    if (!confine()) std::_Exit(EXIT_FAILURE);
    Relay(operation, engine).run();
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace

std::string engine_request(std::string_view target) {
    std::string request(method);
    request.append(target).append(rest_of_request);
    return request;
}

bool is_engine_inspection(std::string_view request) {
    return take(request, method) && take_end(request, rest_of_request) && is_inspected(request);
}

Result<UniqueFd> relay_engine(Namespaces& namespaces, UniqueFd engine) {
    const auto& confine = namespaces.confine_relay();
    if (!confine) return engine;
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
        return system_error(errc::operation_failed, "make a channel to the engine's relay", errno);
    UniqueFd operation(ends[0]);
    const UniqueFd other(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) return system_error(errc::operation_failed, "fork the engine's relay", errno);
    if (child == 0) relay(confine, other.get(), engine.get());
    keep_from_beside(operation.get());
    return operation;
}

}  // namespace netlab::operations
