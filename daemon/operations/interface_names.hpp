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
    /// The index of an interface, by its exact name or an alternative one. errc::no_such_interface with the
    /// nearest names first.
    [[nodiscard]] Result<std::uint32_t> find(const std::string& name) const;
    [[nodiscard]] bool consistent() const { return consistent_; }

  private:
    std::vector<std::pair<std::uint32_t, std::string>>
        names_;  // in the kernel's order, which is that of the index
    std::vector<std::pair<std::uint32_t, std::string>> alternatives_;
    bool consistent_ = true;
};

/// A request's `interface` held against each target: one target must have it, of several at least one.
class InterfaceFilter {
  public:
    /// `name` is borrowed; "" is every interface.
    InterfaceFilter(const std::string& name, std::size_t targets) : name_(name), several_(targets > 1) {}

    /// To be called first of each target. errc::no_such_interface where it is the only one.
    [[nodiscard]] Result<void> check(const InterfaceNames& names);
    /// Of the target that was checked last: whether this interface is wanted.
    [[nodiscard]] bool admits(std::uint32_t index) const { return name_.empty() || index == wanted_; }
    /// After the last target. errc::no_such_interface where none had it.
    [[nodiscard]] Result<void> verdict() const;

  private:
    const std::string& name_;
    bool several_;
    std::uint32_t wanted_ = 0;  // 0: it has none of that name
    bool found_ = false;
    bool missed_ = false;
    std::vector<std::string> near_;
};

}  // namespace netlab::operations
