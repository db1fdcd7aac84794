#pragma once

#include "daemon/operations/host_view.hpp"
#include "daemon/operations/nat_trace.hpp"

#include <map>

/// What the kernels say of the way from a container to the outside.
namespace netlab::operations {

/// The address that MASQUERADE gives what leaves by that interface of the host's (inet_select_addr() of
/// net/ipv4/devinet.c). nullopt: it has none there, which then comes from another interface, or, of IPv6, it
/// is not known which of several. Pure.
[[nodiscard]] std::optional<IpAddress> masquerade_address(const NamespaceFacts& host, std::uint32_t index,
                                                          const IpAddress& next_hop);

/// For `run`: asks them when it is asked.
class WayOutView {
  public:
    /// All but `own_rules`, the targets', are borrowed; `rules` are the host's.
    WayOutView(const KnownNamespaces& known, const Topology& topology, const HostView& host,
               const RuleSet& rules, const std::map<std::size_t, RuleSet>& own_rules);

    /// Somebody outside whom no rule and no route names.
    [[nodiscard]] const IpAddress& anybody(Family family) const;
    /// Where he is to the host.
    [[nodiscard]] const HostOutside& outside(Family family) const;

    /// The host's interface that packets of a container's interface come in by, and the port of that bridge.
    struct Entry {
        Port bridge;
        std::string port{};  ///< of a bond, too; "" where it is neither, or not known
    };
    /// nullopt: that interface is not joined to the host's namespace.
    [[nodiscard]] std::optional<Entry> entry_of(Port port) const;

    /// From that address, with the length of its network's prefix, as far as the host decides it.
    [[nodiscard]] WayOut way(const IpPrefix& source, const Entry& entry) const;

  private:
    static void refuse(const HostRoute& route, WayOut& way);
    /// Whether rules of the host's keep it from finding its next hop there; nullopt: none does.
    [[nodiscard]] std::optional<Hindrance> undiscovered_hop(Port output, const HostRoute& route,
                                                            const WayOut& way) const;

    const Topology& topology_;
    const HostView& host_;
    const RuleSet& rules_;
    IpAddress anybody_v4_;
    IpAddress anybody_v6_;
    HostOutside outside_v4_;
    HostOutside outside_v6_;
};

}  // namespace netlab::operations
