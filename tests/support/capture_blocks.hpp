#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A capture taken apart by the tests' own few lines, so that what netlab writes is not read by netlab.
namespace netlab::support {

struct SeenPacket {
    std::uint32_t interface = 0;
    std::uint64_t time_ns = 0;
    std::uint32_t length = 0;
    std::string bytes;
    std::uint32_t flags = 0;  ///< 1 in, 2 out, as pcapng has it
};

struct SeenInterface {
    std::uint16_t link_type = 0;
    std::uint32_t snap_length = 0;
    std::map<std::uint16_t, std::string> options;
};

struct SeenStatistics {
    std::uint32_t interface = 0;
    std::map<std::uint16_t, std::string> options;
    [[nodiscard]] std::uint64_t count(std::uint16_t option) const;
    [[nodiscard]] std::uint64_t received() const { return count(4); }
    [[nodiscard]] std::uint64_t dropped() const { return count(5); }
    [[nodiscard]] std::uint64_t delivered() const { return count(8); }
    [[nodiscard]] std::string comment() const;
    [[nodiscard]] std::chrono::system_clock::time_point end() const;  ///< isb_endtime
};

struct SeenCapture {
    std::vector<SeenInterface> interfaces;
    std::vector<SeenPacket> packets;
    std::vector<SeenStatistics> statistics;
    std::multimap<std::string, std::string> names;  ///< name by address bytes
    bool whole = false;                             ///< the last block is complete

    [[nodiscard]] std::vector<SeenPacket> of(std::uint32_t interface) const;
};

/// Adds the whole blocks that `bytes` begins with; returns how many bytes these have. Throws where one is
/// none.
std::size_t add_blocks(SeenCapture& capture, std::string_view bytes);
/// pcapng as netlab writes it. Throws where a block is none.
[[nodiscard]] SeenCapture read_pcapng(std::string_view bytes);
/// What tcpdump -w wrote.
[[nodiscard]] std::vector<SeenPacket> read_pcap(std::string_view bytes);
[[nodiscard]] std::string contents(const std::string& path);

/// Where in `seen` the packets of `others` are, one after another with none in between; empty where they are
/// not. What the kernel sends by itself (IPv6's neighbours and groups) may come while only one of two
/// captures runs.
[[nodiscard]] std::vector<SeenPacket> meanwhile(const std::vector<SeenPacket>& seen,
                                                const std::vector<SeenPacket>& others);

/// The bytes of each packet, in their order.
[[nodiscard]] std::vector<std::string> bytes_of(const std::vector<SeenPacket>& packets);

}  // namespace netlab::support
