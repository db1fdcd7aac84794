#include "daemon/front/audit.hpp"

#include "common/described.hpp"

#include <ctime>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

}  // namespace

std::string escaped(std::string_view text) {
    return field(text, 128);
}

std::string printable(std::string_view text) {
    return visible(text, "\\", 512);
}

std::string decision_line(const AuditEntry& entry, const Peer& peer, std::string_view decision) {
    auto line = fmt::format("req={:x} uid={} pid={} op={} role={} decision={} target={} peer={} ns={}",
                            entry.request, peer.uid, peer.pid, entry.operation, entry.role, decision,
                            escaped(entry.target), escaped(entry.peer), entry.inode);
    constexpr std::size_t longest_filter = 1024;
    if (entry.filter) line += " filter=" + field(*entry.filter, longest_filter);
    return line;
}

std::string result_line(const AuditEntry& entry, std::chrono::steady_clock::time_point now) {
    const auto ms = std::chrono::duration<double, std::milli>(now - entry.since).count();
    auto line = fmt::format("req={:x} op={} result={} bytes={} ms={:.3f}", entry.request, entry.operation,
                            entry.result, entry.bytes, ms);
    if (entry.counts)
        line += fmt::format(" packets={} dropped={}", entry.counts->packets, entry.counts->dropped);
    return line;
}

void log_decision(const AuditEntry& entry, const Peer& peer, std::string_view decision) {
    const bool denied = decision == described::enumerator_name(errc::permission_denied);
    spdlog::log(denied ? spdlog::level::warn : spdlog::level::info, "{}",
                decision_line(entry, peer, decision));
}

void log_result(const AuditEntry& entry) {
    spdlog::info("{}", result_line(entry, std::chrono::steady_clock::now()));
}

void open_log(spdlog::level::level_enum level) {
    // glibc reads the time zone's file at the first conversion, UTC included; later no file can be opened.
    ::tzset();
    auto logger =
        std::make_shared<spdlog::logger>("front", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_level(level);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace netlab::front
