#include "cli/render/dns_text.hpp"

#include "cli/render/escape.hpp"
#include "cli/render/ping_text.hpp"
#include "common/api/dns_words.hpp"

namespace netlab::cli::dns_text {

namespace {

using api::DnsAnswer;
using api::DnsAttempt;
using api::DnsAttemptOutcome;
using api::DnsOutcome;
using api::DnsTransport;

/// Fills with tabs up to a column, as dig does; a text that is longer is set apart by one.
std::string up_to(std::string text, std::size_t column) {
    constexpr std::size_t tab = 8;
    std::size_t at = text.size();
    do {
        text += '\t';
        at = at / tab * tab + tab;
    } while (at < column);
    return text;
}

std::string transport(DnsTransport by) {
    return by == DnsTransport::tcp ? "TCP" : "UDP";
}

std::string flags(const api::DnsFlags& set) {
    std::string text = "qr";
    if (set.aa) text += " aa";
    if (set.tc) text += " tc";
    if (set.rd) text += " rd";
    if (set.ra) text += " ra";
    if (set.ad) text += " ad";
    return text;
}

std::string server(const DnsAnswer& answer) {
    return escape(answer.server) +
           (answer.server_note.empty() ? "" : " (" + escape(answer.server_note) + ")");
}

std::string question(const std::string& name, const std::string& type) {
    return escape(name) + " IN " + escape(type);
}

std::string_view what(DnsAttemptOutcome outcome) {
    switch (outcome) {
        case DnsAttemptOutcome::answered:
            return "answered";
        case DnsAttemptOutcome::truncated:
            return "truncated";
        case DnsAttemptOutcome::timed_out:
            return "no answer";
        case DnsAttemptOutcome::refused:
            return "refused";
        case DnsAttemptOutcome::unreachable:
            return "unreachable";
        case DnsAttemptOutcome::forbidden:
            return "forbidden by a rule in OUTPUT";
        default:
            return api::what_came(outcome);
    }
}

std::string attempt_line(const DnsAttempt& attempt) {
    std::string text = ";; " + question(attempt.name, attempt.type) + ": " + escape(attempt.server) + " (" +
                       transport(attempt.transport) + "): ";
    text += attempt.rcode ? escape(*attempt.rcode) : std::string(what(attempt.outcome));
    if (attempt.detail) text += " (" + escape(*attempt.detail) + ")";
    return text + ", " + ping_text::milliseconds(attempt.elapsed_us) + " ms\n";
}

/// Those before the last one, and the last where it was no answer.
std::string attempts(const DnsAnswer& answer) {
    std::string text;
    for (std::size_t i = 0; i < answer.attempts.size(); ++i) {
        const bool last = i + 1 == answer.attempts.size();
        if (!last || answer.attempts[i].outcome != DnsAttemptOutcome::answered)
            text += attempt_line(answer.attempts[i]);
    }
    return text;
}

std::string section(const char* name, const std::vector<api::DnsRecord>& records) {
    if (records.empty()) return {};
    std::string text = std::string(";; ") + name + " SECTION:\n";
    for (const auto& record : records)
        text += line(record);
    return text;
}

std::string headline(const DnsAnswer& answer) {
    std::string text = ";; " + question(answer.name, answer.qtype) + ": ";
    if (answer.transport == DnsTransport::file)
        return text + (answer.outcome == DnsOutcome::no_data ? "none in " : "from ") + server(answer) +
               ", no server is asked\n";
    if (!answer.rcode) return {};
    text += escape(*answer.rcode);
    if (answer.outcome == DnsOutcome::no_data) text += ", no such record";
    text += ", from " + server(answer) + " (" + transport(answer.transport) + ")";
    if (answer.flags) text += ", flags: " + flags(*answer.flags);
    text += ", " + ping_text::milliseconds(answer.elapsed_us) + " ms";
    const bool told = !answer.attempts.empty() && answer.attempts.back().detail;
    return text + (told ? " (" + escape(*answer.attempts.back().detail) + ")" : "") + "\n";
}

}  // namespace

std::string line(const api::DnsRecord& record) {
    auto text = up_to(escape(record.name), 24);
    text = up_to(text + (record.ttl ? std::to_string(*record.ttl) : std::string()), 0);
    return text + escape(record.dns_class.value_or("IN")) + "\t" + escape(record.type) + "\t" +
           escape(record.data) + "\n";
}

std::string block(const DnsAnswer& answer, bool wide) {
    auto text = attempts(answer) + headline(answer);
    if (wide) text += section("ANSWER", answer.answers);
    for (const auto& record : wide ? std::vector<api::DnsRecord>{} : answer.answers)
        text += line(record);
    if (wide) text += section("AUTHORITY", answer.authority) + section("ADDITIONAL", answer.additional);
    if (answer.extra_bytes)
        text += ";; WARNING: " + std::to_string(*answer.extra_bytes) + " extra bytes behind the message\n";
    if (answer.more_records) text += ";; and " + std::to_string(*answer.more_records) + " more records\n";
    return text;
}

std::string block(const api::DnsReferral& referral) {
    std::string text;
    for (const auto& attempt : referral.attempts) {
        if (attempt.outcome != DnsAttemptOutcome::answered) text += attempt_line(attempt);
    }
    for (const auto& record : referral.records)
        text += line(record);
    text += ";; Received " + std::to_string(referral.bytes) + " bytes from " + escape(referral.server);
    if (!referral.server_name.empty()) text += "(" + escape(referral.server_name) + ")";
    return text + " in " + ping_text::milliseconds(referral.elapsed_us) + " ms\n\n";
}

std::string data(const DnsAnswer& answer) {
    std::string text;
    for (const auto& record : answer.answers)
        text += escape(record.data) + "\n";
    return text;
}

std::string explanations(const api::DnsReport& report, std::string_view lead) {
    std::string text;
    for (const auto& sentence : report.explanations)
        text.append(lead).append(escape(sentence)).append("\n");
    if (report.suggestion) text.append(lead).append("try: ").append(escape(*report.suggestion)).append("\n");
    return text;
}

}  // namespace netlab::cli::dns_text
