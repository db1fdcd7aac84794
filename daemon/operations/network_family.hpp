#pragma once

#include "common/api/target.hpp"
#include "daemon/operations/explanation.hpp"

#include <optional>
#include <string>

/// What an engine's networks are for one family of addresses.
namespace netlab::operations {

/// A target has an address of that family there.
[[nodiscard]] bool has_family(const api::Membership& network, Family family);

/// explain_apart(), where what joins them must be a network of that family.
[[nodiscard]] std::optional<Explanation> explain_apart(const api::Target& from, const api::Target& peer,
                                                       Family family);

/// Only for use behind an address translation, or among those who agreed on it (RFC 1918, RFC 6598); false of
/// IPv6.
[[nodiscard]] bool is_private(const IpAddress& address);
/// "172.18.0.0/16" of an address in it.
[[nodiscard]] std::string network_text(const IpPrefix& prefix);

}  // namespace netlab::operations
