#pragma once

#include "common/api/cost.hpp"
#include "common/api/point.hpp"
#include "common/api/role.hpp"
#include "common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace netlab::api {

enum class CaptureDirection : std::uint8_t { inout, in, out };
BOOST_DESCRIBE_ENUM(CaptureDirection, inout, in, out)

/// POST /v1/capture: packets of all points as one pcapng (common/pcapng.hpp): the section, an interface block
/// for each source, the targets' names, the packets in the order of their time, and at the end a statistics
/// block for each source, whose comment says why it ended where it did before the capture. A client that
/// shuts down its sending side has the capture finish; what was received until then is still said. Role
/// capture.
struct CaptureRequest {
    /// `co1` (all its interfaces but the loopback), `co1:eth0`, `co1:any`, `co1:eth0@veth` (its other end in
    /// the host's namespace), `host:docker0`, `net:NAME` (the network's bridge and every member).
    std::vector<std::string> points;
    std::string filter;                   ///< pcap-filter(7), numeric but for names of targets
    std::uint64_t count = 0;              ///< packets of all points together, 0: no end
    double duration_ms = 0;               ///< 0: no end
    std::uint32_t snap_length = 262'144;  ///< bytes that are kept of each packet; 0: all
    bool promiscuous = true;
    CaptureDirection direction = CaptureDirection::inout;
    std::uint32_t buffer_kib = 0;  ///< the kernel's, for each source; 0: chosen by their number

    friend bool operator==(const CaptureRequest&, const CaptureRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(CaptureRequest, (),
                      (points, filter, count, duration_ms, snap_length, promiscuous, direction, buffer_kib))

/// POST /v1/packets: the same capture as a stream of the events below, decoded, as soon as the packets come.
/// Role capture.
struct PacketsRequest : CaptureRequest {
    friend bool operator==(const PacketsRequest&, const PacketsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(PacketsRequest, (CaptureRequest), ())

struct CaptureLimits {
    static constexpr std::size_t points = 64;       ///< words
    static constexpr std::size_t sources = 512;     ///< interfaces that they come to
    static constexpr std::size_t filter = 4'096;    ///< bytes: what compiling one may cost grows fast
    static constexpr std::uint32_t snap = 262'144;  ///< bytes
    static constexpr std::uint32_t smallest_buffer_kib = 512;
    static constexpr std::uint64_t together_kib = 64 * 1024;  ///< all buffers, where nothing is said
    static constexpr std::uint32_t buffer_kib = 65'536;
    static constexpr std::uint32_t host_buffer_kib = 524'288;  ///< with the host role
};

/// errc::bad_request, errc::limit_exceeded.
[[nodiscard]] Result<void> check(const CaptureRequest& request, Roles roles);
[[nodiscard]] Result<void> check(const PacketsRequest& request, Roles roles);
/// 0: a capture has no deadline; it ends by its count or its time, with its last namespace, or when nobody
/// listens.
[[nodiscard]] std::uint32_t deadline_ms(const CaptureRequest& request);
[[nodiscard]] std::uint32_t deadline_ms(const PacketsRequest& request);

[[nodiscard]] Cost cost(const CaptureRequest& request, const Context& context);
[[nodiscard]] Cost cost(const PacketsRequest& request, const Context& context);

/// One interface that is captured at.
struct CaptureSource {
    std::string point;  ///< "co1:eth0", "co1:any", "co1:eth0@veth", "host:docker0"
    std::string target;
    std::string interface;    ///< as its namespace names it; "any"
    std::string link_type;    ///< "ethernet", "raw_ip", "linux_sll2"
    std::string description;  ///< whose it is: container ID, network, host veth
};
BOOST_DESCRIBE_STRUCT(CaptureSource, (), (point, target, interface, link_type, description))

/// First event. Its sources are what `point` of a packet names.
struct PacketsStart {
    static constexpr std::string_view type = "start";
    std::vector<CaptureSource> sources;
    std::string filter;  ///< as it was compiled: names are addresses
};
BOOST_DESCRIBE_STRUCT(PacketsStart, (), (sources, filter))

/// One end of a packet.
struct PacketAddress {
    std::string address;  ///< IP; MAC where the packet is not IP
    std::optional<std::uint16_t> port;
    std::optional<std::string> name;  ///< of the target that has this address
};
BOOST_DESCRIBE_STRUCT(PacketAddress, (), (address, port, name))

struct PacketRow {
    static constexpr std::string_view type = "packet";
    std::string time;  ///< RFC 3339 in UTC with nanoseconds: 2026-11-26T07:24:36.123456789Z
    std::string point;
    CaptureDirection direction = CaptureDirection::in;  ///< in or out of the point's namespace
    std::optional<std::string> interface;               ///< of a point `any`: which one it was
    PacketAddress source;
    PacketAddress destination;
    std::string protocol;        ///< "ARP", "ICMP", "TCP", "DNS", …
    std::string info;            ///< the rest, as tcpdump(8) says it
    std::uint32_t length = 0;    ///< on the wire
    std::uint32_t captured = 0;  ///< of these
};
BOOST_DESCRIBE_STRUCT(PacketRow, (),
                      (time, point, direction, interface, source, destination, protocol, info, length,
                       captured))

/// received = delivered + dropped, for each source and for all.
struct CaptureCounts {
    std::string point;
    std::uint64_t received = 0;        ///< that matched the filter
    std::uint64_t delivered = 0;       ///< that were said
    std::uint64_t dropped = 0;         ///< for want of room: the reader is too slow
    std::optional<std::string> ended;  ///< why it ended before the capture did
};
BOOST_DESCRIBE_STRUCT(CaptureCounts, (), (point, received, delivered, dropped, ended))

enum class CaptureEnd : std::uint8_t {
    count,     ///< as many packets as were asked for
    duration,  ///< the time is over
    finished,  ///< the client wanted no more
    ended,     ///< all sources have ended
};
BOOST_DESCRIBE_ENUM(CaptureEnd, count, duration, finished, ended)

struct PacketsReport {
    static constexpr std::string_view type = "report";
    CaptureEnd end = CaptureEnd::finished;
    std::uint64_t packets = 0;  ///< delivered
    std::uint64_t bytes = 0;    ///< of these, on the wire
    std::uint64_t dropped = 0;
    double elapsed_ms = 0;
    std::vector<CaptureCounts> points;
};
BOOST_DESCRIBE_STRUCT(PacketsReport, (), (end, packets, bytes, dropped, elapsed_ms, points))

}  // namespace netlab::api
