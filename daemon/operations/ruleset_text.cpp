#include "daemon/operations/ruleset_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace netlab::operations {

namespace {

constexpr std::string_view handle_mark = " # handle ";

template <class Number>
bool take_number(std::string_view& text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

/// Takes " # handle 5" off the end, with what an owned table has behind it. The last one is the real one:
/// what libnftables prints after it is its own.
std::optional<std::uint64_t> take_handle(std::string_view& line) {
    const auto at = line.rfind(handle_mark);
    if (at == line.npos) return std::nullopt;
    auto rest = line.substr(at + handle_mark.size());
    std::uint64_t handle = 0;
    if (!take_number(rest, handle) || (!rest.empty() && !rest.starts_with(" progname "))) return std::nullopt;
    line = line.substr(0, at);
    return handle;
}

/// `"…"` at the beginning, with append_printed()'s escapes undone.
std::optional<std::string> take_quoted(std::string_view& text) {
    if (!text.starts_with('"')) return std::nullopt;
    std::string out;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return out;
        }
        if (text[i] == '\\' && i + 1 < text.size()) {
            ++i;
            out += text[i] == 'n' ? '\n' : text[i];
        } else {
            out += text[i];
        }
    }
    return std::nullopt;
}

/// Where `word` begins outside of quotes and braces; npos where it does not.
std::size_t find_bare(std::string_view text, std::string_view word) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            auto rest = text.substr(i);
            if (!take_quoted(rest)) return text.npos;
            i = text.size() - rest.size() - 1;
            continue;
        }
        if (text[i] == '{') ++depth;
        if (text[i] == '}') --depth;
        if (depth == 0 && (i == 0 || text[i - 1] == ' ') && text.substr(i).starts_with(word)) return i;
    }
    return text.npos;
}

/// Moves "counter packets 1 bytes 2" from the text to where numbers are.
void take_counter(RuleText& rule) {
    constexpr std::string_view before = "counter packets ";
    constexpr std::string_view between = " bytes ";
    const auto at = find_bare(rule.text, before);
    if (at == rule.text.npos) return;
    std::string_view rest = std::string_view(rule.text).substr(at + before.size());
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    if (!take_number(rest, packets) || !rest.starts_with(between)) return;
    rest.remove_prefix(between.size());
    if (!take_number(rest, bytes) || (!rest.empty() && rest.front() != ' ')) return;
    rule.packets = packets;
    rule.bytes = bytes;
    auto text = rule.text.substr(0, at);
    if (!rest.empty()) {
        text += rest.substr(1);
    } else if (!text.empty()) {
        text.pop_back();
    }
    if (text.empty()) text = "counter";  // it does nothing else
    rule.text = std::move(text);
}

/// iptables' matches leave two spaces behind where they have no words.
void join_spaces(std::string& text) {
    bool quoted = false;
    char before = ' ';
    std::erase_if(text, [&](char c) {
        if (c == '"' && before != '\\') quoted = !quoted;
        const bool more = !quoted && c == ' ' && before == ' ';
        // Of two backslashes the second one escapes nothing.
        before = c == '\\' && before == '\\' ? '\0' : c;
        return more;
    });
    if (text.ends_with(' ')) text.pop_back();
}

RuleText rule_of(std::string_view line, std::uint64_t handle, std::size_t number) {
    RuleText rule;
    rule.handle = handle;
    rule.number = static_cast<std::uint32_t>(number);
    rule.text = line;
    take_counter(rule);
    join_spaces(rule.text);
    constexpr std::string_view comment = "comment ";
    if (const auto at = find_bare(rule.text, comment); at != rule.text.npos) {
        std::string_view rest = std::string_view(rule.text).substr(at + comment.size());
        if (auto words = take_quoted(rest); words && rest.empty()) rule.comment = std::move(*words);
    }
    rule.undecoded = says(rule.text, "xt match ") || says(rule.text, "xt target ");
    return rule;
}

/// What nft calls the priorities of its families (nft(8)).
std::optional<std::int32_t> priority_of(std::string_view family, std::string_view name) {
    struct Named {
        std::string_view name;
        std::int32_t value;
    };
    constexpr std::array bridge{Named{"dstnat", -300}, Named{"filter", -200}, Named{"out", 100},
                                Named{"srcnat", 300}};
    constexpr std::array other{Named{"raw", -300}, Named{"mangle", -150}, Named{"dstnat", -100},
                               Named{"filter", 0}, Named{"security", 50}, Named{"srcnat", 100},
                               Named{"out", 100}};
    const auto find = [&](const auto& names) -> std::optional<std::int32_t> {
        const auto found = std::ranges::find(names, name, &Named::name);
        return found == names.end() ? std::nullopt : std::optional(found->value);
    };
    return family == "bridge" ? find(bridge) : find(other);
}

/// "filter - 10", "-500".
bool take_priority(std::string_view family, std::string_view text, HookText& hook) {
    hook.priority_name = text;
    auto number = text;
    if (take_number(number, hook.priority)) return number.empty();
    const auto space = text.find(' ');
    const auto base = priority_of(family, text.substr(0, space));
    if (!base) return false;
    hook.priority = *base;
    if (space == text.npos) return true;
    auto rest = text.substr(space);
    const bool minus = rest.starts_with(" - ");
    if (!minus && !rest.starts_with(" + ")) return false;
    rest.remove_prefix(3);
    std::int32_t offset = 0;
    if (!take_number(rest, offset) || !rest.empty()) return false;
    std::int32_t sum = 0;
    if (minus ? __builtin_sub_overflow(*base, offset, &sum) : __builtin_add_overflow(*base, offset, &sum))
        return false;
    hook.priority = sum;
    return true;
}

std::string_view take_word(std::string_view& text) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    return word;
}

/// `"lo"`, or `= { "a", "b" }`.
bool take_devices(std::string_view& text, HookText& hook) {
    const bool list = text.starts_with("= { ");
    if (list) text.remove_prefix(4);
    do {
        auto device = take_quoted(text);
        if (!device) return false;
        hook.devices.push_back(std::move(*device));
        if (!text.starts_with(", ")) break;
        text.remove_prefix(2);
    } while (list);
    const std::string_view end = list ? " } " : " ";
    if (!text.starts_with(end)) return false;
    text.remove_prefix(end.size());
    return true;
}

/// "type filter hook input priority filter; policy accept;"
std::optional<HookText> parse_hook(std::string_view family, std::string_view line) {
    HookText hook;
    if (take_word(line) != "type") return std::nullopt;
    hook.type = take_word(line);
    if (take_word(line) != "hook") return std::nullopt;
    hook.hook = take_word(line);
    if (line.starts_with("device")) {
        take_word(line);
        if (!take_devices(line, hook)) return std::nullopt;
    }
    if (take_word(line) != "priority") return std::nullopt;
    const auto end = line.find(';');
    if (end == line.npos || !take_priority(family, line.substr(0, end), hook)) return std::nullopt;
    line.remove_prefix(end + 1);
    constexpr std::string_view policy = " policy ";
    if (line.starts_with(policy)) {
        line.remove_prefix(policy.size());
        hook.policy = line.substr(0, line.find(';'));
    }
    return hook;
}

/// The table of iptables that iptables-nft keeps under that name.
bool is_written_by_iptables(const TableText& table) {
    constexpr std::array tables{"filter", "nat", "mangle", "raw", "security"};
    constexpr std::array chains{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
    if (table.family != "ip" && table.family != "ip6") return false;
    if (std::ranges::count(tables, table.name) == 0) return false;
    return std::ranges::all_of(table.chains, [&](const ChainText& chain) {
        return !chain.hook || std::ranges::count(chains, chain.name) > 0;
    });
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    std::optional<std::vector<TableText>> parse() {
        std::vector<TableText> tables;
        while (next()) {
            if (line_.empty() || line_.starts_with("# ")) continue;
            if (!take_table(tables.emplace_back())) return std::nullopt;
        }
        return tables;
    }

  private:
    /// The next line without its indentation.
    bool next() {
        if (text_.empty()) return false;
        line_ = text_.substr(0, text_.find('\n'));
        text_.remove_prefix(std::min(text_.size(), line_.size() + 1));
        indentation_ = std::min(line_.find_first_not_of('\t'), line_.size());
        line_.remove_prefix(indentation_);
        return true;
    }

    [[nodiscard]] bool is_end(std::size_t indentation) const {
        return indentation_ == indentation && line_ == "}";
    }

    /// "… NAME {" with its handle behind it; leaves "… NAME".
    std::optional<std::uint64_t> take_head() {
        const auto handle = take_handle(line_);
        if (!handle || !line_.ends_with(" {")) return std::nullopt;
        line_.remove_suffix(2);
        return handle;
    }

    bool take_table(TableText& table) {
        const auto handle = take_head();
        if (!handle || indentation_ != 0 || take_word(line_) != "table") return false;
        table.handle = *handle;
        table.family = take_word(line_);
        table.name = line_;
        while (next()) {
            if (is_end(0)) {
                if (is_written_by_iptables(table)) table.backend = RuleBackend::iptables_nft;
                return true;
            }
            if (line_.empty()) continue;
            if (indentation_ != 1 || !take_member(table)) return false;
        }
        return false;
    }

    bool take_member(TableText& table) {
        if (line_.starts_with("comment ")) return take_comment(table.comment);
        if (line_.starts_with("flags ")) {
            take_word(line_);
            while (!line_.empty()) {
                auto flag = line_.substr(0, line_.find(','));
                line_.remove_prefix(std::min(line_.size(), flag.size() + 1));
                table.flags.emplace_back(flag);
                if (flag == "owner") table.owner_port = 0;
            }
            return true;
        }
        const auto handle = take_head();
        if (handle && line_.starts_with("chain ")) {
            take_word(line_);
            auto& chain = table.chains.emplace_back();
            chain.name = line_;
            chain.handle = *handle;
            return take_chain(table, chain);
        }
        if (!handle) {
            // Some kinds have none in some versions of nft.
            if (!line_.ends_with(" {")) return false;
            line_.remove_suffix(2);
        }
        auto& object = table.objects.emplace_back();
        object.handle = handle.value_or(0);
        object.kind = take_word(line_);
        if (object.kind == "ct") object.kind += " " + std::string(take_word(line_));
        object.name = line_;
        return take_object(object);
    }

    bool take_comment(std::string& comment) {
        take_word(line_);
        auto words = take_quoted(line_);
        if (!words || !line_.empty()) return false;
        comment = std::move(*words);
        return true;
    }

    bool take_chain(const TableText& table, ChainText& chain) {
        std::string rule;  // more than a line where it has a set with many elements
        while (next()) {
            if (is_end(1) && rule.empty()) return true;
            if (rule.empty() && line_.starts_with("type ") && chain.rules.empty()) {
                chain.hook = parse_hook(table.family, line_);
                if (!chain.hook) return false;
                continue;
            }
            const auto handle = take_handle(line_);
            if (!handle && rule.empty() && chain.rules.empty() && line_.starts_with("comment ")) {
                if (!take_comment(chain.comment)) return false;
                continue;
            }
            rule += (rule.empty() ? "" : " ") +
                    std::string(line_.substr(std::min(line_.find_first_not_of(' '), line_.size())));
            if (!handle) continue;
            chain.rules.push_back(rule_of(rule, *handle, chain.rules.size() + 1));
            rule.clear();
        }
        return false;
    }

    bool take_object(ObjectText& object) {
        while (next()) {
            if (is_end(1)) return true;
            if (!object.text.empty()) object.text += '\n';
            object.text += line_.substr(std::min(line_.find_first_not_of(' '), line_.size()));
        }
        return false;
    }

    std::string_view text_;
    std::string_view line_;
    std::size_t indentation_ = 0;
};

}  // namespace

void append_printed(std::string& text, std::string_view printed) {
    constexpr std::string_view between = " \t\n,";
    const auto first = std::min(printed.find_first_not_of(between), printed.size());
    const auto last = printed.find_last_not_of('\n');
    const auto quote = printed.find('"');
    const auto last_quote = printed.rfind('"');
    for (std::size_t i = 0; i < printed.size(); ++i) {
        const char c = printed[i];
        const bool inside = quote < i && i < last_quote;
        if (c == '\n' && first < i && i < last) {
            text += "\\n";
        } else if (inside && (c == '"' || c == '\\')) {
            text += '\\';
            text += c;
        } else {
            text += c;
        }
    }
}

bool says(std::string_view text, std::string_view words) {
    return find_bare(text, words) != text.npos;
}

std::optional<std::vector<TableText>> parse_ruleset(std::string_view text) {
    return Parser(text).parse();
}

const TableText* find_table(const std::vector<TableText>& tables, std::string_view family,
                            std::string_view name, bool legacy) {
    const auto found = std::ranges::find_if(tables, [&](const TableText& table) {
        return table.family == family && table.name == name &&
               (table.backend == RuleBackend::iptables_legacy) == legacy;
    });
    return found == tables.end() ? nullptr : &*found;
}

const ChainText* find_chain(const TableText& table, std::string_view name) {
    const auto found = std::ranges::find(table.chains, name, &ChainText::name);
    return found == table.chains.end() ? nullptr : &*found;
}

const RuleText* find_rule(const std::vector<TableText>& tables, std::string_view family,
                          std::string_view table, std::string_view chain, std::uint64_t handle) {
    const auto* in_table = find_table(tables, family, table);
    const auto* in_chain = in_table == nullptr ? nullptr : find_chain(*in_table, chain);
    if (in_chain == nullptr) return nullptr;
    const auto found = std::ranges::find(in_chain->rules, handle, &RuleText::handle);
    return found == in_chain->rules.end() ? nullptr : &*found;
}

}  // namespace netlab::operations
