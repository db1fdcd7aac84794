#pragma once

#include "common/api/connect.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The processes by which engines carry published ports themselves.
namespace netlab::operations {

/// By the name of a process. It is only a name: anybody may give it to his own.
[[nodiscard]] bool is_port_proxy(std::string_view process);
/// Podman's conmon holds a published port so that nobody else takes it, and accepts nothing.
[[nodiscard]] bool only_reserves_port(std::string_view process);

/// What docker-proxy's arguments say: where it listens, and where it leads.
struct ProxyArguments {
    std::string protocol;
    std::optional<IpAddress> host;
    std::uint16_t host_port = 0;
    std::optional<IpAddress> container;
    std::uint16_t container_port = 0;
    friend bool operator==(const ProxyArguments&, const ProxyArguments&) = default;
};
/// With a zero after each.
[[nodiscard]] ProxyArguments parse_proxy_arguments(std::string_view cmdline);

/// Where docker-proxy's arguments (with a zero after each) lead; nullopt where they do not say.
[[nodiscard]] std::optional<api::Endpoint> parse_docker_proxy(std::string_view cmdline);

/// docker-proxy's processes, by their arguments. `prepare` reads, with Needs::processes; `run` understands.
class ProxyProcesses {
  public:
    [[nodiscard]] static ProxyProcesses read();
    void settle();
    [[nodiscard]] std::optional<api::Endpoint> target(std::int32_t host_pid) const;
    /// Where those lead that say to take this port of the host's at this address; anybody may say so.
    [[nodiscard]] std::vector<api::Endpoint> leading_from(std::string_view protocol,
                                                          const api::Endpoint& host) const;

  private:
    std::vector<std::pair<std::int32_t, std::string>> raw_;
    std::map<std::int32_t, api::Endpoint> targets_;
    std::vector<ProxyArguments> arguments_;
};

}  // namespace netlab::operations
