#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace netlab::front {

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view stream_type = "application/x-ndjson";
inline constexpr std::string_view capture_type = "application/x-pcapng";

/// How the answer to one request must look on the wire.
struct Form {
    unsigned version = 11;    ///< of HTTP, as Beast counts: 10 or 11
    bool keep_alive = false;  ///< another request may follow on the connection
};

/// The head of a response, with its empty line. Without a `length` the body is chunked in HTTP/1.1, and ends
/// with the connection in HTTP/1.0. `allow` is the value of an Allow header, "" for none.
[[nodiscard]] std::string response_head(unsigned status, std::string_view type,
                                        std::optional<std::uint64_t> length, Form form,
                                        std::string_view allow = {});

/// A whole response with a JSON body.
[[nodiscard]] std::string json_response(unsigned status, std::string_view body, Form form,
                                        std::string_view allow = {});

/// A whole response that carries `error`, with the status that fits.
[[nodiscard]] std::string error_response(const Error& error, Form form, std::string_view allow = {});

}  // namespace netlab::front
