#include "common/api/resolv.hpp"

#include "daemon/kernel/address.hpp"
#include "daemon/operations/docker_resolver.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/loopback_interface.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/numeric_host.hpp"
#include "daemon/operations/podman_resolver.hpp"
#include "daemon/operations/resolv_findings.hpp"
#include "daemon/operations/resolver_files.hpp"
#include "daemon/operations/server_probe.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>

/// `netlab resolv`: a target's resolver files, its servers, and what stands behind Docker's 127.0.0.11.
namespace netlab::operations::resolv {

namespace {

using api::ResolvServerKind;

/// Those of resolv.conf, and those behind Docker's.
constexpr std::size_t most_servers = 2 * ResolvConf::most_servers;

struct Handles {
    TargetWatch watch;
    ResolverFile conf_file;
    ResolverFile hosts_file;
    UniqueFd conf;
    UniqueFd hosts;
    UniqueFd route;
    std::optional<DnsClient> dns;
    std::optional<DockerResolver> docker;  ///< of a container of Docker's
    std::optional<PodmanResolver> podman;  ///< of a container of Podman's
};

Result<Handles> prepare(Namespaces& namespaces, const api::ResolvRequest&, const api::Context& context) {
    Handles handles;
    auto& target = namespaces[0];
    auto watch = TargetWatch::open(context.targets.front(), target);
    if (!watch) return watch.error();
    handles.watch = std::move(*watch);
    handles.conf = std::move(target.resolv_conf);
    handles.hosts = std::move(target.hosts);
    handles.conf_file = std::move(target.resolv_conf_file);
    handles.hosts_file = std::move(target.hosts_file);
    complete(handles.conf_file, handles.conf, "/etc/resolv.conf");
    complete(handles.hosts_file, handles.hosts, "/etc/hosts");
    if (context.targets.front().runtime == api::Runtime::podman) {
        // Nothing has been entered yet: this is the host's namespace.
        auto podman = PodmanResolver::open();
        if (!podman) return podman.error();
        handles.podman = std::move(*podman);
    }
    if (context.targets.front().runtime == api::Runtime::docker) {
        auto docker = DockerResolver::open(namespaces, context, true);
        if (!docker) return docker.error();
        handles.docker = std::move(*docker);
    }
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    auto route = kernel::open_route_socket();
    if (!route) return route.error();
    handles.route = std::move(*route);
    auto dns = DnsClient::open(most_servers, most_servers);
    if (!dns) return dns.error();
    handles.dns = std::move(*dns);
    return handles;
}

/// An address of the target's that its engine's DNS knows it by; of one that lives in another's namespace the
/// first global one there.
std::optional<IpAddress> own_address(const api::Target& target, int route_socket) {
    std::vector<IpAddress> found;
    for (const auto& membership : target.networks) {
        if (membership.name == default_network(target.runtime)) continue;
        for (const auto& prefix : membership.addresses)
            found.push_back(prefix.address());
    }
    if (found.empty() && target.networks.empty()) {
        if (const auto addresses = kernel::dump_addresses(route_socket)) {
            for (const auto& address : addresses->rows) {
                if (address.scope == RT_SCOPE_UNIVERSE) found.push_back(address.prefix.address());
            }
        }
    }
    std::ranges::stable_sort(found, {}, &IpAddress::family);
    return found.empty() ? std::nullopt : std::optional(found.front());
}

/// Podman's networks each have their DNS at the gateway's address.
bool is_podman_server(const api::Target& target, const IpAddress& server) {
    return target.runtime == api::Runtime::podman &&
           std::ranges::any_of(target.networks, [&](const api::Membership& membership) {
               return membership.name != default_network(target.runtime) &&
                      (membership.gateway == server || membership.gateway_v6 == server);
           });
}

class Inspection {
  public:
    Inspection(Handles& handles, const api::ResolvRequest& request, const api::Target& target, Rows& rows,
               Output& output)
        : handles_(handles), request_(request), target_(target), rows_(rows), output_(output) {}

    Result<void> run() {
        const auto conf = read_resolv_conf_row(target_.name, {handles_.conf_file, handles_.conf.get()});
        rows_.add(conf.row);
        rows_.add(read_hosts_row(target_.name, {handles_.hosts_file, handles_.hosts.get()}));
        for (const auto& server : conf.reading.conf.servers) {
            if (!conf.row.servers.empty()) add_server(server);
        }
        if (auto looked = look_behind(conf.reading); !looked) return looked;
        if (auto asked = ask(); !asked) return asked;
        for (const auto& server : servers_)
            rows_.add(server);
        for (const auto& finding :
             resolv_findings({target_, conf.row, conf.reading.skipped, servers_, embedded_, engine_answers(),
                              request_.wait_ms, loopback_is_down(handles_.route.get()), way()})) {
            rows_.add(finding);
            if (finding.problem) rows_.finding();
        }
        return {};
    }

  private:
    using ServerRow = api::ResolvServerRow;

    [[nodiscard]] bool engine_answers() const {
        return !handles_.docker || handles_.docker->engine_answers();
    }

    /// Of a silent server behind Docker's resolver; else nothing is asked.
    [[nodiscard]] UpstreamWay way() const {
        const bool silent = std::ranges::any_of(servers_, [](const ServerRow& server) {
            return server.kind == ResolvServerKind::upstream &&
                   server.udp.outcome != api::ResolvOutcome::answered &&
                   server.udp.outcome != api::ResolvOutcome::not_asked;
        });
        if (!silent || !handles_.docker) return {};
        const auto docker =
            std::ranges::find(embedded_, api::Runtime::docker, &api::EmbeddedResolverRow::engine);
        auto way = look_at_routes(handles_.route.get(), docker == embedded_.end()
                                                            ? std::vector<api::ResolvUpstream>{}
                                                            : docker->upstreams);
        way.internal = handles_.docker->internal_networks(target_, output_);
        return way;
    }

    /// What stands behind each server that is an engine's own.
    Result<void> look_behind(const ResolvConfReading& conf) {
        // Upstreams are added to the servers meanwhile.
        const auto configured = servers_.size();
        for (std::size_t i = 0; i < configured; ++i) {
            const bool docker = servers_[i].kind == ResolvServerKind::docker && handles_.docker;
            const bool podman = servers_[i].kind == ResolvServerKind::podman && handles_.podman;
            // A file may name one server twice; what is behind it is read once.
            const bool known = std::ranges::find(embedded_, servers_[i].server,
                                                 &api::EmbeddedResolverRow::address) != embedded_.end();
            if (known || !(docker || podman)) continue;
            auto row = docker ? handles_.docker->read(target_, conf.external, output_)
                              : handles_.podman->read(conf.conf.servers[i].address);
            if (!row) return row.error();
            row->target = target_.name;
            rows_.add(*row);
            for (const auto& upstream : row->upstreams)
                add_upstream(upstream);
            embedded_.push_back(std::move(*row));
        }
        return {};
    }

    void add_upstream(const api::ResolvUpstream& upstream) {
        const auto host = parse_numeric_host(upstream.server);
        if (!host) return;
        auto& row = servers_.emplace_back();
        row.target = target_.name;
        row.server = upstream.server;
        row.kind = ResolvServerKind::upstream;
        if (upstream.from_host) {
            row.udp.message = row.tcp.message = "Docker asks it from the host's namespace";
            return;
        }
        ServerQuestion question{{host->address, host->zone, 53}};
        row.question = question.to_string();
        asked_.push_back(servers_.size() - 1);
        questions_.push_back(std::move(question));
    }

    void add_server(const NameServer& server) {
        auto& row = servers_.emplace_back();
        row.target = target_.name;
        row.server = server.to_string();
        ServerQuestion question{server};
        if (is_embedded_resolver(target_, row.server)) row.kind = ResolvServerKind::docker;
        if (is_podman_server(target_, server.address)) row.kind = ResolvServerKind::podman;
        if (row.kind != ResolvServerKind::plain) {
            // An engine's DNS answers this itself, so the time is its own and not that of a server behind it.
            if (const auto own = own_address(target_, handles_.route.get())) {
                question.name = reverse_dns_name(*own);
                question.type = dns_type::ptr;
            }
        }
        row.question = question.to_string();
        asked_.push_back(servers_.size() - 1);
        questions_.push_back(std::move(question));
    }

    Result<void> ask() {
        const auto wait = std::chrono::microseconds(static_cast<std::int64_t>(request_.wait_ms * 1000));
        auto answers = probe_servers(*handles_.dns, questions_, wait, handles_.watch, output_);
        if (!answers) return answers.error();
        for (std::size_t i = 0; i < answers->size(); ++i) {
            servers_[asked_[i]].udp = std::move((*answers)[i].udp);
            servers_[asked_[i]].tcp = std::move((*answers)[i].tcp);
        }
        return {};
    }

    Handles& handles_;
    const api::ResolvRequest& request_;
    const api::Target& target_;
    Rows& rows_;
    Output& output_;
    std::vector<ServerRow> servers_;
    std::vector<ServerQuestion> questions_;
    std::vector<std::size_t> asked_;  ///< whose question each is
    std::vector<api::EmbeddedResolverRow> embedded_;
};

Result<void> run(Handles& handles, const api::ResolvRequest& request, const api::Context& context,
                 Output& output) {
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) {
        return Inspection(handles, request, context.targets[i], rows, output).run();
    });
}

const Registration<api::ResolvRequest> registered{operation<prepare, run>(
    {.net_admin = true, .processes = true, .engines = true, .resolver_files = true, .ip_sockets = true})};

}  // namespace

}  // namespace netlab::operations::resolv
