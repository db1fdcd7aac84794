#include "cli/command.hpp"

#include <algorithm>
#include <vector>

namespace netlab::cli {

namespace {

// Inside a function, so that it is there before the first file registers its command.
std::vector<CommandEntry>& entries() {
    static std::vector<CommandEntry> all;
    return all;
}

}  // namespace

std::span<const CommandEntry> commands() {
    std::ranges::sort(entries(), {}, &CommandEntry::name);
    return entries();
}

Registration::Registration(std::string_view name, std::string_view summary,
                           std::unique_ptr<Command> (*make)()) {
    entries().push_back({std::string(name), std::string(summary), make});
}

}  // namespace netlab::cli
