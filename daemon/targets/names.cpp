#include "daemon/targets/names.hpp"

#include "common/described.hpp"
#include "common/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace netlab::targets {

namespace {

constexpr std::array prefixes{api::Runtime::docker, api::Runtime::podman, api::Runtime::netns,
                              api::Runtime::pid};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/// Takes the run of digits at the start of `text` without its leading zeros.
std::string_view take_number(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    const auto number = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(number.size());
    return number;
}

std::string joined(std::string_view first, std::string_view second) {
    if (first.empty() || second.empty()) return std::string(first.empty() ? second : first);
    return std::string(first).append("; ").append(second);
}

std::string did_you_mean(const Word& word, std::span<const std::string> names) {
    auto near = nearest(word.name, names);
    if (near.empty()) return {};
    if (word.runtime) {
        for (auto& name : near)
            name = std::string(described::enumerator_name(*word.runtime)) + ":" + name;
    }
    return "did you mean " + join_or(near) + "?";
}

Error unknown_prefix(const Word& word, std::span<const std::string> names) {
    std::vector<std::string> known;
    for (const auto prefix : prefixes)
        known.emplace_back(described::enumerator_name(prefix));
    std::string hint;
    if (const auto near = nearest(word.unknown_prefix, known, 1); !near.empty()) {
        hint = "did you mean " + near.front() + ":" + valid_utf8(word.name.substr(0, 64)) + "?";
    } else if (std::ranges::find(names, word.unknown_prefix) != names.end()) {
        hint = "did you mean " + std::string(word.unknown_prefix) + "?";
    } else {
        hint = "the prefixes are docker:, podman:, netns: and pid:";
    }
    return {errc::no_such_target, "no target has the prefix " + quoted(word.unknown_prefix), hint, {}};
}

}  // namespace

Word split(std::string_view word) {
    const auto colon = word.find(':');
    if (colon == word.npos) return {std::nullopt, word, {}};
    const auto prefix = word.substr(0, colon);
    const auto name = word.substr(colon + 1);
    for (const auto runtime : prefixes) {
        if (prefix == described::enumerator_name(runtime)) return {runtime, name, {}};
    }
    return {std::nullopt, name, prefix};
}

bool natural_less(std::string_view a, std::string_view b) {
    const auto whole_a = a;
    const auto whole_b = b;
    while (!a.empty() && !b.empty()) {
        if (is_digit(a.front()) && is_digit(b.front())) {
            const auto left = take_number(a);
            const auto right = take_number(b);
            if (left.size() != right.size()) return left.size() < right.size();
            if (left != right) return left < right;
        } else {
            if (a.front() != b.front()) return a.front() < b.front();
            a.remove_prefix(1);
            b.remove_prefix(1);
        }
    }
    if (a.empty() != b.empty()) return a.empty();
    return whole_a < whole_b;  // they differ in leading zeros at most
}

bool is_engine_handle(std::string_view name) {
    for (const std::string_view prefix : {"netns-", "cni-"}) {
        if (!name.starts_with(prefix)) continue;
        name.remove_prefix(prefix.size());
        constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
        return std::ranges::equal(name, shape,
                                  [](char c, char s) { return s == '-' ? c == '-' : is_hex(c); });
    }
    return false;
}

bool is_id_prefix(std::string_view word) {
    return !word.empty() && std::ranges::all_of(word, is_hex);
}

Result<std::int32_t> parse_pid(std::string_view text) {
    std::int32_t pid = 0;
    const auto* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, pid);
    if (error == std::errc{} && end == last && pid > 0) return pid;
    return Error{errc::bad_request, quoted(text) + " is not a PID", "such as pid:4242", {}};
}

Error no_such_target(const Word& word, std::span<const std::string> names, const std::string& remark) {
    if (!word.unknown_prefix.empty()) {
        auto error = unknown_prefix(word, names);
        error.hint = joined(error.hint, remark);
        return error;
    }
    std::string message = "no target is called " + quoted(word.name);
    if (word.runtime == api::Runtime::docker) message = "docker has no container " + quoted(word.name);
    if (word.runtime == api::Runtime::podman) message = "podman has no container " + quoted(word.name);
    if (word.runtime == api::Runtime::netns) message = "no network namespace is called " + quoted(word.name);
    auto hint = joined(did_you_mean(word, names), remark);
    if (hint.empty()) hint = "netlab ls shows all targets";
    return {errc::no_such_target, std::move(message), std::move(hint), {}};
}

Error ambiguous_target(std::string_view word, std::vector<std::string> candidates) {
    constexpr std::size_t most = 10;
    const std::span shown(candidates.data(), std::min(candidates.size(), most));
    auto hint = "say " + join_or(shown);
    if (candidates.size() > most) hint += ", or another of " + std::to_string(candidates.size());
    return {errc::ambiguous_target, quoted(word) + " means " + std::to_string(candidates.size()) + " targets",
            std::move(hint), std::move(candidates)};
}

Error not_running(const api::Target& target) {
    using api::State;
    const auto engine = std::string(described::enumerator_name(target.runtime));
    const auto name = valid_utf8(target.name);
    std::string message = "container " + quoted(target.name) + " is not running: it is ";
    message += described::enumerator_name(target.state);
    std::string hint;
    switch (target.state) {
        case State::created:
        case State::exited:
            hint = engine + " start " + name;
            break;
        case State::restarting:
            hint = engine + " logs " + name + " may say why it keeps ending";
            break;
        case State::running:
        case State::paused:
            message = "container " + quoted(target.name) + " has no process";
            hint = engine + " inspect " + name;
            break;
        case State::removing:
        case State::dead:
            hint = engine + " rm " + name;
            break;
    }
    return {errc::target_not_running, std::move(message), std::move(hint), {}};
}

}  // namespace netlab::targets
