#pragma once

#include "common/error.hpp"
#include "daemon/front/response.hpp"

#include <optional>
#include <string>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

/// One request as a client wrote it: what is taken and what is refused before anybody looks at its path. No
/// I/O, so that the fuzzer has the session's own reading.
namespace netlab::front {

inline constexpr std::uint32_t header_limit = 8 * 1024;
inline constexpr std::uint64_t body_limit = 64 * 1024;
inline constexpr std::size_t buffer_limit = 16 * 1024;  ///< of what came and is not yet parsed

/// Beast's, with the limits of netlabd's requests.
struct RequestParser : boost::beast::http::request_parser<boost::beast::http::string_body> {
    RequestParser();
};

/// With the whole header there: http::error::bad_transfer_encoding where its body would be chunked.
[[nodiscard]] boost::system::error_code refused_header(const RequestParser& parser);

/// The client waits for "100 Continue" before it sends the body.
[[nodiscard]] bool wants_continue(const RequestParser& parser);

/// What a client is told of a request that could not be read; nothing where it just went away or was too
/// slow.
[[nodiscard]] std::optional<Error> reading_error(const boost::system::error_code& error,
                                                 const RequestParser& parser);

struct Received {
    std::string method;
    std::string target;
    std::string body;
    Form form;
};
/// Of a request that is whole. The parser has no body after it.
[[nodiscard]] Received take_request(RequestParser& parser);

}  // namespace netlab::front
