#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/describe.hpp>
#include <boost/system/result.hpp>

namespace netlab {

/// What went wrong, as the API names it in `error.code`. "Not found" is never mixed with "failed".
enum class errc : std::uint16_t {
    // the request
    bad_request,         ///< not JSON, or a value that the operation cannot take
    unknown_field,       ///< a field that the request does not have
    not_found,           ///< no such path
    method_not_allowed,  ///< the path exists, with another verb
    too_large,           ///< header or body over the limit
    unsupported,         ///< a form of request that the daemon refuses, such as Transfer-Encoding
    // the target
    no_such_target,
    ambiguous_target,
    target_not_running,
    target_gone,  ///< it was there, and its namespace ended or changed in the middle
    // who asks
    permission_denied,
    limit_exceeded,  ///< a cap of the caller's role
    // the operation
    no_such_interface,
    unresolved_name,
    no_address,
    unreachable,
    timed_out,
    operation_failed,  ///< a system call failed where it should not
    worker_died,
    // the daemon
    engine_unavailable,
    launcher_unavailable,
    busy,
    shutting_down,
    // only said by the client
    daemon_unreachable,
    protocol_error,
};
BOOST_DESCRIBE_ENUM(errc, bad_request, unknown_field, not_found, method_not_allowed, too_large, unsupported,
                    no_such_target, ambiguous_target, target_not_running, target_gone, permission_denied,
                    limit_exceeded, no_such_interface, unresolved_name, no_address, unreachable, timed_out,
                    operation_failed, worker_died, engine_unavailable, launcher_unavailable, busy,
                    shutting_down, daemon_unreachable, protocol_error)

/// An error for a person: what was tried and on what, and in `hint` what the user can do about it.
struct Error {
    errc code = errc::operation_failed;
    std::string message;
    std::string hint;
    std::vector<std::string> details;  ///< e.g. the candidates of an ambiguous name

    friend bool operator==(const Error&, const Error&) = default;
};
BOOST_DESCRIBE_STRUCT(Error, (), (code, message, hint, details))

template <class T = void>
using Result = boost::system::result<T, Error>;

/// The HTTP status that carries an error of this code.
[[nodiscard]] unsigned http_status(errc code) noexcept;

/// The exit code of `netlab`: 0 done and fine, 1 done and the answer is bad, 2 usage, 3 no such target,
/// 4 daemon or permission, 5 the operation failed.
[[nodiscard]] int exit_code(errc code) noexcept;

/// An error made from errno at the failing call: "cannot <what>: <strerror>".
[[nodiscard]] Error system_error(errc code, std::string_view what, int error_number);

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

}  // namespace netlab
