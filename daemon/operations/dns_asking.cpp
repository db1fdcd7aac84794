#include "daemon/operations/dns_asking.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/random.h>

namespace netlab::operations {

namespace {

using api::DnsAttempt;
using api::DnsAttemptOutcome;
using api::DnsTransport;

Error ares_error(const char* what, int status) {
    return {errc::operation_failed, std::string("cannot ") + what + ": " + ::ares_strerror(status), {}, {}};
}

Result<std::uint16_t> random_id() {
    std::uint16_t id = 0;
    if (::getrandom(&id, sizeof id, 0) != sizeof id)
        return system_error(errc::operation_failed, "get random bytes", errno);
    return id;
}

/// In the order in which the one explains more than the next, where a question has come to nothing.
DnsAttemptOutcome attempt_outcome(const DnsSocketFacts& facts) {
    if (facts.failure) return *facts.failure;
    if (facts.truncated) return DnsAttemptOutcome::truncated;
    return facts.ignored.value_or(DnsAttemptOutcome::timed_out);
}

NameOutcome name_outcome(DnsAttemptOutcome outcome) {
    switch (outcome) {
        case DnsAttemptOutcome::refused:
        case DnsAttemptOutcome::unreachable:
        case DnsAttemptOutcome::forbidden:
            return NameOutcome::no_server;
        case DnsAttemptOutcome::malformed:
        case DnsAttemptOutcome::closed:
            return NameOutcome::server_failure;
        default:
            return NameOutcome::timed_out;
    }
}

double microseconds(Output::Clock::duration time) {
    return std::chrono::duration<double, std::micro>(std::chrono::floor<std::chrono::nanoseconds>(time))
        .count();
}

/// A server that neither knows, nor recurses, nor points elsewhere: glibc goes on to the next one.
bool is_lame(const DnsMessage& message) {
    return !message.flags.aa && !message.flags.ra && message.additional.empty();
}

}  // namespace

void AresDestroy::operator()(ares_channeldata* channel) const noexcept {
    ::ares_destroy(channel);
}

Result<DnsAsking::Channel> DnsAsking::open_channel(DnsTransport transport) {
    ares_options options{};
    in_addr nobody{htonl(INADDR_LOOPBACK)};
    char lookups[] = "b";
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
                    (transport == DnsTransport::tcp ? ARES_FLAG_USEVC : 0);
    // The caller's clock decides.
    options.timeout = 600'000;
    options.tries = 1;
    options.ndots = 1;
    options.servers = &nobody;
    options.nservers = 1;
    options.lookups = lookups;
    // All that c-ares would else read from the host's files is given, so it opens none but /dev/urandom.
    constexpr int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                         ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST |
                         ARES_OPT_NOROTATE;
    ares_channel channel = nullptr;
    if (const int status = ::ares_init_options(&channel, &options, mask); status != ARES_SUCCESS)
        return ares_error("set up the resolver", status);
    return Channel(channel);
}

DnsAsking::DnsAsking(Channel channel) : channel_(std::move(channel)) {
    sockets_.attach(channel_.get());
}

Result<std::unique_ptr<DnsAsking>> DnsAsking::open(DnsTransport transport) {
    auto channel = open_channel(transport);
    if (!channel) return channel.error();
    return std::unique_ptr<DnsAsking>(new DnsAsking(std::move(*channel)));
}

Result<bool> DnsAsking::start(const DnsCall& call) {
    call_ = &call;
    done_ = false;
    answer_.clear();
    begin_ = Clock::now();
    const auto id = random_id();
    if (!id) return id.error();
    const auto name = dns_wire_name(call.name);
    if (!name) return false;
    query_ = dns_query(*id, *name, call.type, call.recursion);
    sockets_.begin(call.server, query_);
    if (auto set = set_server(); !set) return set.error();
    ::ares_send(channel_.get(), query_.data(), static_cast<int>(query_.size()), &told, this);
    return true;
}

void DnsAsking::append_sockets(std::vector<pollfd>& out) const {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets;
    const auto bits =
        static_cast<unsigned>(::ares_getsock(channel_.get(), sockets.data(), ARES_GETSOCK_MAXNUM));
    for (unsigned i = 0; i < sockets.size(); ++i) {
        short events = 0;
        if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
        if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
        if (events != 0) out.push_back({sockets[i], events, 0});
    }
}

void DnsAsking::repeat() {
    if (call_->insist) sockets_.send_again();
}

void DnsAsking::process(const pollfd& socket) {
    const bool readable = (socket.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
    const bool writable = (socket.revents & POLLOUT) != 0;
    if (!readable && !writable) return;
    ::ares_process_fd(channel_.get(), readable ? socket.fd : ARES_SOCKET_BAD,
                      writable ? socket.fd : ARES_SOCKET_BAD);
}

DnsExchange DnsAsking::finish() {
    if (!done_) sockets_.give_up();
    if (const auto answer = sockets_.long_answer(); !answer.empty())
        answer_.assign(answer.begin(), answer.end());
    const bool answered = done_ && !answer_.empty();
    if (!done_) ::ares_cancel(channel_.get());
    DnsExchange exchange;
    for (const auto& facts : sockets_.facts())
        exchange.attempts.push_back(attempt_of(facts));
    if (exchange.attempts.empty()) exchange.attempts.push_back(attempt_of({}));
    auto& last = exchange.attempts.back();
    if (answered) take_answer(exchange);
    exchange.transport = last.transport;
    exchange.elapsed_us = last.elapsed_us;
    if (!exchange.message) exchange.outcome = name_outcome(last.outcome);
    return exchange;
}

void DnsAsking::told(void* argument, int status, int, unsigned char* message, int length) {
    auto& asking = *static_cast<DnsAsking*>(argument);
    asking.done_ = true;
    asking.end_ = Clock::now();
    if (status == ARES_SUCCESS && length > 0) asking.answer_.assign(message, message + length);
}

Result<void> DnsAsking::set_server() {
    ares_addr_port_node node{};
    const auto bytes = call_->server.address.bytes();
    node.family = call_->server.address.is_v4() ? AF_INET : AF_INET6;
    std::memcpy(&node.addr, bytes.data(), bytes.size());
    node.udp_port = node.tcp_port = call_->server.port;
    const int status = ::ares_set_servers_ports(channel_.get(), &node);
    if (status != ARES_SUCCESS) return ares_error("set the DNS server", status);
    return {};
}

DnsAttempt DnsAsking::attempt_of(const DnsSocketFacts& facts) const {
    DnsAttempt attempt;
    attempt.name = shown_dns_name(call_->name);
    attempt.type = dns_type_name(call_->type);
    attempt.server = call_->server.to_string();
    attempt.transport = facts.transport;
    attempt.outcome = attempt_outcome(facts);
    const auto asked = facts.asked == Clock::time_point{} ? begin_ : facts.asked;
    attempt.elapsed_us = microseconds(facts.ended.value_or(Clock::now()) - asked);
    if (!facts.detail.empty()) attempt.detail = facts.detail;
    return attempt;
}

void DnsAsking::take_answer(DnsExchange& exchange) const {
    auto& last = exchange.attempts.back();
    const auto facts = sockets_.facts();
    last.elapsed_us = microseconds(end_ - (facts.empty() ? begin_ : facts.back().asked));
    auto message = parse_dns_message(answer_);
    if (!message) {
        last.outcome = DnsAttemptOutcome::malformed;
        last.detail = message.error().message;
        return;
    }
    last.outcome = DnsAttemptOutcome::answered;
    last.detail.reset();
    // Its time is that from the first question on, so it says why it is so long.
    if (!facts.empty() && facts.back().again)
        last.detail = "asked once more after " + std::to_string(facts.back().again->count()) + " ms";
    last.rcode = dns_rcode_name(message->rcode);
    exchange.outcome = outcome_of(*message, call_->name, call_->type);
    exchange.message = std::move(*message);
}

std::string reason_of(const DnsExchange& exchange) {
    if (exchange.attempts.empty()) return {};
    const auto& last = exchange.attempts.back();
    switch (last.outcome) {
        case DnsAttemptOutcome::answered:
            return last.rcode == "NOERROR" ? "it has no data, does not recurse and points nowhere"
                                           : last.rcode.value_or("");
        case DnsAttemptOutcome::forbidden:
            return "a rule in the OUTPUT of the namespace that asks forbids it (" + last.detail.value_or("") +
                   ")";
        case DnsAttemptOutcome::closed:
            return "it closes the TCP connection without an answer";
        case DnsAttemptOutcome::malformed:
            return "what it sends is no DNS message" + (last.detail ? ": " + *last.detail : "");
        case DnsAttemptOutcome::refused:
        case DnsAttemptOutcome::unreachable:
            return last.detail.value_or("");
        default:
            return {};
    }
}

NameOutcome outcome_of(const DnsMessage& message, std::string_view name, std::uint16_t type) {
    switch (message.rcode) {
        case dns_rcode::no_error:
            break;
        case dns_rcode::no_such_name:
            return NameOutcome::no_such_name;
        case dns_rcode::format_error:
        case dns_rcode::not_implemented:
        case dns_rcode::refused:
            return NameOutcome::refused;
        default:
            return NameOutcome::server_failure;
    }
    const auto records = records_of(message, name, type);
    const bool found = type == dns_type::any
                           ? !records.empty()
                           : std::ranges::find(records, type, &DnsResource::type) != records.end();
    if (found) return NameOutcome::resolved;
    return message.answers.empty() && is_lame(message) ? NameOutcome::refused : NameOutcome::no_data;
}

}  // namespace netlab::operations
