#include "daemon/operations/server_probe.hpp"

#include "common/api/dns_words.hpp"

namespace netlab::operations {

namespace {

using api::DnsAttemptOutcome;
using api::DnsTransport;
using api::ResolvAnswer;
using api::ResolvOutcome;
using Clock = Output::Clock;

ResolvOutcome outcome_of(DnsAttemptOutcome outcome) {
    switch (outcome) {
        case DnsAttemptOutcome::answered:
        case DnsAttemptOutcome::truncated:  // an answer all the same
            return ResolvOutcome::answered;
        case DnsAttemptOutcome::timed_out:
            return ResolvOutcome::timed_out;
        case DnsAttemptOutcome::refused:
            return ResolvOutcome::refused;
        case DnsAttemptOutcome::unreachable:
            return ResolvOutcome::unreachable;
        case DnsAttemptOutcome::forbidden:
            return ResolvOutcome::forbidden;
        case DnsAttemptOutcome::closed:
            return ResolvOutcome::failed;
        default:
            return ResolvOutcome::malformed;
    }
}

/// The first attempt is the one that was wanted; after a truncated answer another follows.
ResolvAnswer answer_of(const DnsExchange& exchange) {
    ResolvAnswer out;
    if (exchange.attempts.empty()) {
        out.outcome = ResolvOutcome::failed;
        return out;
    }
    const auto& attempt = exchange.attempts.front();
    out.outcome = outcome_of(attempt.outcome);
    out.rcode = attempt.rcode;
    out.message = api::what_came(attempt.outcome);
    if (attempt.detail) out.message += (out.message.empty() ? "" : ": ") + *attempt.detail;
    if (out.outcome == ResolvOutcome::answered) out.elapsed_us = attempt.elapsed_us;
    return out;
}

DnsCall call_of(const ServerQuestion& question, DnsTransport transport) {
    return {question.server, question.name, question.type, transport, true};
}

}  // namespace

std::string ServerQuestion::to_string() const {
    return name + " " + dns_type_name(type);
}

Result<std::vector<ServerAnswers>> probe_servers(DnsClient& client, std::span<const ServerQuestion> questions,
                                                 std::chrono::microseconds wait, const TargetWatch& watch,
                                                 Output& output) {
    std::vector<DnsCall> calls;
    for (const auto& question : questions) {
        for (const auto transport : {DnsTransport::udp, DnsTransport::tcp})
            calls.push_back(call_of(question, transport));
    }
    const auto first = client.ask(calls, Clock::now() + wait, watch, output);
    if (!first) return first.error();
    std::vector<ServerAnswers> answers;
    std::vector<std::size_t> again;
    calls.clear();
    for (std::size_t i = 0; i < questions.size(); ++i) {
        answers.push_back({answer_of((*first)[2 * i]), answer_of((*first)[2 * i + 1])});
        const auto& [udp, tcp] = answers.back();
        if (udp.outcome != ResolvOutcome::timed_out || tcp.outcome != ResolvOutcome::answered) continue;
        again.push_back(i);
        calls.push_back(call_of(questions[i], DnsTransport::udp));
    }
    const auto second = client.ask(calls, Clock::now() + wait, watch, output);
    if (!second) return second.error();
    for (std::size_t i = 0; i < again.size(); ++i)
        answers[again[i]].udp = answer_of((*second)[i]);
    return answers;
}

}  // namespace netlab::operations
