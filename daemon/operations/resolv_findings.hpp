#pragma once

#include "common/api/resolv.hpp"
#include "common/api/target.hpp"
#include "daemon/operations/resolv_conf.hpp"
#include "daemon/operations/upstream_way.hpp"

#include <optional>
#include <span>
#include <vector>

namespace netlab::operations {

/// All that `netlab resolv` found out; borrowed.
struct ResolvFacts {
    const api::Target& target;
    const api::ResolvConfRow& conf;
    std::span<const SkippedLine> skipped;
    std::span<const api::ResolvServerRow> servers;
    std::span<const api::EmbeddedResolverRow> embedded;  ///< of the servers that are an engine's own
    bool engine_answers = true;
    double wait_ms = 2000;       ///< that each answer had
    bool loopback_down = false;  ///< lo is down in the target
    UpstreamWay way{};           ///< where a server behind Docker's resolver is silent
};

/// What of it is worth a sentence, the most important first. Pure.
[[nodiscard]] std::vector<api::ResolvFinding> resolv_findings(const ResolvFacts& facts);

}  // namespace netlab::operations
