#include "daemon/operations/socket_rows.hpp"

#include <cstddef>

#include <linux/tcp.h>

/// struct tcp_info has grown with the kernels: what is not there stays 0, or absent where 0 would say
/// something.
namespace netlab::operations {

namespace {

std::vector<std::string> option_names(const ::tcp_info& info) {
    std::vector<std::string> names;
    const auto add = [&](unsigned bit, const char* name) {
        if ((info.tcpi_options & bit) != 0) names.emplace_back(name);
    };
    add(TCPI_OPT_TIMESTAMPS, "ts");
    add(TCPI_OPT_SACK, "sack");
    add(TCPI_OPT_ECN, "ecn");
    add(TCPI_OPT_ECN_SEEN, "ecnseen");
    add(TCPI_OPT_SYN_DATA, "fastopen");
    return names;
}

void fill_times(api::TcpInfo& out, const ::tcp_info& info) {
    out.rto_us = info.tcpi_rto;
    out.ato_us = info.tcpi_ato;
    out.rtt_us = info.tcpi_rtt;
    out.rttvar_us = info.tcpi_rttvar;
    out.last_data_sent_ms = info.tcpi_last_data_sent;
    out.last_data_received_ms = info.tcpi_last_data_recv;
    out.last_ack_received_ms = info.tcpi_last_ack_recv;
    out.busy_us = info.tcpi_busy_time;
    out.receive_window_limited_us = info.tcpi_rwnd_limited;
    out.send_buffer_limited_us = info.tcpi_sndbuf_limited;
}

void fill_sizes(api::TcpInfo& out, const ::tcp_info& info) {
    constexpr std::uint32_t no_ssthresh = 0x7fffffff;
    out.mss = info.tcpi_snd_mss;
    out.receive_mss = info.tcpi_rcv_mss;
    out.advertised_mss = info.tcpi_advmss;
    out.pmtu = info.tcpi_pmtu;
    out.cwnd = info.tcpi_snd_cwnd;
    if (info.tcpi_snd_ssthresh < no_ssthresh) out.ssthresh = info.tcpi_snd_ssthresh;
    out.receive_space = info.tcpi_rcv_space;
    out.receive_ssthresh = info.tcpi_rcv_ssthresh;
    if ((info.tcpi_options & TCPI_OPT_WSCALE) != 0) {
        out.send_window_scale = info.tcpi_snd_wscale;
        out.receive_window_scale = info.tcpi_rcv_wscale;
    }
}

void fill_counts(api::TcpInfo& out, const ::tcp_info& info) {
    out.retransmits = info.tcpi_retransmits;
    out.retransmitted = info.tcpi_retrans;
    out.total_retransmits = info.tcpi_total_retrans;
    out.backoff = info.tcpi_backoff;
    out.probes = info.tcpi_probes;
    // Of a listener the kernel says its backlog in these two (tcp.c, tcp_get_info): the queues have it
    // already.
    constexpr std::uint8_t listening = 10;
    if (info.tcpi_state != listening) {
        out.unacked = info.tcpi_unacked;
        out.sacked = info.tcpi_sacked;
    }
    out.lost = info.tcpi_lost;
    out.reordering = info.tcpi_reordering;
    out.bytes_sent = info.tcpi_bytes_sent;
    out.bytes_acked = info.tcpi_bytes_acked;
    out.bytes_received = info.tcpi_bytes_received;
    out.bytes_retransmitted = info.tcpi_bytes_retrans;
    out.segments_out = info.tcpi_segs_out;
    out.segments_in = info.tcpi_segs_in;
    out.data_segments_out = info.tcpi_data_segs_out;
    out.data_segments_in = info.tcpi_data_segs_in;
    out.not_sent_bytes = info.tcpi_notsent_bytes;
    out.pacing_rate = info.tcpi_pacing_rate;
    if (info.tcpi_delivery_rate != 0) out.delivery_rate = info.tcpi_delivery_rate;
}

}  // namespace

api::TcpInfo tcp_info(std::span<const std::byte> bytes, std::string_view congestion) {
    ::tcp_info info{};
    if (!bytes.empty()) std::memcpy(&info, bytes.data(), std::min(bytes.size(), sizeof info));
    const auto has = [&](std::size_t offset, std::size_t size) { return bytes.size() >= offset + size; };
    api::TcpInfo out;
    out.congestion = congestion;
    out.options = option_names(info);
    fill_times(out, info);
    fill_sizes(out, info);
    fill_counts(out, info);
    // "None has been measured" is the largest number there is (tcp.c, tcp_get_info).
    if (has(offsetof(::tcp_info, tcpi_min_rtt), 4) && info.tcpi_min_rtt != 0xFFFFFFFF)
        out.min_rtt_us = info.tcpi_min_rtt;
    if (has(offsetof(::tcp_info, tcpi_snd_wnd), 4)) out.send_window = info.tcpi_snd_wnd;
    return out;
}

}  // namespace netlab::operations
