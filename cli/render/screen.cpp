#include "cli/render/screen.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace netlab::cli {

Screen Screen::of_standard_output(const Options& options, const Environment& environment) {
    Screen screen;
    winsize size{};
    screen.terminal = ::isatty(STDOUT_FILENO) == 1;
    if (screen.terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        screen.width = size.ws_col;
    const char* kind = std::getenv("TERM");
    const bool dumb = !kind || std::string_view(kind) == "dumb";
    screen.colours = options.colour == Colour::always || (options.colour == Colour::automatic &&
                                                          screen.terminal && !environment.no_colour && !dumb);
    return screen;
}

Result<void> print(std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EPIPE) ::_exit(128 + SIGPIPE);  // whoever started us ignores SIGPIPE
        return system_error(errc::operation_failed, "write to standard output", errno);
    }
    return {};
}

}  // namespace netlab::cli
