#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"
#include "common/api/role.hpp"

#include <optional>

namespace netlab::api {

enum class SocketKind : std::uint8_t { tcp, udp, raw, unix_, packet };
BOOST_DESCRIBE_ENUM(SocketKind, tcp, udp, raw, unix_, packet)

/// Which states are shown, as ss(8) has them without an option, with -l and with -a.
enum class SocketSelection : std::uint8_t { connected, listening, all };
BOOST_DESCRIBE_ENUM(SocketSelection, connected, listening, all)

/// POST /v1/sockets: the sockets of targets' network namespaces, as ss(8) has them. A stream of SocketRow
/// (with `summary` of SocketSummaryRow), then an InspectionReport.
struct SocketsRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::vector<SocketKind> kinds;        ///< none: all of them
    std::optional<SocketSelection> show;  ///< absent: those of connections; with `summary` all
    std::vector<std::string> states;  ///< these in place of `show`, by ss's names: "syn-sent", "listening", …
    std::optional<Family> family;     ///< TCP, UDP and RAW of this family only; the other kinds are left out
    std::optional<std::uint16_t> source_port;       ///< TCP and UDP with this local port only
    std::optional<std::uint16_t> destination_port;  ///< the same for the remote port
    bool processes = true;                          ///< who holds each
    bool tcp_info = false;
    bool memory = false;
    bool summary = false;  ///< no rows of sockets but one for each kind and state
    friend bool operator==(const SocketsRequest&, const SocketsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(SocketsRequest, (),
                      (targets, all, kinds, show, states, family, source_port, destination_port, processes,
                       tcp_info, memory, summary))

/// errc::bad_request: a state that is not known, options that exclude each other.
[[nodiscard]] Result<void> check(const SocketsRequest& request, Roles roles);
/// A client may take its time to read 100,000 rows.
[[nodiscard]] std::uint32_t deadline_ms(const SocketsRequest& request);

/// The states as bits 1 << TCP_… (include/net/tcp_states.h), as `ss state NAME` takes it; 0 where there is no
/// such name.
[[nodiscard]] std::uint32_t socket_states(std::string_view name);
[[nodiscard]] std::vector<std::string> socket_state_names();

/// One end of a socket. TCP and UDP have a port, RAW its protocol's number in place of it. Of a Unix socket
/// `address` is its path, "@name" where it is abstract, "" where it has none; of a packet socket its
/// protocol.
struct SocketEnd {
    std::string address;
    std::optional<std::uint16_t> port;
    friend bool operator==(const SocketEnd&, const SocketEnd&) = default;
};
BOOST_DESCRIBE_STRUCT(SocketEnd, (), (address, port))

struct SocketProcess {
    std::int32_t pid = 0;       ///< in the innermost PID namespace that it is in: as the container sees it
    std::int32_t host_pid = 0;  ///< as the daemon's host sees it
    std::string name;           ///< any bytes, 15 at most
    std::int32_t fd = 0;
    friend bool operator==(const SocketProcess&, const SocketProcess&) = default;
};
BOOST_DESCRIBE_STRUCT(SocketProcess, (), (pid, host_pid, name, fd))

/// struct tcp_info of <linux/tcp.h>. An absent member: this kernel does not know it, or it has no meaning
/// yet.
struct TcpInfo {
    std::string congestion;            ///< the algorithm's name
    std::vector<std::string> options;  ///< ts, sack, ecn, ecnseen, fastopen
    std::optional<std::uint32_t> send_window_scale;
    std::optional<std::uint32_t> receive_window_scale;
    std::uint32_t rto_us = 0;
    std::uint32_t ato_us = 0;
    std::uint32_t rtt_us = 0;
    std::uint32_t rttvar_us = 0;
    std::optional<std::uint32_t> min_rtt_us;
    std::uint32_t mss = 0;
    std::uint32_t receive_mss = 0;
    std::uint32_t advertised_mss = 0;
    std::uint32_t pmtu = 0;
    std::uint32_t cwnd = 0;
    std::optional<std::uint32_t> ssthresh;  ///< absent: there is none yet (0x7fffffff)
    std::uint32_t retransmits = 0;          ///< time-outs in a row, of what is not answered now
    std::uint32_t retransmitted = 0;        ///< segments sent again and not answered yet
    std::uint32_t total_retransmits = 0;
    std::uint32_t backoff = 0;
    std::uint32_t probes = 0;
    std::uint32_t unacked = 0;
    std::uint32_t lost = 0;
    std::uint32_t sacked = 0;
    std::uint32_t reordering = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_acked = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_retransmitted = 0;
    std::uint32_t segments_out = 0;
    std::uint32_t segments_in = 0;
    std::uint32_t data_segments_out = 0;
    std::uint32_t data_segments_in = 0;
    std::uint32_t not_sent_bytes = 0;
    std::uint32_t last_data_sent_ms = 0;
    std::uint32_t last_data_received_ms = 0;
    std::uint32_t last_ack_received_ms = 0;
    std::uint64_t pacing_rate = 0;               ///< bytes a second
    std::optional<std::uint64_t> delivery_rate;  ///< bytes a second
    std::uint64_t busy_us = 0;
    std::uint64_t receive_window_limited_us = 0;
    std::uint64_t send_buffer_limited_us = 0;
    std::uint32_t receive_space = 0;
    std::uint32_t receive_ssthresh = 0;
    std::optional<std::uint32_t> send_window;
    friend bool operator==(const TcpInfo&, const TcpInfo&) = default;
};
BOOST_DESCRIBE_STRUCT(TcpInfo, (),
                      (congestion, options, send_window_scale, receive_window_scale, rto_us, ato_us, rtt_us,
                       rttvar_us, min_rtt_us, mss, receive_mss, advertised_mss, pmtu, cwnd, ssthresh,
                       retransmits, retransmitted, total_retransmits, backoff, probes, unacked, lost, sacked,
                       reordering, bytes_sent, bytes_acked, bytes_received, bytes_retransmitted, segments_out,
                       segments_in, data_segments_out, data_segments_in, not_sent_bytes, last_data_sent_ms,
                       last_data_received_ms, last_ack_received_ms, pacing_rate, delivery_rate, busy_us,
                       receive_window_limited_us, send_buffer_limited_us, receive_space, receive_ssthresh,
                       send_window))

/// SK_MEMINFO_ of <linux/sock_diag.h>, bytes but for `drops` (packets).
struct SocketMemory {
    std::uint32_t receive_allocated = 0;
    std::uint32_t receive_buffer = 0;
    std::uint32_t send_allocated = 0;
    std::uint32_t send_buffer = 0;
    std::uint32_t forward_allocated = 0;
    std::uint32_t write_queued = 0;
    std::uint32_t option_memory = 0;
    std::uint32_t backlog = 0;
    std::uint32_t drops = 0;
    friend bool operator==(const SocketMemory&, const SocketMemory&) = default;
};
BOOST_DESCRIBE_STRUCT(SocketMemory, (),
                      (receive_allocated, receive_buffer, send_allocated, send_buffer, forward_allocated,
                       write_queued, option_memory, backlog, drops))

/// What the kernel's timer of a TCP socket waits for.
struct SocketTimer {
    std::string name;  ///< on (retransmission), keepalive, timewait, persist, as ss(8) has them
    std::uint32_t expires_ms = 0;
    std::uint32_t retransmits = 0;
    friend bool operator==(const SocketTimer&, const SocketTimer&) = default;
};
BOOST_DESCRIBE_STRUCT(SocketTimer, (), (name, expires_ms, retransmits))

struct SocketRow {
    static constexpr std::string_view type = "socket";
    std::string target;
    std::string protocol;  ///< ss's Netid: tcp, udp, raw, icmp6, u_str, u_dgr, u_seq, p_raw, p_dgr
    std::string state;     ///< ss's: LISTEN, ESTAB, UNCONN, SYN-SENT, …
    SocketEnd local;
    SocketEnd remote;
    std::uint32_t recv_queue = 0;          ///< of a listener: connections that wait for accept(2)
    std::uint32_t send_queue = 0;          ///< of a listener: how many may wait
    std::optional<std::string> interface;  ///< that it is bound to
    std::optional<bool> v6only;            ///< of an IPv6 socket that takes IPv4 too where this is false
    std::optional<SocketTimer> timer;
    std::optional<std::uint32_t> uid;  ///< of its owner, as the host counts; absent: the kernel does not tell
    std::uint64_t inode = 0;           ///< 0: no process has it any more
    std::optional<std::uint64_t> peer_inode;  ///< of a connected Unix socket
    std::optional<std::vector<SocketProcess>>
        processes;                                ///< 64 at most; absent: not asked, or not for this caller
    std::optional<std::uint64_t> more_processes;  ///< descriptors beyond those
    std::optional<TcpInfo> tcp_info;
    std::optional<SocketMemory> memory;
};
BOOST_DESCRIBE_STRUCT(SocketRow, (),
                      (target, protocol, state, local, remote, recv_queue, send_queue, interface, v6only,
                       timer, uid, inode, peer_inode, processes, more_processes, tcp_info, memory))

struct SocketSummaryRow {
    static constexpr std::string_view type = "summary";
    std::string target;
    std::string protocol;
    std::string state;
    std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(SocketSummaryRow, (), (target, protocol, state, count))

}  // namespace netlab::api
