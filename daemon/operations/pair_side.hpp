#pragma once

#include "common/api/context.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/arp_introduction.hpp"
#include "daemon/operations/operation.hpp"

#include <optional>

namespace netlab::operations {

/// What each matrix holds open in one namespace, beside the sockets that it tries the pairs by.
struct PairSide {
    UniqueFd route;
    std::optional<ArpIntroduction> arp;  ///< absent where IPv4 is not wanted
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
};

/// For `prepare`: errc::bad_request where a single namespace is left, which has nobody to reach. (A request
/// that names one target is refused earlier; a network may have one member, and a target be named twice.)
[[nodiscard]] Result<void> need_two(const api::Context& context);

/// For `prepare`, in the namespace, with CAP_NET_RAW. errc::operation_failed.
[[nodiscard]] Result<PairSide> open_pair_side(const TargetHandle& target, std::optional<Family> family);

}  // namespace netlab::operations
