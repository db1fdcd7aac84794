#pragma once

#include "daemon/operations/ruleset_text.hpp"

#include <string>
#include <vector>

/// In which order packets come to chains.
namespace netlab::operations {

/// Points into the tables.
struct ChainPlace {
    const TableText* table = nullptr;
    const ChainText* chain = nullptr;
    std::vector<std::string> from;   ///< the chains, and as "@m" the maps, that jump to it
    std::vector<std::string> hooks;  ///< from which packets come to it, by whatever jumps
    friend bool operator==(const ChainPlace&, const ChainPlace&) = default;
};

/// Each chain once. Those of hooks in the order of the hooks and their priorities, each followed by the
/// chains that it jumps to, where they are met first; at the end those that nobody jumps to.
[[nodiscard]] std::vector<ChainPlace> order_chains(const std::vector<TableText>& tables);

}  // namespace netlab::operations
