#include "daemon/front/request.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace netlab::front {

namespace http = boost::beast::http;

RequestParser::RequestParser() {
    header_limit(front::header_limit);
    body_limit(front::body_limit);
}

boost::system::error_code refused_header(const RequestParser& parser) {
    const auto& header = parser.get();
    if (header.find(http::field::transfer_encoding) == header.end()) return {};
    return http::error::bad_transfer_encoding;
}

bool wants_continue(const RequestParser& parser) {
    return boost::beast::iequals(parser.get()[http::field::expect], "100-continue");
}

std::optional<Error> reading_error(const boost::system::error_code& error, const RequestParser& parser) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return Error{errc::too_large, "the request's header is over 8 KiB", {}, {}};
    }
    if (error == http::error::body_limit)
        return Error{errc::too_large, "the request's body is over 64 KiB", {}, {}};
    const auto& header = parser.get();
    if (error == http::error::bad_transfer_encoding ||
        header.find(http::field::transfer_encoding) != header.end()) {
        return Error{
            errc::unsupported, "a request with Transfer-Encoding is refused", "send a Content-Length", {}};
    }
    if (error.category() == http::make_error_code(http::error::bad_method).category()) {
        return Error{errc::bad_request, "not HTTP/1.1: " + error.message(), {}, {}};
    }
    return std::nullopt;
}

Received take_request(RequestParser& parser) {
    auto& message = parser.get();
    Received received;
    received.method = std::string_view(message.method_string());
    received.target = std::string_view(message.target());
    // The answer to a HEAD has no body by HTTP's rules, and ours has: what follows it must not be taken for
    // the next answer.
    const bool head = message.method() == http::verb::head;
    received.form = {message.version(), message.keep_alive() && !head};
    received.body = std::move(message.body());
    return received;
}

}  // namespace netlab::front
