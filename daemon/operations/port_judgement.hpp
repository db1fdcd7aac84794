#pragma once

#include "common/api/ports.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/listeners.hpp"

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
};

/// Where the outside comes in.
struct HostOutside {
    std::string interface;               ///< of the default route; "" where there is none
    std::optional<IpAddress> address{};  ///< that the host has there
    std::optional<bool> forwards{};      ///< what comes in there is sent on
};

struct HostFacts {
    RuleSet rules;
    HeldListeners listeners;
    std::vector<IpAddress> addresses;
    HostOutside outside_v4;
    HostOutside outside_v6;
    std::function<HostWay(const IpAddress&)> way;
    [[nodiscard]] const HostOutside& outside(Family family) const {
        return family == Family::ipv4 ? outside_v4 : outside_v6;
    }
};

/// Anybody out there, by a documentation address.
[[nodiscard]] IpAddress somebody_outside(Family family);

struct ContainerAddress {
    IpAddress address;
    std::string interface;
};
/// A container's route to somebody outside.
struct RouteBack {
    enum class Kind : std::uint8_t {
        outside,  ///< there is one
        some,     ///< there is none to that one, but others by gateways
        none,
    };
    Kind kind = Kind::none;
    std::string interface {};  ///< of `outside`
    bool by_host = true;       ///< it leads into the host's namespace
};
struct ContainerFacts {
    const api::Target& target;
    std::vector<ContainerAddress> addresses;  ///< as its kernel says
    HeldListeners listeners;
    RuleSet rules;  ///< of its own namespace
    /// How it answers somebody outside; empty: not known.
    std::function<RouteBack(Family)> route_back = {};
    /// What is wrong with the links between the host and that address of its; empty: not known.
    std::function<std::optional<Explanation>(const IpAddress&)> broken_link = {};
};

[[nodiscard]] api::PortRow judge_port(const HostFacts& host, const ContainerFacts& container,
                                      const api::PublishedPort& port);

/// A socket of a container that has the host's network.
[[nodiscard]] api::PortRow judge_host_socket(const HostFacts& host, const api::Target& target,
                                             const HeldListener& listener, bool tcp);

}  // namespace netlab::operations
