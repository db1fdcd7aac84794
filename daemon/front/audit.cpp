#include "daemon/front/audit.hpp"

#include "common/described.hpp"
#include "daemon/front/journal.hpp"

#include <algorithm>
#include <ctime>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

namespace netlab::front {

namespace {

/// Visible ASCII without `special` as it is, the rest as \xNN. UTF-8 too is escaped: bidi controls are UTF-8.
std::string visible(std::string_view text, std::string_view special, std::size_t longest) {
    std::string out;
    for (const char c : text.substr(0, longest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F && special.find(c) == special.npos) {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", byte);
        }
    }
    if (text.size() > longest) out += "...";
    return out;
}

std::string field(std::string_view text, std::size_t longest) {
    if (text.empty()) return "-";
    return visible(text, " =\"\\", longest);
}

/// Of a list of values, each separated from the next by a comma.
std::string one_of_several(std::string_view text) {
    constexpr std::size_t longest = 256;  // a file's name is no longer
    return text.empty() ? "-" : visible(text, " =\"\\,", longest);
}

std::string names_of(api::Roles roles) {
    std::string out;
    for (const auto role : roles.list())
        out.append(out.empty() ? "" : "+").append(described::enumerator_name(role));
    return out.empty() ? "-" : out;
}

/// journald takes entries.
bool to_journal = false;
/// Where it does not: a logger of the audit's own, which `[log] level` does not silence.
std::shared_ptr<spdlog::logger> lines;

void write(const AuditFields& fields, std::string_view message_id, bool denied) {
    if (to_journal && write_journal(journal_entry(fields, message_id, denied ? LOG_WARNING : LOG_INFO)))
        return;
    if (lines) lines->log(denied ? spdlog::level::warn : spdlog::level::info, "{}", line_of(fields));
}

}  // namespace

std::string escaped(std::string_view text) {
    return field(text, 128);
}

std::string printable(std::string_view text) {
    return visible(text, "\\", 512);
}

AuditFields decision_fields(const AuditEntry& entry, const Peer& peer, std::string_view decision) {
    constexpr std::size_t longest_words = 1024;
    AuditFields fields{{"req", fmt::format("{:x}", entry.request)},
                       {"uid", std::to_string(peer.uid)},
                       {"pid", std::to_string(peer.pid)},
                       {"op", std::string(entry.operation)},
                       {"role", names_of(entry.roles)},
                       {"decision", std::string(decision)},
                       {"target", field(entry.target, longest_words)}};
    // The words may be cut, and are the client's: what they come to is said of each.
    const std::vector<AuditTarget> none(1);
    const auto& targets = entry.targets.empty() ? none : entry.targets;
    for (const auto& target : targets)
        fields.emplace_back("id", one_of_several(target.id));
    fields.emplace_back("peer", escaped(entry.peer));
    for (const auto& target : targets)
        fields.emplace_back("ns", std::to_string(target.inode));
    if (entry.filter) fields.emplace_back("filter", field(*entry.filter, longest_words));
    return fields;
}

AuditFields result_fields(const AuditEntry& entry, std::chrono::steady_clock::time_point now) {
    const auto ms = std::chrono::duration<double, std::milli>(now - entry.since).count();
    AuditFields fields{{"req", fmt::format("{:x}", entry.request)},
                       {"op", std::string(entry.operation)},
                       {"result", std::string(entry.result)},
                       {"bytes", std::to_string(entry.bytes)},
                       {"ms", fmt::format("{:.3f}", ms)}};
    if (entry.counts) {
        fields.emplace_back("packets", std::to_string(entry.counts->packets));
        fields.emplace_back("dropped", std::to_string(entry.counts->dropped));
    }
    return fields;
}

std::string line_of(const AuditFields& fields) {
    std::string line;
    std::string_view last;
    for (const auto& [name, value] : fields) {
        if (name == last) {
            line.append(",").append(value);
            continue;
        }
        if (!line.empty()) line += ' ';
        line.append(name).append("=").append(value);
        last = name;
    }
    return line;
}

std::vector<std::string> journal_entry(const AuditFields& fields, std::string_view message_id, int priority) {
    std::vector<std::string> out{"MESSAGE=" + line_of(fields), "MESSAGE_ID=" + std::string(message_id),
                                 "PRIORITY=" + std::to_string(priority), "SYSLOG_IDENTIFIER=netlabd"};
    for (const auto& [name, value] : fields) {
        std::string upper(name);
        std::ranges::transform(upper, upper.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
        out.push_back("NETLAB_" + upper + "=" + value);
    }
    return out;
}

void log_decision(const AuditEntry& entry, const Peer& peer, std::string_view decision) {
    const bool denied =
        decision == described::enumerator_name(errc::permission_denied) || decision == foreign_peer;
    write(decision_fields(entry, peer, decision), decision_id, denied);
}

void log_result(const AuditEntry& entry) {
    write(result_fields(entry, std::chrono::steady_clock::now()), result_id, false);
}

void open_log(spdlog::level::level_enum level) {
    // glibc reads the time zone's file at the first conversion, UTC included; later no file can be opened.
    ::tzset();
    const auto sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
    const auto make = [&](const char* name, spdlog::level::level_enum least) {
        auto logger = std::make_shared<spdlog::logger>(name, sink);
        logger->set_level(least);
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
        return logger;
    };
    spdlog::set_default_logger(make("front", level));
    lines = make("audit", spdlog::level::trace);
    to_journal = open_journal();
}

}  // namespace netlab::front
