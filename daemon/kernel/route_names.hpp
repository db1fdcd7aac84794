#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What ip(8) calls the numbers of routes and rules (rt_names.c, rtm_map.c, iproute.c).
namespace netlab::kernel {

[[nodiscard]] std::string table_name(std::uint32_t table);           ///< "main", "local", "default", "100"
[[nodiscard]] std::string protocol_name(std::uint8_t protocol);      ///< RTPROT_: "kernel", "static", "17"
[[nodiscard]] std::string route_kind_name(std::uint8_t kind);        ///< RTN_: "unicast", "blackhole", …
[[nodiscard]] std::string encapsulation_name(std::uint16_t kind);    ///< LWTUNNEL_ENCAP_: "mpls", "ip", …
[[nodiscard]] std::string preference_name(std::uint8_t preference);  ///< RFC 4191: "low", "medium", "high"
[[nodiscard]] std::vector<std::string> route_flag_names(std::uint32_t flags);  ///< RTNH_F_, RTM_F_
[[nodiscard]] std::string hexadecimal(std::uint32_t number);                   ///< "0x10"

}  // namespace netlab::kernel
