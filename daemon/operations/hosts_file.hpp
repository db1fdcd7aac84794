#pragma once

#include "common/address.hpp"

#include <cstddef>
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

/// One line that counts.
struct HostsLine {
    std::size_t number = 0;  ///< counts from 1
    IpAddress address;
    std::vector<std::string> names;  ///< one at least
    friend bool operator==(const HostsLine&, const HostsLine&) = default;
};

/// One that does not, and why.
struct SkippedHostsLine {
    std::size_t number = 0;
    std::string text;  ///< any bytes
    std::string reason;
    friend bool operator==(const SkippedHostsLine&, const SkippedHostsLine&) = default;
};

struct HostsReading {
    std::vector<HostsLine> lines;
    std::vector<SkippedHostsLine> skipped;
};

/// All of hosts(5) as hosts_addresses() understands it. Any bytes will do.
[[nodiscard]] HostsReading read_hosts(std::string_view text);

}  // namespace netlab::operations
