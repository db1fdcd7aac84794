#pragma once

#include "daemon/operations/packet_text.hpp"
#include "tests/unit/packet_bytes.hpp"

#include <string>
#include <vector>

namespace netlab::test {

struct PacketSample {
    std::string name;
    Bytes bytes;
    operations::LinkType link = operations::LinkType::ethernet;
    /// Where netlab's line is meant to be another than tcpdump's: netlab's.
    std::string ours = {};
    /// And tcpdump's then.
    std::string theirs = {};
};

/// One of every kind that packet_text() knows.
[[nodiscard]] std::vector<PacketSample> packet_samples();

}  // namespace netlab::test
