#pragma once

#include "cli/command.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace netlab::cli {

struct CommandLine {
    Options options;
    std::unique_ptr<Command> command;  ///< empty where only `text` is to be printed
    std::string text;                  ///< of --help and --version
};

/// `words` without the program's name. A line that cannot be understood is errc::bad_request: one sentence
/// and the nearest right thing. Only the command that was asked for is built; the others are only named.
[[nodiscard]] Result<CommandLine> parse_command_line(std::vector<std::string> words,
                                                     std::span<const CommandEntry> commands,
                                                     const Environment& environment);

/// Which of `words` is the command: the first that is neither a global option nor the value of one. None
/// where an option comes before it that is not global.
[[nodiscard]] std::optional<std::size_t> find_command(std::span<const std::string> words);

}  // namespace netlab::cli
