#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/addresses: the addresses of targets' interfaces, as `ip addr show` has them. A stream of
/// AddressRow, then an InspectionReport.
struct AddressesRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::string interface;         ///< only of this one; "" of all
    std::optional<Family> family;  ///< only of this one
    friend bool operator==(const AddressesRequest&, const AddressesRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(AddressesRequest, (), (targets, all, interface, family))

struct AddressRow {
    static constexpr std::string_view type = "address";
    std::string target;
    std::string interface;
    std::uint32_t index = 0;
    Family family = Family::ipv4;
    IpPrefix address;               ///< "172.18.0.2/16"
    std::optional<IpAddress> peer;  ///< the other end of a point-to-point address
    std::optional<IpAddress> broadcast;
    std::string scope;               ///< as ip(8) names it: global, link, host, or a number
    std::vector<std::string> flags;  ///< permanent, tentative, dadfailed, deprecated, …
    std::string label;               ///< of an IPv4 alias: "eth0:1"; else the interface's name, or ""
    std::optional<std::uint32_t> valid_seconds;      ///< absent: for ever
    std::optional<std::uint32_t> preferred_seconds;  ///< absent: for ever
};
BOOST_DESCRIBE_STRUCT(AddressRow, (),
                      (target, interface, index, family, address, peer, broadcast, scope, flags, label,
                       valid_seconds, preferred_seconds))

}  // namespace netlab::api
