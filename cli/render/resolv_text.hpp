#pragma once

#include "cli/render/screen.hpp"
#include "common/api/resolv.hpp"

#include <string>
#include <vector>

namespace netlab::cli {

/// What `netlab resolv` was answered.
struct ResolvRows {
    std::optional<api::ResolvConfRow> conf;
    std::optional<api::HostsRow> hosts;
    std::vector<api::EmbeddedResolverRow> embedded;
    std::vector<api::ResolvServerRow> servers;
    std::vector<api::ResolvFinding> findings;
};

/// All of it as a page: the file, the servers, the way behind 127.0.0.11, the hosts, and what is wrong.
/// `wide`: also what is as everywhere (ndots, timeouts, the rules' text).
[[nodiscard]] std::string resolv_text(const ResolvRows& rows, const Screen& screen, bool wide);

}  // namespace netlab::cli
