#include "cli/command_line.hpp"
#include "cli/render/error_text.hpp"

#include <exception>

#include <unistd.h>

namespace {

using namespace netlab;

void say(const Error& error) {
    const auto line = cli::error_line(error);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

Result<int> run(const std::vector<std::string>& words) {
    const auto environment = cli::Environment::current();
    auto line = cli::parse_command_line(words, cli::commands(), environment);
    if (!line) return line.error();
    if (!line->command) {
        if (auto printed = cli::print(line->text); !printed) return printed.error();
        return 0;
    }
    const auto screen = cli::Screen::of_standard_output(line->options, environment);
    return line->command->run({line->options, screen});
}

}  // namespace

int main(int count, char** words) {
    try {
        const auto code = run({words + (count > 0 ? 1 : 0), words + count});
        if (code) return *code;
        say(code.error());
        return exit_code(code.error().code);
    } catch (const std::exception& error) {
        say({errc::operation_failed, std::string("internal error: ") + error.what(), "please report it", {}});
        return exit_code(errc::operation_failed);
    }
}
