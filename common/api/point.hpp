#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <string>

#include <boost/describe.hpp>

namespace netlab::api {

/// A place to capture at, as the front understands the user's word. The worker finds the interfaces.
struct CapturePoint {
    std::string word;          ///< as the user wrote it
    std::uint32_t target = 0;  ///< index into Context::targets: whose namespace it is
    std::string interface;     ///< its name; "any"; empty: all but the loopback, or those of `network`
    bool other_end = false;    ///< not the interface, a veth, but its other end in the host's namespace
    std::string network;       ///< of `net:NAME`: the interface by which the target is on that network
    bool bridge = false;       ///< also the bridge that the interface's other end is a port of

    friend bool operator==(const CapturePoint&, const CapturePoint&) = default;
};
BOOST_DESCRIBE_STRUCT(CapturePoint, (), (word, target, interface, other_end, network, bridge))

/// An address of a running target, and its name.
struct NamedAddress {
    IpAddress address;
    std::string name;

    friend bool operator==(const NamedAddress&, const NamedAddress&) = default;
};
BOOST_DESCRIBE_STRUCT(NamedAddress, (), (address, name))

}  // namespace netlab::api
