#pragma once

#include "common/api/point.hpp"

#include <string>
#include <vector>

namespace netlab::operations {

/// The targets' names by their addresses (Context::names); of several targets with one address, the first.
class AddressNames {
  public:
    explicit AddressNames(const std::vector<api::NamedAddress>& names);

    /// nullptr where no target is known to have it. It lives as long as this.
    [[nodiscard]] const std::string* find(const IpAddress& address) const;

  private:
    std::vector<api::NamedAddress> names_;  ///< sorted by address
};

}  // namespace netlab::operations
