#include "cli/render/socket_text.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace netlab::cli {

namespace {

using api::SocketEnd;
using api::SocketRow;

template <std::integral T>
void append_number(std::string& out, T number) {
    std::array<char, 24> digits;
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// /etc/protocols, of what raw sockets are opened for.
std::string_view protocol_name(std::uint16_t number) {
    switch (number) {
        case 1:
            return "icmp";
        case 2:
            return "igmp";
        case 6:
            return "tcp";
        case 17:
            return "udp";
        case 47:
            return "gre";
        case 50:
            return "esp";
        case 51:
            return "ah";
        case 58:
            return "ipv6-icmp";
        case 89:
            return "ospf";
        case 103:
            return "pim";
        case 112:
            return "vrrp";
        case 132:
            return "sctp";
        default:
            return {};
    }
}

bool is_raw(const SocketRow& row) {
    return row.protocol == "raw";
}

void append_port(std::string& out, std::uint16_t port, bool raw) {
    out += ':';
    if (port == 0) {
        out += '*';
    } else if (const auto name = raw ? protocol_name(port) : std::string_view(); !name.empty()) {
        out += name;
    } else {
        append_number(out, port);
    }
}

/// "::" of a socket that takes IPv4 as well is shown as what it is: anything.
bool is_dual(const SocketRow& row, const SocketEnd& end) {
    return row.v6only == false && end.address == "::";
}

void append_address(std::string& out, const SocketRow& row, const SocketEnd& end) {
    if (is_dual(row, end)) {
        out += '*';
    } else if (end.address.find(':') != std::string::npos) {
        out.append(1, '[').append(end.address).append(1, ']');
    } else {
        out += end.address;
    }
}

void append_unix(std::string& out, const std::string& path, std::uint64_t inode) {
    out += path.empty() ? std::string_view("*") : std::string_view(path);
    out += ' ';
    append_number(out, inode);
}

std::string milliseconds(std::uint64_t microseconds) {
    std::array<char, 24> text;
    const auto length =
        std::snprintf(text.data(), text.size(), "%g", static_cast<double>(microseconds) / 1000);
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string rate(std::uint64_t bytes_per_second) {
    const double bits = static_cast<double>(bytes_per_second) * 8;
    std::array<char, 32> text;
    const char* unit = bits >= 1e9 ? "Gbps" : bits >= 1e6 ? "Mbps" : bits >= 1e3 ? "Kbps" : "bps";
    const double scale = bits >= 1e9 ? 1e9 : bits >= 1e6 ? 1e6 : bits >= 1e3 ? 1e3 : 1;
    const auto length = std::snprintf(text.data(), text.size(), "%.3g%s", bits / scale, unit);
    return {text.data(), static_cast<std::size_t>(length)};
}

/// "key:value" with a blank before it, where there is something to say.
class Words {
  public:
    void add(const std::string& word) { text_ += (text_.empty() ? "" : " ") + word; }
    template <std::integral T>
    void add(const char* key, T value) {
        if (value != 0) add(std::string(key) + ":" + std::to_string(value));
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

}  // namespace

void write_local(std::string& out, const SocketRow& row) {
    out.clear();
    if (row.protocol.starts_with("u_")) return append_unix(out, row.local.address, row.inode);
    append_address(out, row, row.local);
    if (row.protocol.starts_with("p_")) {
        out += ':';
        out += row.interface ? *row.interface : std::string("*");
        return;
    }
    if (row.interface) out.append(1, '%').append(*row.interface);
    append_port(out, row.local.port.value_or(0), is_raw(row));
}

void write_remote(std::string& out, const SocketRow& row) {
    out.clear();
    if (row.protocol.starts_with("u_"))
        return append_unix(out, row.remote.address, row.peer_inode.value_or(0));
    if (row.protocol.starts_with("p_")) {
        out += '*';
        return;
    }
    append_address(out, row, row.remote);
    append_port(out, row.remote.port.value_or(0), false);
}

void write_processes(std::string& out, const SocketRow& row) {
    out.clear();
    if (!row.processes) return;
    for (const auto& process : *row.processes) {
        if (!out.empty()) out += ' ';
        out += process.name;
        out += ",pid=";
        append_number(out, process.pid);
        if (process.host_pid != process.pid) {
            out += ",host=";
            append_number(out, process.host_pid);
        }
        out += ",fd=";
        append_number(out, process.fd);
    }
    if (row.more_processes) {
        out += " and ";
        append_number(out, *row.more_processes);
        out += " more";
    }
}

std::string tcp_info_text(const api::TcpInfo& info) {
    Words words;
    for (const auto& option : info.options)
        words.add(option);
    if (!info.congestion.empty()) words.add(info.congestion);
    if (info.send_window_scale && info.receive_window_scale) {
        words.add("wscale:" + std::to_string(*info.send_window_scale) + "," +
                  std::to_string(*info.receive_window_scale));
    }
    if (info.rto_us != 0) words.add("rto:" + milliseconds(info.rto_us));
    if (info.rtt_us != 0) words.add("rtt:" + milliseconds(info.rtt_us) + "/" + milliseconds(info.rttvar_us));
    if (info.min_rtt_us && *info.min_rtt_us != 0) words.add("minrtt:" + milliseconds(*info.min_rtt_us));
    words.add("mss", info.mss);
    words.add("pmtu", info.pmtu);
    words.add("rcvmss", info.receive_mss);
    words.add("advmss", info.advertised_mss);
    words.add("cwnd", info.cwnd);
    if (info.ssthresh) words.add("ssthresh", *info.ssthresh);
    words.add("bytes_sent", info.bytes_sent);
    words.add("bytes_retrans", info.bytes_retransmitted);
    words.add("bytes_acked", info.bytes_acked);
    words.add("bytes_received", info.bytes_received);
    words.add("segs_out", info.segments_out);
    words.add("segs_in", info.segments_in);
    if (info.pacing_rate != 0 && info.pacing_rate != ~std::uint64_t{0})
        words.add("pacing:" + rate(info.pacing_rate));
    if (info.delivery_rate) words.add("delivery:" + rate(*info.delivery_rate));
    words.add("unacked", info.unacked);
    if (info.retransmitted != 0 || info.total_retransmits != 0) {
        words.add("retrans:" + std::to_string(info.retransmitted) + "/" +
                  std::to_string(info.total_retransmits));
    }
    words.add("timeouts", info.retransmits);
    words.add("backoff", info.backoff);
    words.add("lost", info.lost);
    words.add("sacked", info.sacked);
    words.add("notsent", info.not_sent_bytes);
    if (info.receive_window_limited_us != 0)
        words.add("rwnd_limited:" + milliseconds(info.receive_window_limited_us) + "ms");
    if (info.send_buffer_limited_us != 0)
        words.add("sndbuf_limited:" + milliseconds(info.send_buffer_limited_us) + "ms");
    if (info.send_window) words.add("snd_wnd", *info.send_window);
    return words.take();
}

std::string memory_text(const api::SocketMemory& memory) {
    const auto number = [](std::uint32_t value) { return std::to_string(value); };
    return "skmem:(r" + number(memory.receive_allocated) + ",rb" + number(memory.receive_buffer) + ",t" +
           number(memory.send_allocated) + ",tb" + number(memory.send_buffer) + ",f" +
           number(memory.forward_allocated) + ",w" + number(memory.write_queued) + ",o" +
           number(memory.option_memory) + ",bl" + number(memory.backlog) + ",d" + number(memory.drops) + ")";
}

std::string timer_text(const std::optional<api::SocketTimer>& timer) {
    if (!timer) return {};
    return timer->name + "," + milliseconds(timer->expires_ms) + "s," + std::to_string(timer->retransmits);
}

}  // namespace netlab::cli
