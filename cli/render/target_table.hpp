#pragma once

#include "cli/render/table.hpp"
#include "common/api/target.hpp"

#include <span>

namespace netlab::cli {

/// `netlab ls`: a line per target, in the order given. `wide` adds what docker inspect is usually asked for.
[[nodiscard]] Table target_table(std::span<const api::Target> targets, bool wide);

/// Published ports as docker ps writes them: "0.0.0.0:8080->8080/tcp", once where IPv4 and IPv6 are published
/// alike, runs of neighbouring ports as one ("8000-8003/tcp").
[[nodiscard]] std::vector<std::string> port_texts(std::span<const api::PublishedPort> ports);

}  // namespace netlab::cli
