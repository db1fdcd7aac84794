#include "daemon/operations/socket_rows.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

using api::SocketKind;

constexpr std::string_view state_names[] = {"UNKNOWN",    "ESTAB",      "SYN-SENT",  "SYN-RECV",
                                            "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
                                            "CLOSE-WAIT", "LAST-ACK",   "LISTEN",    "CLOSING"};

/// ss.c, timer_name.
constexpr std::string_view timer_names[] = {"off", "on", "keepalive", "timewait", "persist"};

void write_timer(api::SocketRow& row, const kernel::InetSocket& socket) {
    if (socket.timer == 0) {
        row.timer.reset();
        return;
    }
    auto& timer = row.timer ? *row.timer : row.timer.emplace();
    timer.name = socket.timer < std::size(timer_names) ? timer_names[socket.timer] : "unknown";
    timer.expires_ms = socket.expires_ms;
    timer.retransmits = socket.retransmits;
}

void write_ipv4(std::string& out, const std::array<std::uint8_t, 16>& address) {
    char text[16];
    char* at = text;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i != 0) *at++ = '.';
        at = std::to_chars(at, text + sizeof text, address[i]).ptr;
    }
    out.assign(text, at);
}

/// EtherTypes that a packet socket is likely to be bound to, by the names of iproute2's ll_proto.c.
std::string packet_protocol_name(std::uint16_t number) {
    switch (number) {
        case ETH_P_ALL:
            return "*";
        case ETH_P_IP:
            return "ip";
        case ETH_P_ARP:
            return "arp";
        case ETH_P_IPV6:
            return "ipv6";
        case ETH_P_LLDP:
            return "lldp";
        default:
            return "[" + std::to_string(number) + "]";
    }
}

void reset_details(api::SocketRow& row) {
    row.timer.reset();
    row.v6only.reset();
    row.peer_inode.reset();
    row.tcp_info.reset();
    row.memory.reset();
}

}  // namespace

std::string_view socket_state_name(std::uint8_t state) {
    return state < std::size(state_names) ? state_names[state] : state_names[0];
}

bool is_wanted(const api::SocketsRequest& request, SocketKind kind) {
    const bool has_ports = kind == SocketKind::tcp || kind == SocketKind::udp;
    if ((request.source_port || request.destination_port) && !has_ports) return false;
    if (request.family && !has_ports && kind != SocketKind::raw) return false;
    return request.kinds.empty() || std::ranges::count(request.kinds, kind) > 0;
}

std::uint32_t wanted_states(const api::SocketsRequest& request, SocketKind kind) {
    const auto named = [](std::string_view name) { return api::socket_states(name); };
    // What there can be: TCP sockets that are closed are in no table, and asking for them costs a walk of it.
    const std::uint32_t possible = [&] {
        switch (kind) {
            case SocketKind::tcp:
                return kernel::every_socket_state & ~named("closed");
            case SocketKind::udp:
            case SocketKind::raw:
                return named("established") | named("closed");
            case SocketKind::unix_:
                return named("established") | named("closed") | named("listening");
            case SocketKind::packet:
                return named("closed");
        }
        return std::uint32_t{0};
    }();
    if (!request.states.empty()) {
        std::uint32_t states = 0;
        for (const auto& name : request.states)
            states |= named(name);
        return states & possible;
    }
    const auto show =
        request.show.value_or(request.summary ? api::SocketSelection::all : api::SocketSelection::connected);
    if (show == api::SocketSelection::all) return possible;
    if (show == api::SocketSelection::listening) return possible & (named("listening") | named("closed"));
    // ss.c, default_dbs.
    if (kind == SocketKind::packet) return possible;
    return possible & named("connected") & ~named("bucket");
}

void write_address(std::string& out, std::uint8_t family, const std::array<std::uint8_t, 16>& address) {
    if (family == AF_INET) return write_ipv4(out, address);
    char text[INET6_ADDRSTRLEN];
    out.assign(::inet_ntop(AF_INET6, address.data(), text, sizeof text));
}

void fill_row(api::SocketRow& row, const kernel::InetSocket& socket, std::string_view protocol) {
    row.protocol = protocol;
    row.state = socket_state_name(socket.state);
    write_address(row.local.address, socket.family, socket.local);
    write_address(row.remote.address, socket.family, socket.remote);
    row.local.port = socket.local_port;
    row.remote.port = socket.remote_port;
    row.recv_queue = socket.recv_queue;
    row.send_queue = socket.send_queue;
    row.v6only = socket.v6only;
    row.uid = socket.uid;
    row.inode = socket.inode;
    row.peer_inode.reset();
    write_timer(row, socket);
    row.tcp_info.reset();
    if (!socket.tcp_info.empty()) row.tcp_info = tcp_info(socket.tcp_info, socket.congestion);
    row.memory.reset();
    if (!socket.memory_info.empty()) row.memory = socket_memory(socket.memory_info);
}

void fill_row(api::SocketRow& row, const kernel::UnixSocket& socket) {
    reset_details(row);
    row.protocol = unix_protocol(socket.type);
    row.state = socket_state_name(socket.state);
    row.local.address = unix_name(socket.name);
    row.local.port.reset();
    row.remote.address.clear();
    row.remote.port.reset();
    row.recv_queue = socket.recv_queue;
    row.send_queue = socket.send_queue;
    row.uid = socket.uid;
    row.inode = socket.inode;
    if (socket.peer) row.peer_inode = *socket.peer;
    if (!socket.memory_info.empty()) row.memory = socket_memory(socket.memory_info);
}

void fill_row(api::SocketRow& row, const kernel::PacketSocket& socket) {
    reset_details(row);
    row.protocol = packet_protocol(socket.type);
    row.state = "UNCONN";
    row.local.address = packet_protocol_name(socket.protocol);
    row.local.port.reset();
    row.remote.address.clear();
    row.remote.port.reset();
    row.recv_queue = 0;
    row.send_queue = 0;
    row.uid = socket.uid;
    row.inode = socket.inode;
    if (socket.memory_info.empty()) return;
    row.memory = socket_memory(socket.memory_info);
    row.recv_queue = row.memory->receive_allocated;
}

std::string_view unix_protocol(std::uint8_t type) {
    return type == SOCK_STREAM ? "u_str" : type == SOCK_SEQPACKET ? "u_seq" : "u_dgr";
}

std::string_view packet_protocol(std::uint8_t type) {
    return type == SOCK_RAW ? "p_raw" : "p_dgr";
}

std::string unix_name(std::string_view name) {
    std::string text(name);
    if (!text.empty() && text.front() == '\0') text.front() = '@';
    return text;
}

api::SocketMemory socket_memory(std::span<const std::byte> bytes) {
    api::SocketMemory memory;
    std::uint32_t* const fields[] = {
        &memory.receive_allocated, &memory.receive_buffer,    &memory.send_allocated,
        &memory.send_buffer,       &memory.forward_allocated, &memory.write_queued,
        &memory.option_memory,     &memory.backlog,           &memory.drops};
    for (auto* field : fields) {
        if (!kernel::read(bytes, *field)) break;
        bytes = bytes.subspan(sizeof *field);
    }
    return memory;
}

}  // namespace netlab::operations
