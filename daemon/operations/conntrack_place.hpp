#pragma once

#include "common/api/conntrack.hpp"
#include "daemon/operations/conntrack_row.hpp"
#include "daemon/operations/operation.hpp"

namespace netlab::operations {

/// Whose table is read and what of it may be shown, for both of conntrack's operations.
struct ConntrackPlace {
    bool host = false;   ///< the table is the host's
    std::string target;  ///< whose it is
    UniqueFd addresses;  ///< a route socket in the target's namespace, where only its entries are wanted
};

/// For `prepare`: leaves the calling process in the namespace whose table it is. errc::permission_denied
/// where that would be all of the host's and the caller may not see it; errc as Namespaces::enter().
[[nodiscard]] Result<ConntrackPlace> enter_conntrack_place(Namespaces& namespaces,
                                                           const api::ConntrackRequest& request,
                                                           const api::Context& context);

/// For `run`: limits `filter` to the addresses of the target's interfaces, where ConntrackPlace::addresses is
/// there. errc::no_address where it has none; errc as kernel::dump().
[[nodiscard]] Result<void> limit_to_target(const ConntrackPlace& place, const api::Context& context,
                                           ConntrackFilter& filter);

/// This kernel has none.
[[nodiscard]] Error no_conntrack();

}  // namespace netlab::operations
