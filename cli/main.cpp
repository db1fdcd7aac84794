#include "cli/command_line.hpp"
#include "cli/extcap.hpp"
#include "cli/render/error_text.hpp"

#include <exception>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace netlab;

/// A socket of ours must not become a standard descriptor that was closed: the table would go to the daemon.
/// Opened for reading, so that printing fails as it should.
void fill_standard_descriptors() {
    for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY)) {
        if (fd <= STDERR_FILENO) continue;
        ::close(fd);
        return;
    }
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

/// Under another name, for another reader.
Result<int> run_extcap(const std::vector<std::string>& words) {
    const auto request = cli::extcap::parse(words);
    if (!request) return request.error();
    const auto environment = cli::Environment::current();
    cli::Options options;
    options.host = environment.netlab_host.empty() ? cli::default_host : environment.netlab_host;
    options.host_from = environment.netlab_host.empty() ? "" : "NETLAB_HOST";
    return cli::extcap::run(*request, options);
}

}  // namespace

int main(int count, char** words) {
    fill_standard_descriptors();
    try {
        const std::vector<std::string> rest(words + (count > 0 ? 1 : 0), words + count);
        const auto code = count > 0 && cli::extcap::is_name(words[0]) ? run_extcap(rest) : run(rest);
        if (code) return *code;
        cli::complain(code.error());
        return exit_code(code.error().code);
    } catch (const std::exception& error) {
        cli::complain(
            {errc::operation_failed, std::string("internal error: ") + error.what(), "please report it", {}});
        return exit_code(errc::operation_failed);
    }
}
