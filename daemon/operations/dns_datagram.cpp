#include "daemon/operations/dns_datagram.hpp"

#include "daemon/operations/dns_message.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using Bytes = std::span<const std::uint8_t>;
using api::DnsAttemptOutcome;

constexpr std::size_t header_size = 12;

/// The query has one question and nothing behind it. A name in a question has nothing to point back to, so
/// equal questions are equal bytes, but for the case of the letters: those of a label's length are never
/// letters' values.
bool same_question(Bytes sent, Bytes received) {
    if (received[4] != sent[4] || received[5] != sent[5] || received.size() < sent.size()) return false;
    const auto lower = [](std::uint8_t c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : int{c}; };
    return std::ranges::equal(sent.subspan(header_size),
                              received.subspan(header_size, sent.size() - header_size), {}, lower, lower);
}

}  // namespace

std::optional<DnsAttemptOutcome> why_no_answer(Bytes sent, Bytes received) {
    if (received.size() < header_size) return DnsAttemptOutcome::malformed;
    const bool response = (received[2] & 0x80) != 0;
    if (!response) return DnsAttemptOutcome::malformed;
    if (received[0] != sent[0] || received[1] != sent[1]) return DnsAttemptOutcome::wrong_id;
    if (!same_question(sent, received)) return DnsAttemptOutcome::wrong_question;
    // What was cut off may have been cut in the middle of a record.
    if (!is_truncated(received) && !parse_dns_message(received)) return DnsAttemptOutcome::malformed;
    return std::nullopt;
}

bool is_truncated(Bytes message) {
    return message.size() >= header_size && (message[2] & 0x02) != 0;
}

}  // namespace netlab::operations
