#include "cli/render/ping_text.hpp"

#include "cli/render/escape.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace netlab::cli::ping_text {

namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
    std::array<char, 256> buffer{};
    va_list arguments;
    va_start(arguments, pattern);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start here
    std::vsnprintf(buffer.data(), buffer.size(), pattern, arguments);
    va_end(arguments);
    return buffer.data();
}

std::string sequence(std::uint64_t seq) {
    return "icmp_seq=" + std::to_string(seq);
}

/// ", +2 errors" where there are any.
std::string besides(std::uint64_t count, const char* what) {
    return count == 0 ? std::string() : " +" + std::to_string(count) + " " + what + ",";
}

std::string resolution(const std::string& resolved_by) {
    if (resolved_by.empty() || resolved_by == "numeric") return {};
    if (resolved_by == "target") return ", the target's address";
    return ", resolved by " + escape(resolved_by);
}

}  // namespace

std::string milliseconds(double rtt_us) {
    // The steps of iputils' gather_statistics(): three figures are what the measurement is worth.
    if (rtt_us >= 99'950) return format("%.0f", rtt_us / 1000);
    if (rtt_us >= 9'995) return format("%.1f", rtt_us / 1000);
    if (rtt_us >= 999.5) return format("%.2f", rtt_us / 1000);
    return format("%.3f", rtt_us / 1000);
}

std::string line(const api::PingStart& start) {
    return "PING " + escape(start.to) + " (" + start.address.to_string() + ") from " + escape(start.from) +
           ": " + std::to_string(start.payload) + " data bytes" + resolution(start.resolved_by) + "\n";
}

std::string line(const api::PingReply& reply) {
    std::string text =
        std::to_string(reply.bytes) + " bytes from " + reply.from.to_string() + ": " + sequence(reply.seq);
    if (reply.ttl) text += " ttl=" + std::to_string(*reply.ttl);
    text += " time=" + milliseconds(reply.rtt_us) + " ms";
    if (reply.duplicate.value_or(false)) text += " (DUP!)";
    if (reply.late.value_or(false)) text += " (late)";
    if (reply.reordered.value_or(false)) text += " (out of order)";
    if (reply.corrupt.value_or(false)) text += " (corrupt)";
    return text + "\n";
}

std::string line(const api::PingLost& lost, double wait_ms) {
    return "no reply to " + sequence(lost.seq) + format(" within %g s", wait_ms / 1000) + "\n";
}

std::string line(const api::PingError& error) {
    std::string text = error.from ? "From " + error.from->to_string() + ": " + sequence(error.seq) + " "
                                  : sequence(error.seq) + ": ";
    text += escape(error.message);
    const bool told = error.message.find("mtu") != std::string::npos;
    if (error.mtu && !told) text += " (mtu = " + std::to_string(*error.mtu) + ")";
    return text + "\n";
}

std::string summary(const api::PingReport& report, bool wide) {
    std::string text = "\n--- " + escape(report.to) + " ping statistics ---\n" +
                       std::to_string(report.transmitted) + " packets transmitted, " +
                       std::to_string(report.received) + " received," +
                       besides(report.duplicates, "duplicates") + besides(report.corrupt, "corrupted") +
                       besides(report.late, "late") + besides(report.reordered, "out of order") +
                       besides(report.errors, "errors");
    if (report.loss_percent) text += format(" %g%% packet loss,", *report.loss_percent);
    text += format(" time %.0fms", report.elapsed_ms) + "\n";
    if (report.rtt_us) {
        const auto& rtt = *report.rtt_us;
        text += format("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", rtt.min / 1000, rtt.avg / 1000,
                       rtt.max / 1000, rtt.mdev / 1000);
        if (wide) text += format("rtt p50/p99 = %.3f/%.3f ms\n", rtt.p50 / 1000, rtt.p99 / 1000);
    }
    if (report.explanation) text += escape(*report.explanation) + "\n";
    if (report.suggestion) text += "try: " + escape(*report.suggestion) + "\n";
    return text;
}

}  // namespace netlab::cli::ping_text
