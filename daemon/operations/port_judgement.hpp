#pragma once

#include "common/api/ports.hpp"
#include "daemon/operations/client_networks.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/listeners.hpp"
#include "daemon/operations/next_hop.hpp"
#include "daemon/operations/residents.hpp"

#include <functional>

/// Whether a published port can work: what takes a packet on the host, where that leads, and what listens
/// there. Pure.
namespace netlab::operations {

/// A socket that listens, and who holds it.
struct HeldListener {
    api::Listener listener;
    std::optional<std::int32_t> pid{};  ///< as the host counts; absent: not known
    std::string process{};              ///< "" where it is not known
    bool holder_known = true;           ///< false: it may be anybody, an engine's process too
    std::optional<api::Endpoint> to{};  ///< of docker-proxy: where it leads
    std::optional<Sleep> asleep{};  ///< in a namespace that several share: whose program it is, where paused
};
struct HeldListeners {
    std::vector<HeldListener> tcp;
    std::vector<HeldListener> udp;
    [[nodiscard]] const std::vector<HeldListener>& of(bool is_tcp) const { return is_tcp ? tcp : udp; }
};

/// How the host reaches an address of a container.
struct HostWay {
    std::string output;                 ///< interface; "" where it has no route there
    bool local = false;                 ///< the address is the host's own
    std::vector<std::string> owners{};  ///< targets that have it there
    bool all_known = false;             ///< false: somebody that netlab cannot look into may have it
    std::string
        down{};  ///< an interface with the address' subnet that is not up, where that is why it has no way
    std::optional<IpAddress> own{};  ///< that the host has in the address' subnet
    int error = 0;                   ///< where it has no way: the errno that a sender gets
    std::optional<bool> forwards{};  ///< what comes in by `output` is sent on
    std::string forwarding{};        ///< the sysctl that says so
    std::string port{};              ///< of the bridge that `output` is: behind it is who has the address
};

/// Where the outside comes in.
struct HostOutside {
    std::string interface;               ///< of the default route; "" where there is none
    std::optional<IpAddress> address{};  ///< that the host has there
    std::optional<bool> forwards{};      ///< what comes in there is sent on
    std::string forwarding{};            ///< the sysctl that says so
};

/// What the host's routes and policy rules make of one packet.
struct HostRoute {
    bool known = false;    ///< the kernel has said so
    int error = 0;         ///< it goes nowhere: the errno that a sender would get
    bool local = false;    ///< it is for the host itself
    std::string output{};  ///< where it leaves
    /// The policy rule that it goes by, where that is not one of the usual ones, and what to do; empty
    /// otherwise.
    Explanation rule{};
    std::string by_mark{};           ///< a policy rule that would decide by a mark; "" where there is none
    std::optional<Hindrance> hop{};  ///< its next hop does not get it, or may not
    std::optional<IpAddress> gateway{};  ///< whom it is sent to; absent: whom it is for
};

/// Who sends from outside.
struct ClientsByFamily {
    Clients v4 = anybody_outside(Family::ipv4);
    Clients v6 = anybody_outside(Family::ipv6);
    [[nodiscard]] const Clients& of(Family family) const { return family == Family::ipv4 ? v4 : v6; }
};

struct HostFacts {
    RuleSet rules;
    HeldListeners listeners;
    std::vector<IpAddress> addresses;
    HostOutside outside_v4;
    HostOutside outside_v6;
    std::function<HostWay(const IpAddress&)> way;
    /// Of a packet that comes in by `input`, or is made there; empty: not known.
    std::function<HostRoute(const kernel::PacketFacts&)> route{};
    ClientsByFamily clients{};  ///< as its own rules and routes tell them apart
    [[nodiscard]] const HostOutside& outside(Family family) const {
        return family == Family::ipv4 ? outside_v4 : outside_v6;
    }
};

/// The first packet that a client sends to an address of the host's; `interface` of the host where it comes
/// in.
[[nodiscard]] kernel::PacketFacts packet_from_outside(const IpAddress& client, const IpAddress& to,
                                                      std::uint8_t protocol, std::uint16_t port,
                                                      const std::string& interface);

struct ContainerAddress {
    IpAddress address;
    std::string interface;
};
/// A container's route to a client.
struct RouteBack {
    enum class Kind : std::uint8_t {
        there,
        some,     ///< there is none to that one, but others by gateways
        refused,  ///< by a route or a policy rule that says so: blackhole, unreachable, prohibit
        none,
    };
    Kind kind = Kind::none;
    std::string interface {};            ///< of `there`
    std::optional<IpAddress> gateway{};  ///< the same; absent: the client is on that link
    bool by_host = true;                 ///< it leads to the host
    /// Routes of its that say that whom they cover is not reached: "blackhole 198.51.100.0/24".
    std::vector<std::string> refusing{};
    /// Of `refused` the reason; of `there` why the next hop does not get it, where that is known.
    std::optional<Explanation> why{};
};
struct ContainerFacts {
    const api::Target& target;
    std::vector<ContainerAddress> addresses;  ///< as its kernel says
    HeldListeners listeners;
    RuleSet rules;  ///< of its own namespace
    /// How it sends that answer of its to a client; empty: not known.
    std::function<RouteBack(const kernel::PacketFacts& answer)> route_back = {};
    /// What stands between the host and that address of its beneath the rules; empty: not known.
    std::function<std::optional<Explanation>(const IpAddress&)> broken_path = {};
    /// Whether it and the host find each other by that address of its; empty: not known.
    std::function<std::optional<Hindrance>(const IpAddress&)> undiscovered = {};
    ClientsByFamily clients = {};  ///< as the host's rules and routes and its own tell them apart
    std::string publisher = {};    ///< whose namespace it has joined: the ports are that one's; "" nobody's
};

/// As a report says it.
[[nodiscard]] api::PortListener describe_listener(const HeldListener& held);

/// Of any client; what becomes of those whom rules name is said besides.
[[nodiscard]] api::PortRow judge_port(const HostFacts& host, const ContainerFacts& container,
                                      const api::PublishedPort& port);

/// A socket of a container that has the host's network.
[[nodiscard]] api::PortRow judge_host_socket(const HostFacts& host, const api::Target& target,
                                             const HeldListener& listener, bool tcp);

}  // namespace netlab::operations
