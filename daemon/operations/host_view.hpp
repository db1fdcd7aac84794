#pragma once

#include "daemon/kernel/processes.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/kernel/rule.hpp"
#include "daemon/operations/port_judgement.hpp"
#include "daemon/operations/proxy_processes.hpp"
#include "daemon/operations/topology_reader.hpp"

/// What the host's kernel says of the way between the outside and containers.
namespace netlab::operations {

/// The place of the namespace that the daemon is in; nullopt: it is not among them. For `prepare`, before any
/// is entered.
[[nodiscard]] std::optional<std::size_t> find_host(Namespaces& namespaces);

[[nodiscard]] Error host_not_known();

/// For `run`: routes and addresses, asked when they are wanted.
class HostView {
  public:
    /// `place` of the host in `known` and `topology`, which are borrowed. Its socket must be open.
    HostView(const KnownNamespaces& known, const ReadTopology& read, std::size_t place, bool truncated);

    [[nodiscard]] int route_socket() const { return socket_; }
    [[nodiscard]] std::size_t place() const { return place_; }
    [[nodiscard]] const InterfaceNames& names() const { return names_; }
    [[nodiscard]] HostWay way(const IpAddress& to) const;
    /// Where the default route leads, or else a client like that one.
    [[nodiscard]] HostOutside outside(const IpAddress& client) const;
    /// Of a packet that comes in by its `input`, or is made here where that is "".
    [[nodiscard]] HostRoute route(const kernel::PacketFacts& packet) const;
    /// Whether clients there come in where the default route leads.
    [[nodiscard]] bool is_outside(const IpAddress& address, const HostOutside& outside) const;
    /// What its routes and policy rules name.
    void name_networks(ClientNetworks& networks) const;
    /// Who is on the link where the outside comes in.
    void name_link(ClientNetworks& networks, Family family, const HostOutside& outside) const;
    [[nodiscard]] std::vector<IpAddress> addresses() const;
    /// Whether what comes in by that interface is sent on, and the sysctl that says so; nullopt: not known.
    struct Forwarding {
        std::optional<bool> forwards{};
        std::string setting{};
    };
    [[nodiscard]] Forwarding forwarding(Family family, std::uint32_t index) const;

  private:
    [[nodiscard]] std::string down_interface(const IpAddress& to) const;
    [[nodiscard]] std::optional<IpAddress> own_address(const IpAddress& to) const;
    [[nodiscard]] Explanation policy_rule(const kernel::RouteQuery& query, const std::string& input,
                                          int error) const;
    [[nodiscard]] bool is_filtered(const kernel::RouteQuery& query) const;
    [[nodiscard]] std::optional<Hindrance> next_hop(const kernel::NextHop& hop,
                                                    const std::string& rule) const;

    const Topology& topology_;
    bool whole_;
    std::size_t place_;
    int socket_;
    InterfaceNames names_;
    std::vector<kernel::Rule> policy_rules_;
    mutable std::optional<std::vector<kernel::Route>> routes_;  // of all tables, when they are wanted
    mutable std::map<std::pair<std::uint32_t, IpAddress>, HopKnowledge> hops_;
};

/// Adds the networks that a namespace's routes and policy rules name; with `refused_clients` those that
/// routes refuse as networks of clients.
void name_routed_networks(int route_socket, ClientNetworks& networks, bool refused_clients = false);

/// False where that interface is known to be down.
[[nodiscard]] bool is_up(const NamespaceFacts& facts, std::uint32_t index);

/// The addresses of a namespace that others can send to.
[[nodiscard]] std::vector<ContainerAddress> addresses_of(const NamespaceFacts& facts);

}  // namespace netlab::operations
