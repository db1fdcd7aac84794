#pragma once

#include "common/api/why.hpp"
#include "daemon/kernel/conntrack.hpp"
#include "daemon/operations/destination_handles.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/legacy_counters.hpp"
#include "daemon/operations/proxy_processes.hpp"
#include "daemon/operations/residents.hpp"
#include "daemon/operations/topology.hpp"
#include "daemon/operations/why_sight.hpp"

#include <map>
#include <optional>
#include <set>

namespace netlab::operations {

/// What is asked of netfilter on the host; absent where that is not known.
struct WhyHostTables {
    std::size_t place = 0;
    HostRules rules;
    Result<kernel::ConntrackTable> conntrack;
    bool bridges_filter_v4 = false;  ///< net.bridge.bridge-nf-call-iptables
    bool bridges_filter_v6 = false;  ///< …ip6tables
};

/// Places whose kernels are told to answer no echo: net.ipv4.icmp_echo_ignore_all,
/// net.ipv6.icmp.echo_ignore_all.
struct EchoesIgnored {
    std::set<std::size_t> v4;
    std::set<std::size_t> v6;
};

/// What `prepare` opens for `netlab why`.
struct WhyHandles {
    std::optional<EchoSocket> v4;
    std::optional<EchoSocket> v6;
    std::uint16_t id = 0;
    WhySight sight;
    std::optional<WhyHostTables> host;
    std::optional<LegacyCounters> counters;   ///< of the host's, where iptables-legacy has tables there
    std::map<std::size_t, HostRules> inside;  ///< the rules of those that are watched, but the host's
    EchoesIgnored ignored;                    ///< of those that are watched, where an echo is asked for
    DestinationHandles destination;
    ProxyProcesses proxies;  ///< empty where no published port is asked for
    Residents residents;
    kernel::SocketHolders holders;         ///< empty where it does not matter whose a socket is
    std::vector<Result<UniqueFd>> others;  ///< a sock_diag socket for each place behind named_places()
    KnownNamespaces known;
};

/// The places that are FROM's, the peer's and the publishers': all but those of Context::others.
[[nodiscard]] std::size_t named_places(const api::Context& context);

/// Follows one packet from FROM's namespace to an address, and fills the report. errc::target_gone,
/// errc::operation_failed, and those of walk().
[[nodiscard]] Result<void> follow_packet(WhyHandles& handles, const api::WhyRequest& request,
                                         const api::Context& context, const Destination& destination,
                                         const Topology& topology, Output& output, api::WhyReport& report);

}  // namespace netlab::operations
