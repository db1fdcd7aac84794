#include "cli/interrupt.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <sys/eventfd.h>

namespace netlab::cli {

namespace {

volatile std::sig_atomic_t event_descriptor = -1;

void wake(int) {
    const int saved = errno;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_descriptor, &one, sizeof one);
    errno = saved;
}

constexpr std::array signals{SIGINT, SIGTERM};

void handle(void (*handler)(int), int flags) {
    for (const int number : signals) {
        struct sigaction action {};
        action.sa_handler = handler;
        action.sa_flags = flags;
        ::sigaction(number, &action, nullptr);
    }
}

}  // namespace

Interrupt::Interrupt() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) return;
    event_descriptor = event_.get();
    // One shot: while standard output is blocked nobody reads the event, and the second Ctrl-C must still end
    // the process.
    handle(wake, SA_RESTART | static_cast<int>(SA_RESETHAND));
}

Interrupt::~Interrupt() {
    handle(SIG_DFL, 0);
    event_descriptor = -1;
}

}  // namespace netlab::cli
