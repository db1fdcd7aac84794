#pragma once

#include "daemon/kernel/address.hpp"
#include "daemon/kernel/route_entry.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/topology.hpp"
#include "daemon/operations/transport.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Which route it is that sends packets astray. For `run`; what cannot be asked is not found.
namespace netlab::operations {

/// A route that leads elsewhere than to whose address it is for.
struct StrayRoute {
    std::string target;  ///< in whose tables
    std::string entry;  ///< the route that decides, as ip(8) takes it: "172.18.0.0/17 via 192.0.2.1 dev eth0"
    std::string output;    ///< where it leads
    std::string expected;  ///< the interface behind which the address is
    std::string owner;     ///< whose address it is: a target's name
    IpAddress address;
    /// Nothing is in the way: the network's own route is not there. As ip(8) takes that one: "172.17.0.0/16
    /// dev docker0 proto kernel scope link src 172.17.0.1". `entry` and `output` are "" where no other leads
    /// there either.
    std::string missing = {};
    std::string network = {};  ///< of `missing`: "172.17.0.0/16"
};
/// Which packets it leads where; the suggestion is "" where a name is more than a word.
[[nodiscard]] Explanation explain_stray(const StrayRoute& stray);

/// A route that decides.
struct DecisiveRoute {
    std::string target;  ///< in whose tables
    std::string entry;   ///< as ip(8) takes it: "default via 172.18.0.1 dev eth0", "blackhole 203.0.113.0/24"
    bool is_default = false;
    std::optional<IpAddress> gateway = {};
    bool in_main = true;   ///< the table
    bool is_plain = true;  ///< each name in `entry` is a word (is_plain_word()): it may stand in a command
};

/// It says that the destination is not to be reached: blackhole, unreachable, prohibit.
[[nodiscard]] bool refuses(const kernel::Route& route);
/// Such a route as ip(8) takes it: "blackhole 203.0.113.0/24".
[[nodiscard]] std::string refusing_text(const kernel::Route& route);

/// The namespaces' routes, as their kernels have them.
class DecisiveRoutes {
  public:
    /// Both are borrowed; `host` is the host's place.
    DecisiveRoutes(const Topology& topology, const KnownNamespaces& known, std::optional<std::size_t> host)
        : topology_(topology), known_(known), host_(host) {}

    /// A route of the host's that leads elsewhere than to the bridge behind which a container has `address`,
    /// or the route to that bridge which is not there. `owner`: the target that the engine says to have it.
    [[nodiscard]] std::optional<StrayRoute> stray(const IpAddress& address, std::string_view owner,
                                                  const Transport& packet = {}) const;
    /// The one of that namespace that decides for what comes from `from`, or from any of its addresses;
    /// nullopt where there is none, or its kernel does not tell it.
    [[nodiscard]] std::optional<DecisiveRoute> decisive(std::size_t place, const IpAddress& destination,
                                                        const std::optional<IpAddress>& from = {},
                                                        const Transport& packet = {}) const;
    /// The one of that namespace which says that the destination is not to be reached: blackhole,
    /// unreachable, prohibit.
    [[nodiscard]] std::optional<DecisiveRoute> refusing(std::size_t place,
                                                        const IpAddress& destination) const;
    /// The host's bridge behind which `owner` has `address`.
    [[nodiscard]] std::optional<Port> bridge_of(const IpAddress& address, std::string_view owner) const;

  private:
    /// Of the host's bridge, which has an address whose network `address` is in: that network, where the main
    /// table has no route of the bridge's to it.
    [[nodiscard]] std::optional<kernel::Address> without_route(Port bridge, const IpAddress& address) const;

    const Topology& topology_;
    const KnownNamespaces& known_;
    std::optional<std::size_t> host_;
};

}  // namespace netlab::operations
