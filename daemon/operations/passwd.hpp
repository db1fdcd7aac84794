#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace netlab::operations {

/// The names of users by a text in the form of passwd(5); no name service is asked.
class UserNames {
  public:
    explicit UserNames(std::string_view text);
    /// The first name with that number.
    [[nodiscard]] std::optional<std::string> find(std::uint32_t uid) const;

  private:
    std::unordered_map<std::uint32_t, std::string> names_;
};

}  // namespace netlab::operations
