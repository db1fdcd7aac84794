#pragma once

#include "common/address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace netlab::operations {

/// The addresses that hosts(5) gives `name`, in the file's order, each once; names and aliases are compared
/// without regard to ASCII case, as glibc does. Lines that are no address and names are skipped; any bytes
/// will do.
[[nodiscard]] std::vector<IpAddress> hosts_addresses(std::string_view text, std::string_view name,
                                                     std::optional<Family> family);

/// The names that hosts(5) gives that address, as gethostbyaddr(3) finds them: those of the first line that
/// has it.
[[nodiscard]] std::vector<std::string> hosts_names(std::string_view text, const IpAddress& address);

}  // namespace netlab::operations
