#pragma once

#include "daemon/operations/topology.hpp"

#include <string>
#include <vector>

/// Who has an address, as seen from an interface of another namespace. Pure.
namespace netlab::operations {

/// The interfaces on the segment of `out` that have it.
[[nodiscard]] std::vector<Port> owners_on_segment(const Topology& topology, Port out,
                                                  const IpAddress& address);

/// All interfaces there of the namespaces that have it anywhere: IPv4 answers ARP for every address of its
/// namespace on each interface (arp_ignore 0).
[[nodiscard]] std::vector<Port> answering_for(const Topology& topology, Port out, const IpAddress& address);

/// " (eth0 of co2 has it, elsewhere)", or nothing: of an address that nobody on the segment has.
[[nodiscard]] std::string elsewhere(const Topology& topology, Port out, const IpAddress& address);

/// "eth0 of co1 and eth1 of co2".
[[nodiscard]] std::string names_of(const Topology& topology, const std::vector<Port>& ports);

}  // namespace netlab::operations
