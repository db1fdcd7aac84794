#pragma once

#include "common/error.hpp"
#include "daemon/kernel/link.hpp"

#include <string>
#include <unordered_map>

namespace netlab::operations {

/// The names of a namespace's interfaces, for rows that the kernel gives with an index.
class InterfaceNames {
  public:
    /// errc as kernel::dump_links().
    [[nodiscard]] static Result<InterfaceNames> read(int route_socket);
    explicit InterfaceNames(const std::vector<kernel::Link>& links);

    /// "if7" for one that came after the names were read, "" for 0.
    [[nodiscard]] std::string operator[](std::uint32_t index) const;
    [[nodiscard]] bool has(std::uint32_t index) const;
    /// The index of an interface, by its exact name. errc::no_such_interface with the nearest names first.
    [[nodiscard]] Result<std::uint32_t> find(const std::string& name) const;
    [[nodiscard]] bool consistent() const { return consistent_; }

  private:
    std::vector<std::pair<std::uint32_t, std::string>>
        names_;  // in the kernel's order, which is that of the index
    bool consistent_ = true;
};

}  // namespace netlab::operations
