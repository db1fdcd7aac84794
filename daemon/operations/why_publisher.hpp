#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/proxy_processes.hpp"
#include "daemon/operations/why_facts.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

/// A published port that a process of the engine's (docker-proxy) may take on the host.
namespace netlab::operations {

/// Whose port it is.
struct Publisher {
    const api::Target* target = nullptr;
    std::size_t place = 0;                 ///< of its namespace
    std::vector<api::Endpoint> ways = {};  ///< where its process may lead
};

/// Who of Context::publishers publishes that port of the host's. `first`: the first one's place. What is no
/// host's own address is for the caller to leave out. Pure; the result points into `context`.
[[nodiscard]] std::optional<Publisher> find_publisher(const api::Context& context, std::size_t first,
                                                      std::string_view protocol, const api::Endpoint& host,
                                                      const ProxyProcesses& proxies);

/// How the host sends to the container behind such a process.
struct ProxyRoute {
    std::string output;  ///< interface
    IpAddress own;       ///< the source that it gives its own packets there
};

/// What the host's rules would do to the connection that such a process makes, and to its answer. Pure.
[[nodiscard]] LegRules decide_leg_by_rules(const FamilyRules& rules, const std::string& host,
                                           const ProxyRoute& route, api::WhyProtocol protocol,
                                           const api::Endpoint& to);

/// The connections of such a process to the container behind it, by what the host's sockets say.
class ProxyLegs {
  public:
    ProxyLegs() = default;
    /// Those that are there by now are none of the flow's. `sock_diag_socket` is the host's, borrowed; -1:
    /// none.
    ProxyLegs(int sock_diag_socket, std::vector<api::Endpoint> ways);

    /// `given_up`: the process has ended the flow's connection.
    [[nodiscard]] BehindProxy::Leg look(bool given_up) const;

  private:
    /// By their own ports.
    [[nodiscard]] std::set<std::uint16_t> ports(bool established) const;

    int socket_ = -1;
    std::vector<api::Endpoint> ways_;
    std::set<std::uint16_t> before_;
};

}  // namespace netlab::operations
