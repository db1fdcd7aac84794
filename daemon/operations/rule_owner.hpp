#pragma once

#include <string>
#include <string_view>

namespace netlab::operations {

/// Whose a chain is: "docker", "podman", "ufw", …; "" where it is the administrator's or not known.
[[nodiscard]] inline std::string owner_of(std::string_view, std::string_view table, std::string_view chain) {
    if (chain.starts_with("DOCKER") || table == "docker-bridges") return "docker";
    return {};
}

}  // namespace netlab::operations
