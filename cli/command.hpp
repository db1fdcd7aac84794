#pragma once

#include "cli/options.hpp"
#include "cli/render/screen.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace netlab::cli {

/// What a command finds when it runs.
struct Session {
    const Options& options;
    Screen screen;
};

/// One word of `netlab`. A command is one file in cli/commands, which ends with
///
///     const Registration registered{"ping", "send ICMP echoes from a target", make<Ping>};
class Command {
  public:
    virtual ~Command() = default;
    /// Takes out of the line's words, which are without the command's name, what is not to be read as words
    /// and options.
    virtual void before_options(std::vector<std::string>&) {}
    /// Says which words and options it takes; they are set in this object when the line is parsed.
    virtual void arguments(CLI::App& app) = 0;
    /// Asks the daemon and prints; returns the exit code (0 fine, 1 the answer is bad), or what went wrong.
    [[nodiscard]] virtual Result<int> run(const Session& session) = 0;
};

struct CommandEntry {
    std::string name;
    std::string summary;
    std::unique_ptr<Command> (*make)() = nullptr;
};

/// All that is linked in, by name.
[[nodiscard]] std::span<const CommandEntry> commands();

template <class T>
std::unique_ptr<Command> make() {
    return std::make_unique<T>();
}

/// One static object per command's file.
struct Registration {
    Registration(std::string_view name, std::string_view summary, std::unique_ptr<Command> (*make)());
};

}  // namespace netlab::cli
