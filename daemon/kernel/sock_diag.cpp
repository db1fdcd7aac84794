#include "daemon/kernel/sock_diag.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/packet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace netlab::kernel {

namespace {

std::string_view characters(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view up_to_zero(std::string_view text) {
    return text.substr(0, text.find('\0'));
}

constexpr std::uint8_t extension(int attribute) {
    return static_cast<std::uint8_t>(1U << (attribute - 1));
}

inet_diag_sockid id_of(const InetQuery& query) {
    inet_diag_sockid id{};
    id.idiag_sport = htons(query.local_port);
    id.idiag_dport = htons(query.remote_port);
    id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return id;
}

std::uint8_t extensions_of(const InetQuery& query) {
    unsigned extensions = 0;
    if (query.tcp_info) extensions |= extension(INET_DIAG_INFO) | extension(INET_DIAG_CONG);
    if (query.memory) extensions |= extension(INET_DIAG_SKMEMINFO);
    return static_cast<std::uint8_t>(extensions);
}

}  // namespace

bool parse_inet_socket(std::span<const std::byte> message, InetSocket& out) {
    inet_diag_msg header;
    if (!read(message, header)) return false;
    if (header.idiag_family != AF_INET && header.idiag_family != AF_INET6) return false;
    out.family = header.idiag_family;
    out.state = header.idiag_state;
    out.timer = header.idiag_timer;
    out.retransmits = header.idiag_retrans;
    out.expires_ms = header.idiag_expires;
    std::memcpy(out.local.data(), header.id.idiag_src, out.local.size());
    std::memcpy(out.remote.data(), header.id.idiag_dst, out.remote.size());
    out.local_port = ntohs(header.id.idiag_sport);
    out.remote_port = ntohs(header.id.idiag_dport);
    out.interface = header.id.idiag_if;
    out.recv_queue = header.idiag_rqueue;
    out.send_queue = header.idiag_wqueue;
    out.uid = header.idiag_uid;
    out.inode = header.idiag_inode;
    out.v6only.reset();
    out.tcp_info = {};
    out.congestion = {};
    out.memory_info = {};
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        if (std::uint8_t flag = 0; type == INET_DIAG_SKV6ONLY && read(value, flag)) out.v6only = flag != 0;
        if (type == INET_DIAG_INFO) out.tcp_info = value;
        if (type == INET_DIAG_CONG) out.congestion = up_to_zero(characters(value));
        if (type == INET_DIAG_SKMEMINFO) out.memory_info = value;
    });
    return true;
}

bool parse_unix_socket(std::span<const std::byte> message, UnixSocket& out) {
    unix_diag_msg header;
    if (!read(message, header) || header.udiag_family != AF_UNIX) return false;
    out = {};
    out.type = header.udiag_type;
    out.state = header.udiag_state;
    out.inode = header.udiag_ino;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        if (type == UNIX_DIAG_NAME) {
            out.name = characters(value);
            const bool abstract = !out.name.empty() && out.name.front() == '\0';
            if (!abstract) out.name = up_to_zero(out.name);
        }
        std::uint32_t number = 0;
        if (type == UNIX_DIAG_PEER && read(value, number)) out.peer = number;
        if (type == UNIX_DIAG_UID && read(value, number)) out.uid = number;
        if (unix_diag_rqlen queues; type == UNIX_DIAG_RQLEN && read(value, queues)) {
            out.recv_queue = queues.udiag_rqueue;
            out.send_queue = queues.udiag_wqueue;
        }
        if (type == UNIX_DIAG_MEMINFO) out.memory_info = value;
    });
    return true;
}

bool parse_packet_socket(std::span<const std::byte> message, PacketSocket& out) {
    packet_diag_msg header;
    if (!read(message, header) || header.pdiag_family != AF_PACKET) return false;
    out = {};
    out.type = header.pdiag_type;
    out.protocol = header.pdiag_num;  // packet_diag.c: ntohs(po->num)
    out.inode = header.pdiag_ino;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        if (packet_diag_info info; type == PACKET_DIAG_INFO && read(value, info))
            out.interface = info.pdi_index;
        if (std::uint32_t uid = 0; type == PACKET_DIAG_UID && read(value, uid)) out.uid = uid;
        if (type == PACKET_DIAG_MEMINFO) out.memory_info = value;
    });
    return true;
}

Result<DumpEnd> dump_inet_sockets(int socket, const InetQuery& query,
                                  const std::function<void(const InetSocket&)>& each) {
    InetSocket row;
    const auto take = [&](std::span<const std::byte> messages) {
        for_each_message(messages, [&](std::uint16_t, std::span<const std::byte> message) {
            if (parse_inet_socket(message, row)) each(row);
        });
    };
    if (query.family == AF_UNSPEC) {
        // The old form of the request has no protocol but in its type, and takes both families.
        DumpRequest<inet_diag_req> request(TCPDIAG_GETSOCK);
        request.header.idiag_ext = extensions_of(query);
        request.header.idiag_states = query.states;
        request.header.id = id_of(query);
        return stream_dump(socket, request.bytes(), take);
    }
    DumpRequest<inet_diag_req_v2> request(SOCK_DIAG_BY_FAMILY);
    request.header.sdiag_family = query.family;
    request.header.sdiag_protocol = query.protocol;
    request.header.idiag_ext = extensions_of(query);
    request.header.idiag_states = query.states;
    request.header.id = id_of(query);
    return stream_dump(socket, request.bytes(), take);
}

Result<DumpEnd> dump_unix_sockets(int socket, std::uint32_t states, bool memory,
                                  const std::function<void(const UnixSocket&)>& each) {
    DumpRequest<unix_diag_req> request(SOCK_DIAG_BY_FAMILY);
    request.header.sdiag_family = AF_UNIX;
    request.header.udiag_states = states;
    request.header.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID;
    if (memory) request.header.udiag_show |= UDIAG_SHOW_MEMINFO;
    request.header.udiag_cookie[0] = request.header.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
    UnixSocket row;
    return stream_dump(socket, request.bytes(), [&](std::span<const std::byte> messages) {
        for_each_message(messages, [&](std::uint16_t, std::span<const std::byte> message) {
            if (parse_unix_socket(message, row)) each(row);
        });
    });
}

Result<std::uint32_t> unix_peer_inode(int diag, int socket) {
    struct stat own {};
    if (::fstat(socket, &own) != 0) return system_error(errc::operation_failed, "look at a socket", errno);
    DumpRequest<unix_diag_req> request(SOCK_DIAG_BY_FAMILY);
    request.header.sdiag_family = AF_UNIX;
    request.header.udiag_ino = static_cast<std::uint32_t>(own.st_ino);
    request.header.udiag_show = UDIAG_SHOW_PEER;
    request.header.udiag_cookie[0] = request.header.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
    const auto answer = ask(diag, request.bytes());
    if (!answer) return answer.error();
    if (answer->error != 0)
        return system_error(errc::operation_failed, "look for a socket's other end", answer->error);
    std::uint32_t inode = 0;
    for_each_message(answer->message, [&](std::uint16_t, std::span<const std::byte> message) {
        if (UnixSocket row; parse_unix_socket(message, row)) inode = row.peer.value_or(0);
    });
    return inode;
}

Result<DumpEnd> dump_packet_sockets(int socket, const std::function<void(const PacketSocket&)>& each) {
    DumpRequest<packet_diag_req> request(SOCK_DIAG_BY_FAMILY);
    request.header.sdiag_family = AF_PACKET;
    // What waits to be received is only said among the memory.
    request.header.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO;
    request.header.pdiag_cookie[0] = request.header.pdiag_cookie[1] = INET_DIAG_NOCOOKIE;
    PacketSocket row;
    return stream_dump(socket, request.bytes(), [&](std::span<const std::byte> messages) {
        for_each_message(messages, [&](std::uint16_t, std::span<const std::byte> message) {
            if (parse_packet_socket(message, row)) each(row);
        });
    });
}

}  // namespace netlab::kernel
