#include "daemon/front/workers.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include <sys/wait.h>

namespace netlab::front {

namespace {

Error died(std::string how, std::string hint = {}) {
    return {errc::worker_died, "the operation's process " + std::move(how), std::move(hint), {}};
}

Error refused(int error_number) {
    switch (error_number) {
        case EAGAIN:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
            return {errc::busy, "the daemon has too much to do just now", "try again", {}};
        default:
            return system_error(errc::operation_failed, "start the operation", error_number);
    }
}

Error signalled(int signal, std::uint32_t deadline_ms) {
    if (signal == SIGSYS) {
        return died("was killed by its sandbox (SIGSYS)", "this is a fault of netlab: please report it");
    }
    // Its own timer (daemon/launcher/worker.cpp).
    if (signal == SIGALRM && deadline_ms != 0) return overdue_error(deadline_ms);
    if (signal == SIGXCPU) return {errc::timed_out, "the operation used up its processor time", {}, {}};
    const char* name = ::sigabbrev_np(signal);
    return died("was killed by " +
                (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal)));
}

}  // namespace

Error overdue_error(std::uint32_t deadline_ms) {
    return {errc::timed_out, "the operation took longer than " + std::to_string(deadline_ms) + " ms", {}, {}};
}

Error ending_error(Ending ending, std::uint32_t deadline_ms) {
    switch (ending.kind) {
        case Ending::Kind::refused:
            return refused(ending.value);
        case Ending::Kind::exited:
            if (WIFSIGNALED(ending.value)) return signalled(WTERMSIG(ending.value), deadline_ms);
            return died("ended with status " + std::to_string(WEXITSTATUS(ending.value)) +
                        " before it had said all");
        case Ending::Kind::launcher_gone:
            if (ending.value != 0) return died("ended, and the launcher that would know why is gone");
            return {errc::launcher_unavailable,
                    "the daemon's launcher died before it started the operation",
                    "try again",
                    {}};
        case Ending::Kind::unknown:
            break;
    }
    return died("ended, and nobody said why");
}

}  // namespace netlab::front
