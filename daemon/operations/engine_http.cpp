#include "daemon/operations/engine_http.hpp"

#include "daemon/operations/engine_relay.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <sys/socket.h>
#include <sys/un.h>

namespace netlab::operations {

namespace http = boost::beast::http;

namespace {

using Clock = Output::Clock;

constexpr std::size_t largest_header = 32 * 1024;
constexpr std::size_t receive_size = 64 * 1024;

Error unavailable(const std::string& path, int error_number) {
    auto error = system_error(errc::engine_unavailable, "connect to " + path, error_number);
    if (error_number == ENOENT || error_number == ECONNREFUSED) {
        error.hint = "is the engine running? its socket is named in [engines] of netlabd.toml";
    } else if (error_number == EAGAIN) {
        error.code = errc::busy;
        error.message = "the engine at " + path + " does not accept connections: it hangs";
    }
    return error;
}

Error hung_up() {
    return {errc::engine_unavailable, "the engine closed the connection", {}, {}};
}

Error silent() {
    return {errc::timed_out, "the engine does not answer", "it may hang, or be stopped", {}};
}

std::size_t put(http::basic_parser<false>& parser, std::string_view bytes, boost::beast::error_code& error) {
    return parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
}

}  // namespace

Result<UniqueFd> connect_engine(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return Error{
            errc::engine_unavailable, "the path of the engine's socket is too long: " + path, {}, {}};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return system_error(errc::operation_failed, "open a socket", errno);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return unavailable(path, errno);
    }
    return socket;
}

Result<UniqueFd> connect_engine(Namespaces& namespaces, const std::string& path) {
    auto engine = connect_engine(path);
    if (!engine) return engine;
    return relay_engine(namespaces, std::move(*engine));
}

struct EngineConnection::Parser : http::response_parser<http::string_body> {};

EngineConnection::EngineConnection(int socket, Output& output) : socket_(socket), output_(output) {}

EngineConnection::~EngineConnection() = default;

Clock::time_point EngineConnection::patience() const {
    const auto silence = Clock::now() + engine_silence;
    return deadline_ ? std::min(silence, *deadline_) : silence;
}

Result<void> EngineConnection::send(std::string_view target) {
    const auto request = engine_request(target);
    const auto until = patience();
    std::string_view rest = request;
    while (!rest.empty()) {
        const auto sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            pollfd writable{socket_, POLLOUT, 0};
            if (output_.wait({&writable, 1}, until) == 0) return silent();
        } else if (errno != EINTR) {
            return hung_up();
        }
    }
    return {};
}

Result<void> EngineConnection::receive(std::optional<Clock::time_point> until) {
    std::array<char, receive_size> buffer;
    for (;;) {
        const auto got = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (got > 0) {
            received_.append(buffer.data(), static_cast<std::size_t>(got));
            return {};
        }
        if (got == 0) {
            ended_ = true;
            return {};
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return hung_up();
        pollfd readable{socket_, POLLIN, 0};
        if (output_.wait({&readable, 1}, until) == 0) return silent();
    }
}

Result<void> EngineConnection::parse_more(std::optional<Clock::time_point> until) {
    boost::beast::error_code error = http::error::need_more;
    if (!received_.empty()) {
        const auto parsed = put(*parser_, received_, error);
        received_.erase(0, parsed);
        if (error == http::error::body_limit || error == http::error::header_limit) {
            return Error{errc::too_large, "the engine's answer is too large", {}, {}};
        }
        if (error && error != http::error::need_more) {
            return Error{errc::protocol_error, "the engine does not speak HTTP: " + error.message(), {}, {}};
        }
        if (parsed > 0) return {};
    }
    if (auto result = receive(until); !result) return result;
    if (!ended_) return {};
    // The end of the connection may be the end of a body without a length.
    if (parser_->got_some()) parser_->put_eof(error);
    if (!parser_->is_done()) return hung_up();
    return {};
}

Result<EngineResponse> EngineConnection::read_whole() {
    while (!parser_->is_done()) {
        if (auto result = parse_more(patience()); !result) return result.error();
    }
    return EngineResponse{parser_->get().result_int(), std::move(parser_->get().body())};
}

Result<EngineResponse> EngineConnection::get(std::string_view target) {
    parser_ = std::make_unique<Parser>();
    parser_->eager(true);
    parser_->header_limit(largest_header);
    parser_->body_limit(largest_engine_body);
    if (auto sent = send(target); !sent) return sent.error();
    return read_whole();
}

Result<EngineResponse> EngineConnection::open_stream(std::string_view target) {
    parser_ = std::make_unique<Parser>();
    parser_->eager(true);
    parser_->header_limit(largest_header);
    parser_->body_limit(boost::none);
    if (auto sent = send(target); !sent) return sent.error();
    while (!parser_->is_header_done()) {
        if (auto result = parse_more(patience()); !result) return result.error();
    }
    if (parser_->get().result_int() != 200) {
        parser_->body_limit(largest_engine_body);
        return read_whole();
    }
    return EngineResponse{200, {}};
}

Result<std::string> EngineConnection::read_stream() {
    auto& body = parser_->get().body();
    while (body.empty() && !parser_->is_done()) {
        if (auto result = parse_more(std::nullopt); !result) return result.error();
    }
    return std::exchange(body, {});
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            out += c;
        } else {
            out.append({'%', digits[byte >> 4], digits[byte & 15]});
        }
    }
    return out;
}

}  // namespace netlab::operations
