#include "cli/render/connect_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/ping_text.hpp"
#include "common/endpoint.hpp"

#include <array>
#include <cstdio>

namespace netlab::cli::connect_text {

namespace {

using api::ConnectOutcome;

std::string text_of(const api::Endpoint& endpoint) {
    return endpoint_text(endpoint.address, endpoint.port);
}

std::string decimal(const char* pattern, double value) {
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), pattern, value);
    return buffer.data();
}

std::string time(double us) {
    return " time=" + ping_text::milliseconds(us) + " ms";
}

/// "reset from 172.18.0.3 (ttl 64, 02:42:ac:12:00:03 on eth0)"
std::string who_refused(const api::Refusal& refusal) {
    if (refusal.way == api::RefusalWay::local) return escape(refusal.message);
    const bool icmp = refusal.way == api::RefusalWay::icmp;
    auto text = icmp ? "ICMP " + escape(refusal.message) : std::string("reset");
    if (refusal.from) text += " from " + refusal.from->to_string();
    if (icmp) return text;
    std::string details;
    const auto add = [&](const std::string& detail) { details += (details.empty() ? "" : ", ") + detail; };
    if (refusal.ttl) add("ttl " + std::to_string(*refusal.ttl));
    if (refusal.mac) add(escape(*refusal.mac));
    if (refusal.interface) details += (details.empty() ? "on " : " on ") + escape(*refusal.interface);
    return details.empty() ? text : text + " (" + details + ")";
}

std::string connected(const api::ConnectAttempt& attempt) {
    std::string text = "connected to " + text_of(attempt.remote);
    if (attempt.local) text += " from " + text_of(*attempt.local);
    text += ": seq=" + std::to_string(attempt.seq);
    if (attempt.handshake_us) text += time(*attempt.handshake_us);
    if (attempt.mss) text += " mss=" + std::to_string(*attempt.mss);
    if (attempt.retransmits) text += " (SYN sent " + std::to_string(*attempt.retransmits + 1) + " times)";
    return text;
}

std::string answered(const api::ConnectAttempt& attempt) {
    std::string text = std::to_string(attempt.bytes.value_or(0)) + " bytes from " + text_of(attempt.remote);
    if (attempt.local) text += " to " + text_of(*attempt.local);
    text += ": seq=" + std::to_string(attempt.seq);
    if (attempt.rtt_us) text += time(*attempt.rtt_us);
    return text;
}

std::string failed(const api::ConnectAttempt& attempt, double wait_ms) {
    const auto seq = ": seq=" + std::to_string(attempt.seq);
    const auto why = attempt.refusal ? " " + who_refused(*attempt.refusal) : std::string();
    const auto remote = text_of(attempt.remote);
    switch (attempt.outcome) {
        case ConnectOutcome::refused:
            return remote + " refused" + seq + why;
        case ConnectOutcome::unreachable:
            return remote + " unreachable" + seq + why;
        default:
            return "no answer from " + remote + " within " + decimal("%g s", wait_ms / 1000) + seq;
    }
}

std::string banner_line(const api::ConnectAttempt& attempt) {
    if (!attempt.banner) return {};
    const bool udp = attempt.bytes.has_value();
    std::string text = udp ? "  answer: " : "  banner: ";
    if (!attempt.banner->empty() || udp) return text + '"' + escape(*attempt.banner) + "\"\n";
    if (attempt.closed == "reset") return text + "none, the other end reset the connection\n";
    if (attempt.closed) return text + "none, the other end closed the connection\n";
    return text + "none in time\n";
}

std::string tls_line(const api::ConnectAttempt& attempt) {
    if (!attempt.tls) return {};
    const auto& tls = *attempt.tls;
    std::string text = tls.server_hello ? "  TLS: ServerHello" : "  TLS: no ServerHello";
    if (tls.version) text += ", " + escape(*tls.version);
    if (tls.cipher) text += ", " + escape(*tls.cipher);
    if (tls.alpn) text += ", ALPN " + escape(*tls.alpn);
    if (tls.subject) text += ", subject " + escape(*tls.subject);
    if (tls.error) text += ": " + escape(*tls.error);
    return text + "\n";
}

std::string counts(const api::ConnectReport& report) {
    std::string text = std::to_string(report.attempts) + " attempts";
    const auto add = [&](std::uint64_t count, const char* what) {
        if (count > 0) text += ", " + std::to_string(count) + " " + what;
    };
    add(report.connected, "connected");
    add(report.answered, "answered");
    add(report.silent, "without an answer");
    add(report.refused, "refused");
    add(report.unreachable, "unreachable");
    add(report.timed_out, "timed out");
    return text + ", time " + decimal("%.0fms", report.elapsed_ms) + "\n";
}

std::string times(const api::ConnectReport& report, bool wide) {
    if (!report.handshake_us) return {};
    const auto& us = *report.handshake_us;
    const auto ms = [](double value) { return decimal("%.3f", value / 1000); };
    const std::string what = report.protocol == "udp" ? "rtt" : "handshake";
    auto text = what + " min/avg/max/mdev = " + ms(us.min) + "/" + ms(us.avg) + "/" + ms(us.max) + "/" +
                ms(us.mdev) + " ms\n";
    if (wide) text += what + " p50/p99 = " + ms(us.p50) + "/" + ms(us.p99) + " ms\n";
    return text;
}

std::string listening(const api::ConnectReport& report) {
    if (!report.listening) return {};
    if (report.listening->empty()) return "nothing listens in " + escape(report.to) + "\n";
    std::string text;
    for (const auto& one : *report.listening) {
        text += "listening in " + escape(report.to) + ": " + text_of({one.address, one.port});
        if (one.v6only.value_or(false)) text += " (IPv6 only)";
        if (one.interface) text += " on " + escape(*one.interface);
        if (one.waiting && one.backlog && *one.waiting > 0)
            text += ", " + std::to_string(*one.waiting) + " of " + std::to_string(*one.backlog) + " wait";
        text += "\n";
    }
    return text;
}

}  // namespace

std::string line(const api::ConnectStart& start) {
    std::string text = "CONNECT " + escape(start.to) + " (" + text_of(start.remote) + "/" +
                       escape(start.protocol) + ") from " + escape(start.from);
    if (start.resolved_by == "target") return text + ", the target's address\n";
    if (!start.resolved_by.empty() && start.resolved_by != "numeric")
        text += ", resolved by " + escape(start.resolved_by);
    return text + "\n";
}

std::string line(const api::ConnectAttempt& attempt, double wait_ms) {
    std::string text;
    if (attempt.outcome == ConnectOutcome::connected) {
        text = connected(attempt);
    } else if (attempt.outcome == ConnectOutcome::answered) {
        text = answered(attempt);
    } else {
        text = failed(attempt, wait_ms);
    }
    return text + "\n" + banner_line(attempt) + tls_line(attempt);
}

std::string summary(const api::ConnectReport& report, SummaryForm form) {
    std::string text;
    if (report.attempts != 1 || form.counts) {
        const auto port = report.remote ? ":" + std::to_string(report.remote->port) : std::string();
        text += "\n--- " + escape(report.to) + port + " connect statistics ---\n" + counts(report) +
                times(report, form.wide);
    }
    if (form.wide) text += listening(report);
    if (report.explanation) text += escape(*report.explanation) + "\n";
    if (report.suggestion) text += "try: " + escape(*report.suggestion) + "\n";
    return text;
}

}  // namespace netlab::cli::connect_text
