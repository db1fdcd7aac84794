#include "daemon/operations/embedded_explanation.hpp"

#include "daemon/operations/network_facts.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::ResolvFindingCode;

constexpr const char* resolver_name = "Docker's DNS";

std::string upper(std::string word) {
    std::ranges::transform(word, word.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return word;
}

/// "UDP", "UDP and TCP": the protocols of the paths for which `wrong` holds.
template <class Wrong>
std::string protocols(const api::EmbeddedResolverRow& embedded, Wrong wrong) {
    std::vector<std::string> names;
    for (const auto& path : embedded.paths) {
        if (wrong(path)) names.push_back(upper(path.protocol));
    }
    return list_and(names);
}

}  // namespace

bool is_embedded_resolver(const api::Target& target, std::string_view server) {
    return target.runtime == api::Runtime::docker && server == embedded_address;
}

std::optional<api::ResolvFinding> explain_embedded_resolver(const api::Target& target,
                                                            const api::EmbeddedResolverRow& embedded,
                                                            bool engine_answers) {
    api::ResolvFinding finding;
    finding.target = target.name;
    finding.subject = embedded_address;
    const auto restart = "docker restart " + target.name;
    // A rule that netlab does not understand may be the one that leads there.
    const bool rules_told = embedded.rules_known && !embedded.uncertain;
    const auto no_rule = protocols(embedded, [](const auto& path) { return !path.to && !path.socket; });
    if (rules_told && !no_rule.empty()) {
        const bool sockets = std::ranges::any_of(
            embedded.paths, [](const auto& path) { return !path.to && !path.listening.empty(); });
        finding.code = ResolvFindingCode::embedded_rules_gone;
        const auto other = std::ranges::find_if(
            embedded.paths, [](const auto& path) { return !path.to && !path.socket && path.rule; });
        if (other != embedded.paths.end()) {
            finding.message = "the rule '" + other->rule->text + "' decides over what " + target.name +
                              " asks 127.0.0.11, before those of " + std::string(resolver_name) +
                              " or without them";
        } else {
            finding.message = "the DNAT rules of " + std::string(resolver_name) +
                              " are gone from the nat table of " + target.name + ": over " + no_rule +
                              ", 127.0.0.11 port 53 leads nowhere";
            if (sockets) finding.message += ", although the engine still listens there";
            finding.message += "; something in that namespace flushed or replaced them";
        }
        finding.suggestion = restart;
        return finding;
    }
    const auto no_socket = protocols(embedded, [](const auto& path) { return path.to && !path.socket; });
    if (!no_socket.empty()) {
        std::vector<std::string> ends;
        for (const auto& path : embedded.paths) {
            if (path.to && !path.socket) ends.push_back(*path.to);
        }
        finding.code = ResolvFindingCode::embedded_socket_gone;
        finding.message = "the rules of " + std::string(resolver_name) + " lead to " + list_and(ends) + " (" +
                          no_socket + "), where nobody listens any more: ";
        finding.message += engine_answers ? "the engine has lost its sockets in " + target.name
                                          : "the engine does not run, and its resolver went with it";
        finding.suggestion = engine_answers ? restart : "start Docker, then " + restart;
        return finding;
    }
    return std::nullopt;
}

}  // namespace netlab::operations
