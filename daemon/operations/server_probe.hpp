#pragma once

#include "common/api/resolv.hpp"
#include "daemon/operations/dns_question.hpp"
#include "daemon/operations/output.hpp"
#include "daemon/operations/resolv_conf.hpp"
#include "daemon/operations/target_watch.hpp"

#include <span>
#include <vector>

namespace netlab::operations {

/// One server and what it is asked.
struct ServerQuestion {
    NameServer server;
    DnsQuestion question;
    std::uint16_t port = 53;
};

struct ServerAnswers {
    api::ResolvAnswer udp;
    api::ResolvAnswer tcp;
};

/// For `run` with Needs::ip_sockets, in the target's namespace: asks all servers at once, each over UDP and
/// TCP, and waits until all have answered or `wait` is over. Half-way a UDP query that nobody answered is
/// sent again: one lost datagram is no silent server. The answers are in the order of `questions`.
/// errc::target_gone; a server that says nothing is no error.
[[nodiscard]] Result<std::vector<ServerAnswers>> probe_servers(std::span<const ServerQuestion> questions,
                                                               std::chrono::microseconds wait,
                                                               const TargetWatch& watch, Output& output);

}  // namespace netlab::operations
