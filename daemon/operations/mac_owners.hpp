#pragma once

#include "common/api/bridges.hpp"
#include "daemon/kernel/link_details.hpp"
#include "daemon/operations/known_namespaces.hpp"

namespace netlab::operations {

/// Whose MAC address an entry of a bridge's forwarding database is: the bridge's namespace's own, or that of
/// an interface in the namespace behind the port. Nobody else's: elsewhere the same address is another's.
class MacOwners {
  public:
    /// `links`: of the bridge's namespace, which is at `place`. All are borrowed.
    MacOwners(KnownNamespaces& known, const api::Context& context, std::size_t place,
              const std::vector<kernel::LinkDetails>& links);

    /// `index`: of the port, or of the bridge itself.
    [[nodiscard]] std::optional<api::MacOwner> find(const MacAddress& mac, std::uint32_t index);

  private:
    [[nodiscard]] const kernel::Link* own(const MacAddress& mac, std::uint32_t index) const;
    [[nodiscard]] const std::vector<kernel::Link>& links_at(std::size_t place);

    KnownNamespaces& known_;
    const api::Context& context_;
    std::size_t place_;
    const std::vector<kernel::LinkDetails>& links_;
    std::map<std::size_t, std::vector<kernel::Link>> behind_;
};

}  // namespace netlab::operations
