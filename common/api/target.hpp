#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/describe.hpp>

namespace netlab::api {

/// Where a target comes from. The names are also the prefixes that a user may write: `docker:co1`,
/// `netns:blue`.
enum class Runtime : std::uint8_t { docker, podman, netns, pid, host };
BOOST_DESCRIBE_ENUM(Runtime, docker, podman, netns, pid, host)

enum class State : std::uint8_t { created, running, paused, restarting, removing, exited, dead };
BOOST_DESCRIBE_ENUM(State, created, running, paused, restarting, removing, exited, dead)

/// A target's membership in one network of its engine; for a named namespace and the host, one interface.
struct Membership {
    std::string name;                  ///< the engine's network name; empty where there is no engine
    std::string interface;             ///< as the kernel names it in the target; empty while unknown
    std::vector<IpPrefix> addresses;   ///< IPv4 first, with their prefix lengths; "172.18.0.2/16" in JSON
    std::optional<IpAddress> gateway;  ///< the network's IPv4 gateway
    std::optional<IpAddress> gateway_v6;
    std::string mac;
    std::vector<std::string> aliases;  ///< names that the network's DNS also answers to

    friend bool operator==(const Membership&, const Membership&) = default;
};
BOOST_DESCRIBE_STRUCT(Membership, (), (name, interface, addresses, gateway, gateway_v6, mac, aliases))

/// One published port, as the engine says it.
struct PublishedPort {
    std::optional<IpAddress> host_address;  ///< absent: exposed, not published
    std::optional<std::uint16_t> host_port;
    std::uint16_t container_port = 0;
    std::string protocol;  ///< tcp, udp or sctp

    friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};
BOOST_DESCRIBE_STRUCT(PublishedPort, (), (host_address, host_port, container_port, protocol))

/// A network namespace: (device, inode) is its identity, its names are only ways to it.
struct Namespace {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::vector<std::string> shared_with;  ///< names of the other targets that live in it

    friend bool operator==(const Namespace&, const Namespace&) = default;
};
BOOST_DESCRIBE_STRUCT(Namespace, (), (device, inode, shared_with))

/// Anything that has a network namespace, as `netlab ls` shows it and as an operation's context carries it.
struct Target {
    std::string name;
    Runtime runtime = Runtime::docker;
    std::string id;     ///< the engine's full ID; for netns: its path; for a process: its PID
    std::string image;  ///< empty where there is no engine
    State state = State::created;
    std::int32_t pid = 0;                 ///< of its first process, 0 where it has none or none is known
    std::optional<Namespace> namespace_;  ///< absent while it does not run, or is not known yet
    std::string network_mode;  ///< the engine's: "bridge", "host", "none", "container:ID", a network's name
    std::vector<Membership> networks;
    std::vector<PublishedPort> ports;
    std::optional<std::string> warning;  ///< what is wrong with it as it stands, and what to do about it

    friend bool operator==(const Target&, const Target&) = default;
};
BOOST_DESCRIBE_STRUCT(Target, (),
                      (name, runtime, id, image, state, pid, namespace_, network_mode, networks, ports,
                       warning))

}  // namespace netlab::api
