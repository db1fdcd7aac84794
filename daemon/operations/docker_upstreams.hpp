#pragma once

#include "common/api/resolv.hpp"
#include "daemon/operations/resolv_conf.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Which servers Docker's embedded resolver passes questions on to. Nobody says it outright: libnetwork
/// (sandbox_dns_unix.go) takes the container's --dns, else dockerd's, else those of the host. Pure.
namespace netlab::operations {

/// What dockerd was started with, of its /proc/PID/cmdline.
struct DockerdArguments {
    std::string config_file = "/etc/docker/daemon.json";
    std::vector<std::string> dns;
    friend bool operator==(const DockerdArguments&, const DockerdArguments&) = default;
};
/// Arguments end with a zero byte each.
[[nodiscard]] DockerdArguments parse_dockerd_arguments(std::string_view cmdline);

/// "dns" of daemon.json; empty where there is none, and for what is no JSON.
[[nodiscard]] std::vector<std::string> parse_daemon_dns(std::string_view text);

/// What GET /containers/ID/json says: HostConfig.Dns, and in whose namespace the container is.
struct ContainerDns {
    std::vector<std::string> dns;
    std::string network_mode;  ///< "container:ID" of one that lives in another's
};
/// nullopt where it is no object.
[[nodiscard]] std::optional<ContainerDns> parse_container_dns(std::string_view body);

/// All that may say it; an absent one could not be read.
struct UpstreamSources {
    std::vector<ExternalServer> noted;  ///< in the container's resolv.conf
    std::optional<ContainerDns> container;
    std::optional<DockerdArguments> arguments;
    std::optional<std::string> daemon_json;  ///< text; "" where there is no such file
    std::optional<std::string> host_resolv_conf;
    /// /run/systemd/resolve/resolv.conf, which Docker takes where the host's names only 127.0.0.53.
    std::optional<std::string> host_systemd_resolv_conf;
};

struct Upstreams {
    std::vector<api::ResolvUpstream> servers;  ///< three at most
    api::ResolvUpstreamSource from = api::ResolvUpstreamSource::unknown;
};
[[nodiscard]] Upstreams docker_upstreams(const UpstreamSources& sources);

}  // namespace netlab::operations
