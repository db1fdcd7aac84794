#pragma once

#include "common/api/resolv.hpp"
#include "daemon/operations/dns_client.hpp"

#include <span>
#include <string>
#include <vector>

namespace netlab::operations {

/// One server and what it is asked.
struct ServerQuestion {
    NameServer server;
    std::string name = ".";
    std::uint16_t type = dns_type::ns;

    /// ". NS", "2.0.18.172.in-addr.arpa PTR"
    [[nodiscard]] std::string to_string() const;
};

struct ServerAnswers {
    api::ResolvAnswer udp;
    api::ResolvAnswer tcp;
};

/// For `run` with Needs::ip_sockets, in the target's namespace: asks all servers at once, each over UDP and
/// TCP, and waits until all have answered or `wait` is over. One that has answered over TCP alone is asked
/// over UDP once more, for as long: one lost datagram is no silent server. The answers are in the order of
/// `questions`. errc as DnsClient::ask(); a server that says nothing is no error.
[[nodiscard]] Result<std::vector<ServerAnswers>> probe_servers(DnsClient& client,
                                                               std::span<const ServerQuestion> questions,
                                                               std::chrono::microseconds wait,
                                                               const TargetWatch& watch, Output& output);

}  // namespace netlab::operations
