#include "daemon/kernel/conntrack.hpp"

using namespace netlab;
using namespace netlab::kernel;

/// Entries are of whoever sends packets, their helpers' names of whoever sets them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    (void)parse_conntrack(bytes, [](ConntrackChange, const Conntrack& entry) {
        (void)entry.state_name();
        (void)entry.translated();
        (void)conntrack_status_names(entry.status);
        (void)entry.original.source.to_string();
    });
    ConntrackStatistics statistics;
    parse_conntrack_statistics(bytes, statistics);
    return 0;
}
