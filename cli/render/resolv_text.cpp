#include "cli/render/resolv_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/table.hpp"
#include "common/described.hpp"

#include <array>
#include <cstdio>

namespace netlab::cli {

namespace {

using api::ResolvAnswer;
using api::ResolvOutcome;
using api::ResolvServerKind;

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words)
        out += (out.empty() ? "" : " ") + escape(word);
    return out;
}

/// "  servers   127.0.0.11"
std::string field(const std::string& name, const std::string& value) {
    constexpr std::size_t width = 10;
    return "  " + name + std::string(width - std::min(width - 1, name.size()), ' ') + value + "\n";
}

template <class Row>
std::string ignored_lines(const Row& row) {
    std::string text;
    for (const auto& line : row.ignored) {
        text += field("ignored", "line " + std::to_string(line.line) + ": " + escape(line.text) + "  (" +
                                     escape(line.reason) + ")");
    }
    if (row.more_ignored > 0) text += field("ignored", std::to_string(row.more_ignored) + " lines more");
    return text;
}

std::string conf_text(const api::ResolvConfRow& row, bool wide) {
    std::string text = escape(row.path) + "\n";
    if (!row.message.empty()) text += field("state", escape(row.message));
    text += field("servers", (row.servers.empty() ? "not known" : joined(row.servers)) +
                                 (row.default_server ? "  (by default: it names none)" : ""));
    if (!row.search.empty()) text += field("search", joined(row.search));
    if (!row.options.empty()) text += field("options", joined(row.options));
    if (wide) {
        text += field("ndots", std::to_string(row.ndots));
        text += field("timeout", std::to_string(row.timeout_s) + " s");
        text += field("attempts", std::to_string(row.attempts));
    }
    return text + ignored_lines(row);
}

std::string hosts_text(const api::HostsRow& row, const Screen& screen) {
    std::string text = escape(row.path) + "\n";
    if (!row.message.empty()) text += field("state", escape(row.message));
    Table table{{"", ""}, {}};
    for (const auto& entry : row.entries) {
        std::string names;
        for (const auto& name : entry.names)
            names += (names.empty() ? "" : " ") + name;
        table.rows.push_back({"  " + entry.address.to_string(), names});
    }
    if (!table.rows.empty()) {
        const auto lines = to_text(table, screen);
        text += lines.substr(lines.find('\n') + 1);
    }
    if (row.more_entries > 0) text += field("", std::to_string(row.more_entries) + " entries more");
    return text + ignored_lines(row);
}

Cell answer_cell(const ResolvAnswer& answer) {
    std::array<char, 32> time{};
    if (answer.elapsed_us) std::snprintf(time.data(), time.size(), "%.2f ms", *answer.elapsed_us / 1000);
    switch (answer.outcome) {
        case ResolvOutcome::answered: {
            if (answer.rcode && *answer.rcode != "NOERROR" && *answer.rcode != "NXDOMAIN")
                return {std::string(time.data()) + " " + *answer.rcode, Hue::warning};
            return {time.data(), Hue::good};
        }
        case ResolvOutcome::timed_out:
            return {"no answer", Hue::bad};
        case ResolvOutcome::not_asked:
            return {"not asked", Hue::faint};
        case ResolvOutcome::unreachable:
        case ResolvOutcome::forbidden:
        case ResolvOutcome::malformed:
        case ResolvOutcome::failed:
            return {answer.message.empty() ? "failed" : answer.message, Hue::bad};
        default:
            return {std::string(described::enumerator_name(answer.outcome)), Hue::bad};
    }
}

const char* kind_words(ResolvServerKind kind) {
    switch (kind) {
        case ResolvServerKind::plain:
            return "resolv.conf";
        case ResolvServerKind::docker:
            return "Docker's DNS";
        case ResolvServerKind::podman:
            return "Podman's DNS";
        case ResolvServerKind::upstream:
            return "behind Docker's DNS";
    }
    return "";
}

std::string servers_text(const std::vector<api::ResolvServerRow>& servers, const Screen& screen) {
    Table table{{"SERVER", "FROM", "UDP", "TCP", "QUESTION"}, {}};
    for (const auto& server : servers) {
        table.rows.push_back({server.server, kind_words(server.kind), answer_cell(server.udp),
                              answer_cell(server.tcp), server.question.empty() ? "-" : server.question});
    }
    return to_text(table, screen);
}

std::string rule_place(const api::ResolvRule& rule) {
    std::string text = rule.table + " " + rule.chain;
    if (rule.handle) text += " handle " + std::to_string(*rule.handle);
    if (rule.number) text += " rule " + std::to_string(*rule.number);
    return rule.backend == "legacy" ? text + " (iptables-legacy)" : text;
}

Cell owner_cell(const api::ResolvPath& path) {
    if (!path.to) return "-";
    if (!path.socket) return {"nobody listens there", Hue::bad};
    if (!path.socket->owner) return "inode " + std::to_string(path.socket->inode);
    const auto& owner = *path.socket->owner;
    return owner.name + " (PID " + std::to_string(owner.host_pid) + " on the host, fd " +
           std::to_string(owner.fd) + ")";
}

const char* source_words(api::ResolvUpstreamSource source) {
    switch (source) {
        case api::ResolvUpstreamSource::resolv_conf:
            return "as Docker notes in resolv.conf";
        case api::ResolvUpstreamSource::container:
            return "by the container's --dns";
        case api::ResolvUpstreamSource::engine:
            return "by Docker's configuration";
        case api::ResolvUpstreamSource::host:
            return "by the host's resolv.conf";
        case api::ResolvUpstreamSource::unknown:
            break;
    }
    return "";
}

std::string embedded_text(const api::EmbeddedResolverRow& row, const Screen& screen, bool wide) {
    const auto port = row.address.find(':') == row.address.npos ? ":53" : " port 53";
    Table table{{escape(row.address) + port, "LEADS TO", "SOCKET OF", "BY RULE"}, {}};
    for (const auto& path : row.paths) {
        const Cell to =
            path.to ? Cell(*path.to)
                    : Cell(row.rules_known ? "nowhere" : "?", row.rules_known ? Hue::bad : Hue::plain);
        table.rows.push_back({path.protocol, to, owner_cell(path), path.rule ? rule_place(*path.rule) : "-"});
    }
    std::string text = to_text(table, screen);
    const auto rule = [&](const api::ResolvRule& one) {
        std::string line = rule_place(one) + ": " + one.text;
        if (one.packets) line += "  (" + std::to_string(*one.packets) + " packets)";
        text += field("rule", escape(line));
    };
    if (wide) {
        for (const auto& path : row.paths) {
            if (path.rule) rule(*path.rule);
        }
        for (const auto& one : row.source_rules)
            rule(one);
    }
    if (row.engine != api::Runtime::docker) return text;
    std::string upstreams;
    for (const auto& upstream : row.upstreams) {
        upstreams += (upstreams.empty() ? "" : ", ") + escape(upstream.server);
        if (upstream.from_host) upstreams += " (asked from the host)";
    }
    if (row.upstreams_from == api::ResolvUpstreamSource::unknown)
        return text + field("upstreams", "not known");
    if (upstreams.empty()) upstreams = "none";
    return text + field("upstreams", upstreams + "  (" + source_words(row.upstreams_from) + ")");
}

std::string findings_text(const std::vector<api::ResolvFinding>& findings) {
    std::string text;
    for (const auto& finding : findings) {
        text += (finding.problem ? "problem: " : "note: ") + escape(finding.message) + " [" +
                std::string(described::enumerator_name(finding.code)) + "]\n";
        if (!finding.suggestion.empty()) text += "  try: " + escape(finding.suggestion) + "\n";
    }
    return text;
}

}  // namespace

std::string resolv_text(const ResolvRows& rows, const Screen& screen, bool wide) {
    std::string text;
    const auto part = [&](const std::string& more) { text += (text.empty() ? "" : "\n") + more; };
    if (rows.conf) part(conf_text(*rows.conf, wide));
    if (!rows.servers.empty()) part(servers_text(rows.servers, screen));
    for (const auto& embedded : rows.embedded)
        part(embedded_text(embedded, screen, wide));
    if (rows.hosts) part(hosts_text(*rows.hosts, screen));
    if (!rows.findings.empty()) part(findings_text(rows.findings));
    return text;
}

}  // namespace netlab::cli
