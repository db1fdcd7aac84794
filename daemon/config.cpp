#include "daemon/config.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

/// It asserts that a key begins as keys do, and then tells of one that does not by an error, as all else that
/// is wrong in a file (found by the fuzzer: "[\x04").
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

namespace netlab {

namespace {

/// A file's text with each byte that is not ASCII written as letters and digits, and back.
/// toml++ 3.3 looks such characters, where it expects a key or a value, up in tables in which some have no
/// place (found by the fuzzer config): it is given none.
class InAscii {
  public:
    explicit InAscii(std::string_view text) {
        while (text.find(mark_) != text.npos)
            mark_ += '_';
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte < 0x80) {
                text_ += c;
            } else {
                text_ += mark_ + digits[byte >> 4] + digits[byte & 0xF];
            }
        }
    }
    [[nodiscard]] const std::string& text() const { return text_; }

    [[nodiscard]] std::string restored(std::string_view words) const {
        std::string out;
        for (std::size_t at = 0; at < words.size();) {
            const auto next = words.find(mark_, at);
            out += words.substr(at, next - at);
            if (next == words.npos) break;
            at = next + mark_.size();
            unsigned byte = 0;
            const auto rest = words.substr(at);
            if (rest.size() < 2 ||
                std::from_chars(rest.data(), rest.data() + 2, byte, 16).ptr != rest.data() + 2) {
                out += mark_;
                continue;
            }
            out += static_cast<char>(byte);
            at += 2;
        }
        return out;
    }

    /// Whether that line of it, from 1, has such a character.
    [[nodiscard]] bool has_one_in(std::size_t line) const {
        std::string_view rest(text_);
        while (line-- > 1 && !rest.empty())
            rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
        return rest.substr(0, rest.find('\n')).find(mark_) != rest.npos;
    }

  private:
    static constexpr std::string_view digits = "0123456789ABCDEF";
    /// No letter of it comes again at its end, so what stands around one makes no other; the first is none
    /// that means something behind a backslash.
    std::string mark_ = "Z_byte_";
    std::string text_;
};

/// A file that is read: its sections, and the first thing that is wrong.
struct File {
    const std::string& name;
    InAscii text;
    toml::table root;
    Result<void> result;

    [[nodiscard]] Error error_at(std::size_t line, const std::string& message, std::string hint) const {
        return {errc::bad_request, name + ":" + std::to_string(line) + ": " + message, std::move(hint), {}};
    }
};

/// Reads one table's keys; the first thing that is wrong is kept.
class Section {
  public:
    Section(File& file, const char* section) : section_(section), file_(file) {
        const auto* node = file.root.get(section);
        if (node == nullptr) return;
        table_ = node->as_table();
        if (table_ == nullptr) fail(*node, std::string(section) + " is a table: [" + section + "]");
    }

    /// Every key has been asked for: what is left over is unknown.
    ~Section() {
        if (table_ == nullptr) return;
        for (const auto& [key, node] : *table_) {
            const auto name = file_.text.restored(key.str());
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
            out = file_.text.restored(text->get());
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
            out.push_back(file_.text.restored(text->get()));
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
        if (file_.result) file_.result = file_.error_at(line, message, hint);
    }

    const toml::table* table_ = nullptr;
    std::string section_;
    File& file_;
    std::vector<std::string> known_;
};

const std::vector<std::string> sections{"listen", "engines", "access", "limits", "process", "log"};
const std::vector<std::string> levels{"trace", "debug", "info", "warn", "error"};

void refuse_unknown_sections(File& file) {
    for (const auto& [key, node] : file.root) {
        const auto section = file.text.restored(key.str());
        if (!file.result || std::ranges::find(sections, section) != sections.end()) continue;
        const auto names = nearest(section, sections);
        file.result = file.error_at(
            key.source().begin.line, "unknown section '" + section + "'",
            names.empty() ? "known: " + join_or(sections) : "did you mean " + join_or(names) + "?");
    }
}

void check_engine_addresses(Section& section, const char* key, const std::vector<std::string>& addresses) {
    for (const auto& address : addresses) {
        if (!address.starts_with("unix:///")) {
            section.fail_value(key, std::string(key) + ": '" + address + "' is not a Unix socket",
                               "write it as unix:///run/docker.sock");
        }
    }
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& name) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    File file{name, InAscii(text), {}, {}};
    if (const auto valid = valid_utf8(text); valid != text) {
        const auto* const at = std::ranges::mismatch(text, valid).in1;
        return file.error_at(static_cast<std::size_t>(1 + std::count(text.begin(), at, '\n')),
                             "this is not UTF-8", {});
    }
    try {
        file.root = toml::parse(file.text.text(), name);
    } catch (const toml::parse_error& error) {
        const auto line = error.source().begin.line;
        return file.error_at(line, file.text.restored(error.description()),
                             file.text.has_one_in(line) ? "what is not ASCII stands in quotes" : "");
    }
    refuse_unknown_sections(file);
    Config config;
    {
        Section listen(file, "listen");
        listen.read("socket", config.listen.socket);
        listen.read("group", config.listen.group);
        listen.read_mode("mode", config.listen.mode);
        if (!config.listen.socket.starts_with('/'))
            listen.fail_value("socket", "socket is an absolute path", {});
    }
    {
        Section engines(file, "engines");
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
        Section access(file, "access");
        access.read("observe", config.access.observe);
        access.read("probe", config.access.probe);
        access.read("trace", config.access.trace);
        access.read("capture", config.access.capture);
        access.read("host", config.access.host);
    }
    {
        Section limits(file, "limits");
        limits.read("operations", config.limits.operations, 1, 10'000);
        limits.read("packets_per_second", config.limits.packets_per_second, 1, 1'000'000'000);
        limits.read("capture_mib", config.limits.capture_mib, 1, 1'000'000);
    }
    {
        Section process(file, "process");
        process.read("user", config.process.user);
        process.read("patience_s", config.process.patience_s, 0, 3600);
    }
    {
        Section log(file, "log");
        log.read("level", config.log.level);
        if (std::ranges::find(levels, config.log.level) == levels.end()) {
            log.fail_value("level", "level: '" + config.log.level + "' is none", "one of " + join_or(levels));
        }
    }
    if (!file.result) return file.result.error();
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
