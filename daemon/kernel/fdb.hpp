#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <optional>
#include <string>
#include <vector>

namespace netlab::kernel {

/// One entry of a forwarding database (RTM_NEWNEIGH of AF_BRIDGE): of a bridge, or of a device's own filter.
struct FdbEntry {
    std::uint32_t index = 0;   ///< of the port, or of the bridge itself
    std::uint32_t master = 0;  ///< index of the bridge whose entry it is; 0: the device's own ("self")
    MacAddress mac;
    std::optional<std::uint16_t> vlan;
    std::uint16_t state = 0;          ///< NUD_
    std::uint8_t flags = 0;           ///< NTF_
    std::optional<IpAddress> remote;  ///< NDA_DST, of a VXLAN
    friend bool operator==(const FdbEntry&, const FdbEntry&) = default;
};

/// The RTM_NEWNEIGH messages of AF_BRIDGE among `bytes`; what is malformed or has no MAC address is left out.
[[nodiscard]] std::vector<FdbEntry> parse_fdb(std::span<const std::byte> bytes);

/// Of all devices. errc as dump().
[[nodiscard]] Result<Dump<FdbEntry>> dump_fdb(int route_socket);

[[nodiscard]] std::string fdb_state_name(std::uint16_t state);  ///< "permanent", "static", "stale" or ""
/// As bridge(8) names them; "master" for an entry of a bridge.
[[nodiscard]] std::vector<std::string> fdb_flag_names(const FdbEntry& entry);

}  // namespace netlab::kernel
