#include "common/error.hpp"

#include <stdexcept>
#include <system_error>

namespace netlab {

unsigned http_status(errc code) noexcept {
    switch (code) {
        case errc::bad_request:
        case errc::unknown_field:
        case errc::no_such_interface:
            return 400;
        case errc::permission_denied:
            return 403;
        case errc::not_found:
        case errc::no_such_target:
            return 404;
        case errc::method_not_allowed:
            return 405;
        case errc::ambiguous_target:
        case errc::target_not_running:
            return 409;
        case errc::target_gone:
            return 410;
        case errc::too_large:
            return 413;
        case errc::unresolved_name:
        case errc::no_address:
        case errc::unreachable:
            return 422;
        case errc::limit_exceeded:
        case errc::busy:
            return 429;
        case errc::unsupported:
            return 501;
        case errc::engine_unavailable:
        case errc::launcher_unavailable:
        case errc::shutting_down:
            return 503;
        case errc::timed_out:
            return 504;
        case errc::operation_failed:
        case errc::worker_died:
        case errc::daemon_unreachable:
        case errc::protocol_error:
            return 500;
    }
    return 500;
}

int exit_code(errc code) noexcept {
    switch (code) {
        case errc::bad_request:
        case errc::unknown_field:
        case errc::not_found:
        case errc::method_not_allowed:
        case errc::too_large:
        case errc::unsupported:
        case errc::no_such_interface:
            return 2;
        case errc::no_such_target:
        case errc::ambiguous_target:
        case errc::target_not_running:
            return 3;
        case errc::permission_denied:
        case errc::limit_exceeded:
        case errc::launcher_unavailable:
        case errc::busy:
        case errc::shutting_down:
        case errc::daemon_unreachable:
            return 4;
        case errc::unresolved_name:
        case errc::no_address:
        case errc::unreachable:
            return 1;
        case errc::target_gone:
        case errc::timed_out:
        case errc::operation_failed:
        case errc::worker_died:
        case errc::engine_unavailable:
        case errc::protocol_error:
            return 5;
    }
    return 5;
}

Error system_error(errc code, std::string_view what, int error_number) {
    std::string message = "cannot ";
    message.append(what).append(": ").append(std::generic_category().message(error_number));
    return {code, std::move(message), {}, {}};
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::runtime_error(error.message);
}

}  // namespace netlab
