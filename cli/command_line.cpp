#include "cli/command_line.hpp"

#include "cli/arguments.hpp"
#include "common/text.hpp"

#include <algorithm>
#include <array>

namespace netlab::cli {

namespace {

using Words = std::vector<std::string>;

Error usage(std::string message, std::string hint) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

void add_global_options(CLI::App& app, Options& options) {
    app.add_option_function<std::string>(
           "-H,--host",
           [&options](const std::string& host) {
               options.host = host;
               options.host_from = "-H";
           },
           "netlabd's socket; also NETLAB_HOST (default: " + std::string(default_host) + ")")
        ->type_name("unix://PATH");
    add_parsed(app, "-o,--output", options.format, parse_format, "table, wide or json")->type_name("FORMAT");
    app.add_flag_callback(
        "-j,--json", [&options] { options.format = Format::json; }, "the same as -o json");
    add_parsed(app, "--color,--colour", options.colour, parse_colour, "auto, always or never; also NO_COLOR")
        ->type_name("WHEN");
}

Words names_of(std::span<const CommandEntry> commands) {
    Words names;
    for (const auto& entry : commands)
        names.push_back(entry.name);
    return names;
}

Error no_such_command(const std::string& word, std::span<const CommandEntry> commands) {
    const auto names = nearest(word, names_of(commands));
    return usage("there is no command '" + word + "'",
                 names.empty() ? "netlab --help names them all" : "did you mean " + join_or(names) + "?");
}

std::string help_on_all(const CLI::App& app, std::span<const CommandEntry> commands) {
    std::size_t width = 0;
    for (const auto& entry : commands)
        width = std::max(width, entry.name.size());
    std::string list = "Commands:\n";
    for (const auto& entry : commands) {
        list += "  " + entry.name + std::string(width + 3 - entry.name.size(), ' ') + entry.summary + "\n";
    }
    return app.help() + list + "\n'netlab COMMAND --help' tells more of one. The manual: man netlab.\n";
}

/// What follows the command's name in the lines that explain: "netlab ping FROM TO".
std::string synopsis(const CLI::App& app) {
    std::string text = app.get_name();
    for (const auto* option : app.get_options()) {
        if (option->get_positional()) text += " " + option->get_name(true);
    }
    return text;
}

Error no_such_option(const std::string& text, const CLI::App& app) {
    const std::string word = text.substr(0, text.find('='));
    Words known;
    for (const auto* candidate : app.get_options()) {
        for (const auto& name : candidate->get_lnames())
            known.push_back("--" + name);
    }
    const auto names = nearest(word, known);
    return usage("there is no option " + word, names.empty() ? app.get_name() + " --help names them all"
                                                             : "did you mean " + join_or(names) + "?");
}

Error explain(const CLI::ParseError& error, const CLI::App& app) {
    const std::string message = error.what();
    // A misspelt option is the cause also where CLI11 misses something else first.
    const Words left = app.remaining();
    const auto option = std::ranges::find_if(left, [](const auto& word) { return word.starts_with('-'); });
    if (option != left.end()) return no_such_option(*option, app);
    if (dynamic_cast<const CLI::ExtrasError*>(&error) && !left.empty()) {
        return usage("one word too many: '" + left.front() + "'", synopsis(app));
    }
    if (dynamic_cast<const CLI::RequiredError*>(&error)) {
        return usage(message.substr(0, message.find(' ')) + " is missing", synopsis(app));
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error)) {
        return usage(message.substr(0, message.find(':')) + " needs a value", app.get_name() + " --help");
    }
    return usage(message, {});
}

/// A script's variable that was not set: what leaving the option out would do is not what was meant.
std::optional<Error> empty_value(const CLI::App& app) {
    for (const auto* option : app.get_options()) {
        const bool empty = std::ranges::any_of(option->results(), &std::string::empty);
        if (!empty) continue;
        const auto name = option->get_name(option->get_positional());
        if (option->get_positional()) return usage(name + " is empty", synopsis(app));
        return usage(name + " needs a value", app.get_name() + " --help");
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::size_t> find_command(std::span<const std::string> words) {
    constexpr std::array with_value{"-H", "--host", "-o", "--output", "--color", "--colour"};
    constexpr std::array alone{"-j", "--json", "-h", "--help", "--version"};
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        if (!word.starts_with('-')) return i;
        if (std::ranges::count(alone, word)) continue;
        if (std::ranges::count(with_value, word)) {
            ++i;
            continue;
        }
        // "-jo json": the last letter of several takes the next word.
        if (word.size() > 2 && word.starts_with("-j") && (word.ends_with('o') || word.ends_with('H')) &&
            word.find_first_not_of('j', 1) == word.size() - 1) {
            ++i;
            continue;
        }
        if (word.size() > 2 && word.starts_with("-j") && word[2] == 'o') continue;  // "-jowide"
        const bool joined = std::ranges::any_of(with_value, [&](std::string_view option) {
            return word.starts_with(option) &&
                   (option.size() == 2 || word.substr(option.size()).starts_with('='));
        });
        if (!joined) return std::nullopt;
    }
    return std::nullopt;
}

Result<CommandLine> parse_command_line(Words words, std::span<const CommandEntry> commands,
                                       const Environment& environment) {
    CommandLine line;
    line.options.host = environment.netlab_host.empty() ? default_host : environment.netlab_host;
    line.options.host_from = environment.netlab_host.empty() ? "" : "NETLAB_HOST";

    CLI::App app("netlab shows, probes and explains container networks from the host.", "netlab");
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.set_help_flag("-h,--help", "this text");
    for (const char* label : {"REQUIRED", "TEXT"})
        app.get_formatter()->label(label, "");
    auto position = find_command(words);
    if (position && words[*position] == "help") {
        words[*position] = "--help";
        position = find_command(words);
    }
    if (position) {
        const auto entry = std::ranges::find(commands, words[*position], &CommandEntry::name);
        if (entry == commands.end()) return no_such_command(words[*position], commands);
        words.erase(words.begin() + static_cast<std::ptrdiff_t>(*position));
        app.name("netlab " + entry->name);
        app.description(entry->summary);
        line.command = entry->make();
        line.command->before_options(words);
        line.command->arguments(app);
    }
    app.set_version_flag("--version", "netlab " NETLAB_VERSION, "the version of netlab");
    add_global_options(app, line.options);
    try {
        std::ranges::reverse(words);  // as CLI11 wants them
        app.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
        return CommandLine{line.options, nullptr, position ? app.help() : help_on_all(app, commands)};
    } catch (const CLI::CallForVersion&) {
        return CommandLine{line.options, nullptr, "netlab " NETLAB_VERSION "\n"};
    } catch (const CLI::ParseError& error) {
        return explain(error, app);
    }
    if (!line.command) return usage("which command?", "netlab --help names them all");
    if (auto empty = empty_value(app)) return *empty;
    return line;
}

}  // namespace netlab::cli
