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

/// journald takes entries.
bool to_journal = false;

void write(const AuditFields& fields, std::string_view message_id, bool denied) {
    if (to_journal && write_journal(journal_entry(fields, message_id, denied ? LOG_WARNING : LOG_INFO)))
        return;
    spdlog::log(denied ? spdlog::level::warn : spdlog::level::info, "{}", line_of(fields));
}

}  // namespace

std::string escaped(std::string_view text) {
    return field(text, 128);
}

std::string printable(std::string_view text) {
    return visible(text, "\\", 512);
}

AuditFields decision_fields(const AuditEntry& entry, const Peer& peer, std::string_view decision) {
    AuditFields fields{{"req", fmt::format("{:x}", entry.request)},
                       {"uid", std::to_string(peer.uid)},
                       {"pid", std::to_string(peer.pid)},
                       {"op", std::string(entry.operation)},
                       {"role", std::string(entry.role)},
                       {"decision", std::string(decision)},
                       {"target", escaped(entry.target)},
                       {"id", escaped(entry.target_id)},
                       {"peer", escaped(entry.peer)},
                       {"ns", std::to_string(entry.inode)}};
    constexpr std::size_t longest_filter = 1024;
    if (entry.filter) fields.emplace_back("filter", field(*entry.filter, longest_filter));
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
    for (const auto& [name, value] : fields) {
        if (!line.empty()) line += ' ';
        line.append(name).append("=").append(value);
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
    auto logger =
        std::make_shared<spdlog::logger>("front", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_level(level);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
    spdlog::set_default_logger(std::move(logger));
    to_journal = open_journal();
}

}  // namespace netlab::front
