#include "daemon/config.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

/// It asserts that a key begins as keys do, and then tells of one that does not by an error, as all else that
/// is wrong in a file (found by the fuzzer: "[\x04").
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

namespace netlab {

namespace {

/// Reads one table's keys; the first thing that is wrong is kept.
class Section {
  public:
    Section(const toml::table& root, const char* section, const std::string& file, Result<void>& result)
        : section_(section), file_(file), result_(result) {
        const auto* node = root.get(section);
        if (node == nullptr) return;
        table_ = node->as_table();
        if (table_ == nullptr) fail(*node, std::string(section) + " is a table: [" + section + "]");
    }

    /// Every key has been asked for: what is left over is unknown.
    ~Section() {
        if (table_ == nullptr) return;
        for (const auto& [key, node] : *table_) {
            const std::string name(key.str());
            if (std::ranges::find(known_, name) != known_.end()) continue;
            const auto names = nearest(name, known_);
            fail_at(key.source().begin.line, "unknown key '" + name + "' in [" + section_ + "]",
                    names.empty() ? "known: " + join_or(known_) : "did you mean " + join_or(names) + "?");
        }
    }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

    void read(const char* key, std::string& out) {
        const auto* node = find(key);
        if (node == nullptr) return;
        if (const auto* text = node->as_string()) {
            out = text->get();
        } else {
            fail(*node, std::string(key) + " is a string");
        }
    }

    void read(const char* key, std::vector<std::string>& out) {
        const auto* node = find(key);
        if (node == nullptr) return;
        const auto* array = node->as_array();
        if (array == nullptr) return fail(*node, std::string(key) + " is a list of strings");
        out.clear();
        for (const auto& element : *array) {
            const auto* text = element.as_string();
            if (text == nullptr) return fail(element, std::string(key) + " is a list of strings");
            out.push_back(text->get());
        }
    }

    /// A whole number from `least` to `most`.
    void read(const char* key, std::uint64_t& out, std::uint64_t least, std::uint64_t most) {
        const auto* node = find(key);
        if (node == nullptr) return;
        const auto* number = node->as_integer();
        if (number == nullptr || number->get() < 0 || static_cast<std::uint64_t>(number->get()) < least ||
            static_cast<std::uint64_t>(number->get()) > most) {
            return fail(*node, std::string(key) + " is a whole number from " + std::to_string(least) +
                                   " to " + std::to_string(most));
        }
        out = static_cast<std::uint64_t>(number->get());
    }

    /// An octal mode, as chmod(1) takes it: "0660" or 0o660.
    void read_mode(const char* key, unsigned& out) {
        const auto* node = find(key);
        if (node == nullptr) return;
        std::int64_t value = -1;
        if (const auto* number = node->as_integer()) {
            value = number->get();
        } else if (const auto* text = node->as_string()) {
            const auto& digits = text->get();
            if (!digits.empty() && digits.size() <= 4 &&
                digits.find_first_not_of("01234567") == digits.npos) {
                value = std::stoll(digits, nullptr, 8);
            }
        }
        if (value < 0 || value > 0777)
            return fail(*node, std::string(key) + " is an octal mode such as \"0660\"");
        out = static_cast<unsigned>(value);
    }

    void fail_value(const char* key, const std::string& message, const std::string& hint) {
        if (const auto* node = find(key)) fail_at(node->source().begin.line, message, hint);
    }

  private:
    const toml::node* find(const char* key) {
        if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
        return table_ == nullptr ? nullptr : table_->get(key);
    }

    void fail(const toml::node& node, const std::string& message) {
        fail_at(node.source().begin.line, message, {});
    }

    void fail_at(toml::source_index line, const std::string& message, const std::string& hint) {
        if (!result_) return;
        result_ = Error{errc::bad_request, file_ + ":" + std::to_string(line) + ": " + message, hint, {}};
    }

    const toml::table* table_ = nullptr;
    std::string section_;
    const std::string& file_;
    Result<void>& result_;
    std::vector<std::string> known_;
};

const std::vector<std::string> sections{"listen", "engines", "access", "limits", "process", "log"};
const std::vector<std::string> levels{"trace", "debug", "info", "warn", "error"};

Result<void> refuse_unknown_sections(const toml::table& root, const std::string& name) {
    for (const auto& [key, node] : root) {
        const std::string section(key.str());
        if (std::ranges::find(sections, section) != sections.end()) continue;
        const auto names = nearest(section, sections);
        return Error{
            errc::bad_request,
            name + ":" + std::to_string(key.source().begin.line) + ": unknown section '" + section + "'",
            names.empty() ? "known: " + join_or(sections) : "did you mean " + join_or(names) + "?",
            {}};
    }
    return {};
}

void check_engine_addresses(Section& section, const char* key, const std::vector<std::string>& addresses) {
    for (const auto& address : addresses) {
        if (!address.starts_with("unix:///")) {
            section.fail_value(key, std::string(key) + ": '" + address + "' is not a Unix socket",
                               "write it as unix:///run/docker.sock");
        }
    }
}

/// toml++ 3.3 looks such a character of a key, and of a word that it complains of, up in its tables, in which
/// some have no place (found by the fuzzer config); no key of ours has one. A quote begins a string for
/// certain only where nothing but strings, commas and brackets stands before it in its line, behind the
/// equals sign. The line of the first, from 1.
std::optional<std::size_t> line_of_strange_key(std::string_view text) {
    enum class Before : std::uint8_t { nothing, string, word } before = Before::nothing;
    std::size_t line = 1;
    char quote = '\0';
    bool comment = false;
    bool value = false;  // behind the equals sign
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    for (std::size_t i = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0; i < text.size();
         ++i) {
        const char c = text[i];
        if (c == '\n') {
            ++line;
            quote = '\0';
            comment = value = false;
            before = Before::nothing;
        } else if (comment) {
            continue;
        } else if (quote != '\0') {
            if (c == '\\' && quote == '"' && i + 1 < text.size() && text[i + 1] != '\n') {
                if (static_cast<unsigned char>(text[++i]) >= 0x80) return line;
            } else if (c == quote) {
                quote = '\0';
                before = Before::string;
            }
        } else if ((c == '"' || c == '\'') && before == Before::nothing) {
            quote = c;
        } else if (c == '#') {
            comment = true;
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            return line;
        } else if (c == '=' && !value) {
            value = true;
            before = Before::nothing;
        } else if (c == ',' && before == Before::string) {
            before = Before::nothing;
        } else if (c != ' ' && c != '\t' && c != '[' && c != ',') {
            before = Before::word;
        }
    }
    return std::nullopt;
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& name) {
    if (const auto line = line_of_strange_key(text)) {
        return Error{errc::bad_request,
                     name + ":" + std::to_string(*line) +
                         ": a character that is not ASCII, outside of a "
                         "string and a comment",
                     {},
                     {}};
    }
    toml::table root;
    try {
        root = toml::parse(text, name);
    } catch (const toml::parse_error& error) {
        return Error{
            errc::bad_request,
            name + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description()),
            {},
            {}};
    }
    if (auto known = refuse_unknown_sections(root, name); !known) return known.error();
    Config config;
    Result<void> result;
    {
        Section listen(root, "listen", name, result);
        listen.read("socket", config.listen.socket);
        listen.read("group", config.listen.group);
        listen.read_mode("mode", config.listen.mode);
        if (!config.listen.socket.starts_with('/'))
            listen.fail_value("socket", "socket is an absolute path", {});
    }
    {
        Section engines(root, "engines", name, result);
        engines.read("docker", config.engines.docker);
        engines.read("podman", config.engines.podman);
        engines.read("netns_dirs", config.engines.netns_dirs);
        check_engine_addresses(engines, "docker", config.engines.docker);
        check_engine_addresses(engines, "podman", config.engines.podman);
        for (const auto& directory : config.engines.netns_dirs) {
            if (!directory.starts_with('/'))
                engines.fail_value("netns_dirs", "netns_dirs are absolute paths", {});
        }
    }
    {
        Section access(root, "access", name, result);
        access.read("observe", config.access.observe);
        access.read("probe", config.access.probe);
        access.read("trace", config.access.trace);
        access.read("capture", config.access.capture);
        access.read("host", config.access.host);
    }
    {
        Section limits(root, "limits", name, result);
        limits.read("operations", config.limits.operations, 1, 10'000);
        limits.read("packets_per_second", config.limits.packets_per_second, 1, 1'000'000'000);
        limits.read("capture_mib", config.limits.capture_mib, 1, 1'000'000);
    }
    {
        Section process(root, "process", name, result);
        process.read("user", config.process.user);
        process.read("patience_s", config.process.patience_s, 0, 3600);
    }
    {
        Section log(root, "log", name, result);
        log.read("level", config.log.level);
        if (std::ranges::find(levels, config.log.level) == levels.end()) {
            log.fail_value("level", "level: '" + config.log.level + "' is none", "one of " + join_or(levels));
        }
    }
    if (!result) return result.error();
    return config;
}

Result<Config> read_config(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
    if (!file) {
        const int error = errno;
        return system_error(error == ENOENT ? errc::not_found : errc::bad_request, "read " + path, error);
    }
    std::string text;
    char buffer[4096];
    for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, file.get())) > 0;) {
        text.append(buffer, size);
    }
    if (std::ferror(file.get()) != 0) return system_error(errc::bad_request, "read " + path, errno);
    return parse_config(text, path);
}

}  // namespace netlab
