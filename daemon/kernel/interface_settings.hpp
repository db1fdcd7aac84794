#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace netlab::kernel {

/// What decides in one namespace whether a packet that comes in by one interface is taken and sent on, and
/// who answers for it (RTM_GETNETCONF; force_forwarding only RTM_GETLINK tells). Absent: this kernel does not
/// say.
struct InterfaceSettings {
    std::optional<bool> forwarding;        ///< net.ipvX.conf.INTERFACE.forwarding
    std::optional<bool> all_forwarding;    ///< net.ipvX.conf.all.forwarding; of IPv4 this is ip_forward
    std::optional<bool> force_forwarding;  ///< net.ipv6.conf.INTERFACE.force_forwarding, Linux 6.17 and later
    std::optional<bool> proxies;           ///< proxy_arp, proxy_ndp: it answers for addresses of others
    std::optional<int> rp_filter{};        ///< of IPv4: 0 off, 1 strict, 2 loose; the higher one of both
    friend bool operator==(const InterfaceSettings&, const InterfaceSettings&) = default;
};

/// IPv4 goes by the input interface's own setting (net/ipv4/route.c, ip_route_input_slow), IPv6 by that of
/// all interfaces, or by force_forwarding of the one (net/ipv6/ip6_output.c, ip6_forward). nullopt: unknown.
[[nodiscard]] std::optional<bool> forwards(Family family, const InterfaceSettings& settings);

/// The setting, as sysctl(8) names it, that keeps a namespace from sending on what comes in by `interface`:
/// that of its own where those of all are set, or do not decide.
[[nodiscard]] std::string forwarding_sysctl(Family family, const InterfaceSettings& settings,
                                            std::string interface);

/// Needs no capability. All absent where the kernel refuses to say (no IPv6). errc as ask().
[[nodiscard]] Result<InterfaceSettings> query_settings(int route_socket, Family family, std::uint32_t index);

/// Takes what one RTM_NEWNETCONF among `bytes` says of one interface into `out`, or with `all` what it says
/// of all of them; what is in `out` by then holds, too.
void take_settings(std::span<const std::byte> bytes, bool all, InterfaceSettings& out);

/// Takes force_forwarding from an RTM_NEWLINK among `bytes` (IFLA_AF_SPEC).
void take_force_forwarding(std::span<const std::byte> bytes, InterfaceSettings& out);

}  // namespace netlab::kernel
