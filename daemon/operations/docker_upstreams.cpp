#include "daemon/operations/docker_upstreams.hpp"

#include "common/json.hpp"
#include "daemon/operations/json_members.hpp"

namespace netlab::operations {

namespace {

using api::ResolvUpstreamSource;
using namespace json_members;

/// libnetwork, resolver.go: maxExtDNS.
constexpr std::size_t most_upstreams = 3;

/// The value of "--name=value" or of "--name", "value"; nullopt for another argument.
std::optional<std::string> value_of(std::string_view name, const std::vector<std::string_view>& arguments,
                                    std::size_t at) {
    const auto argument = arguments[at];
    if (!argument.starts_with(name)) return std::nullopt;
    const auto rest = argument.substr(name.size());
    if (rest.starts_with('=')) return std::string(rest.substr(1));
    if (rest.empty() && at + 1 < arguments.size()) return std::string(arguments[at + 1]);
    return std::nullopt;
}

Upstreams plain(const std::vector<std::string>& servers, ResolvUpstreamSource from) {
    Upstreams out{{}, from};
    for (const auto& server : servers) {
        if (out.servers.size() < most_upstreams) out.servers.push_back({server, false});
    }
    return out;
}

/// Those of the host's file: a loopback one is the host's own, so the engine asks it from there.
Upstreams of_host(const UpstreamSources& sources) {
    Upstreams out;
    if (!sources.host_resolv_conf) return out;
    auto conf = read_resolv_conf(*sources.host_resolv_conf);
    const bool stub = conf.conf.servers.size() == 1 && conf.conf.servers[0].to_string() == "127.0.0.53";
    if (stub && sources.host_systemd_resolv_conf) conf = read_resolv_conf(*sources.host_systemd_resolv_conf);
    // Then it takes some of its own making, which differ from version to version.
    if (conf.default_server) return out;
    out.from = ResolvUpstreamSource::host;
    for (const auto& server : conf.conf.servers)
        out.servers.push_back({server.to_string(), server.address.is_loopback()});
    return out;
}

}  // namespace

DockerdArguments parse_dockerd_arguments(std::string_view cmdline) {
    std::vector<std::string_view> arguments;
    while (!cmdline.empty()) {
        const auto argument = cmdline.substr(0, cmdline.find('\0'));
        arguments.push_back(argument);
        cmdline.remove_prefix(std::min(cmdline.size(), argument.size() + 1));
    }
    DockerdArguments out;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (auto file = value_of("--config-file", arguments, i)) out.config_file = std::move(*file);
        if (auto server = value_of("--dns", arguments, i)) out.dns.push_back(std::move(*server));
    }
    return out;
}

std::vector<std::string> parse_daemon_dns(std::string_view text) {
    const auto parsed = json::parse(text);
    const auto* fields = parsed ? parsed->if_object() : nullptr;
    return fields != nullptr ? texts_at(*fields, "dns") : std::vector<std::string>();
}

std::optional<ContainerDns> parse_container_dns(std::string_view body) {
    const auto parsed = json::parse(body);
    const auto* fields = parsed ? parsed->if_object() : nullptr;
    if (fields == nullptr) return std::nullopt;
    const auto& host_config = object_at(*fields, "HostConfig");
    return ContainerDns{texts_at(host_config, "Dns"), text_at(host_config, "NetworkMode")};
}

Upstreams docker_upstreams(const UpstreamSources& sources) {
    if (!sources.noted.empty()) {
        Upstreams out{{}, ResolvUpstreamSource::resolv_conf};
        for (const auto& server : sources.noted) {
            if (out.servers.size() < most_upstreams)
                out.servers.push_back({server.address, server.from_host});
        }
        return out;
    }
    if (!sources.container) return {};
    if (!sources.container->dns.empty())
        return plain(sources.container->dns, ResolvUpstreamSource::container);
    // Without knowing the engine's there is no saying that it is the host's.
    if (!sources.arguments || !sources.daemon_json) return {};
    auto engine = sources.arguments->dns;
    if (engine.empty()) engine = parse_daemon_dns(*sources.daemon_json);
    if (!engine.empty()) return plain(engine, ResolvUpstreamSource::engine);
    return of_host(sources);
}

}  // namespace netlab::operations
