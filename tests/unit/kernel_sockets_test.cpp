#include "common/api/sockets.hpp"
#include "daemon/kernel/processes.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/passwd.hpp"
#include "daemon/operations/socket_rows.hpp"
#include "daemon/operations/sysctl_table.hpp"
#include "tests/support/catch.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/packet_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

using namespace netlab;
using namespace netlab::kernel;

namespace {

/// A message as the kernel builds it.
class Message {
  public:
    template <class Header>
    explicit Message(const Header& header) {
        append(&header, sizeof header);
    }
    Message& attribute(std::uint16_t type, std::string_view value) {
        const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
        append(&header, sizeof header);
        append(value.data(), value.size());
        return *this;
    }
    template <class T>
    requires std::is_trivially_copyable_v<T> &&
        (!std::convertible_to<T, std::string_view>)Message& attribute(std::uint16_t type, const T& value) {
        return attribute(type, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
    }
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  private:
    void append(const void* data, std::size_t size) {
        const auto* at = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), at, at + size);
        bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    }
    std::vector<std::byte> bytes_;
};

inet_diag_msg inet_header() {
    inet_diag_msg header{};
    header.idiag_family = AF_INET6;
    header.idiag_state = 10;
    header.id.idiag_sport = htons(443);
    header.id.idiag_src[3] = htonl(1);
    header.id.idiag_if = 7;
    header.idiag_rqueue = 1;
    header.idiag_wqueue = 128;
    header.idiag_uid = 4242;
    header.idiag_inode = 99;
    return header;
}

}  // namespace

TEST_CASE("sockets: an inet_diag message becomes a row, and what the last one had is gone from it",
          "[unit]") {
    InetSocket socket;
    const std::uint8_t no = 0;
    const Message first = Message(inet_header())
                              .attribute(INET_DIAG_SKV6ONLY, no)
                              .attribute(INET_DIAG_CONG, std::string_view("cubic\0", 6))
                              .attribute(INET_DIAG_SKMEMINFO, std::array<std::uint32_t, 2>{1, 2});
    REQUIRE(parse_inet_socket(first.bytes(), socket));
    api::SocketRow row;
    operations::fill_row(row, socket, "tcp");
    CHECK(row.state == "LISTEN");
    CHECK(row.local == api::SocketEnd{"::1", 443});
    CHECK(row.remote == api::SocketEnd{"::", 0});
    CHECK(row.recv_queue == 1);
    CHECK(row.send_queue == 128);
    CHECK(row.uid == 4242U);
    CHECK(row.inode == 99);
    CHECK(row.v6only == false);
    CHECK(socket.interface == 7);
    CHECK(socket.congestion == "cubic");
    REQUIRE(row.memory);
    CHECK(row.memory->receive_buffer == 2);
    CHECK(row.memory->drops == 0);
    auto header = inet_header();
    header.idiag_family = AF_INET;
    header.idiag_state = 200;
    header.idiag_timer = 2;
    header.idiag_expires = 1500;
    const Message second(header);
    REQUIRE(parse_inet_socket(second.bytes(), socket));
    operations::fill_row(row, socket, "tcp");
    CHECK(row.state == "UNKNOWN");
    CHECK(row.local.address == "0.0.0.0");
    CHECK_FALSE(row.v6only);
    CHECK_FALSE(row.memory);
    CHECK(row.timer == api::SocketTimer{"keepalive", 1500, 0});
}

TEST_CASE("sockets: a message that is cut anywhere is refused or read as far as it goes", "[unit]") {
    const Message message = Message(inet_header()).attribute(INET_DIAG_CONG, std::string_view("reno", 4));
    InetSocket socket;
    for (std::size_t size = 0; size < message.bytes().size(); ++size)
        CHECK(parse_inet_socket(message.bytes().first(size), socket) == (size >= sizeof(inet_diag_msg)));
    auto header = inet_header();
    header.idiag_family = AF_UNIX;
    CHECK_FALSE(parse_inet_socket(Message(header).bytes(), socket));
}

TEST_CASE("sockets: Unix names are paths up to a zero byte, or abstract with any byte", "[unit]") {
    using namespace std::string_view_literals;
    unix_diag_msg header{};
    header.udiag_family = AF_UNIX;
    header.udiag_type = SOCK_SEQPACKET;
    header.udiag_state = 1;
    header.udiag_ino = 5;
    UnixSocket socket;
    const Message path = Message(header)
                             .attribute(UNIX_DIAG_NAME, "/run/x\0"sv)
                             .attribute(UNIX_DIAG_PEER, std::uint32_t{6})
                             .attribute(UNIX_DIAG_RQLEN, unix_diag_rqlen{7, 8});
    REQUIRE(parse_unix_socket(path.bytes(), socket));
    api::SocketRow row;
    operations::fill_row(row, socket);
    CHECK(row.protocol == "u_seq");
    CHECK(row.local.address == "/run/x");
    CHECK(row.peer_inode == std::uint64_t{6});
    CHECK(row.recv_queue == 7);
    const Message abstract = Message(header).attribute(UNIX_DIAG_NAME, "\0a\0\xFF"sv);
    REQUIRE(parse_unix_socket(abstract.bytes(), socket));
    operations::fill_row(row, socket);
    CHECK(row.local.address == "@a\0\xFF"sv);
    CHECK_FALSE(row.peer_inode);
}

TEST_CASE("sockets: a packet socket has its interface and its protocol", "[unit]") {
    packet_diag_msg header{};
    header.pdiag_family = AF_PACKET;
    header.pdiag_type = SOCK_RAW;
    header.pdiag_num = 0x0806;
    packet_diag_info info{};
    info.pdi_index = 3;
    PacketSocket socket;
    const Message message = Message(header).attribute(PACKET_DIAG_INFO, info);
    REQUIRE(parse_packet_socket(message.bytes(), socket));
    CHECK(socket.interface == 3);
    api::SocketRow row;
    operations::fill_row(row, socket);
    CHECK(row.protocol == "p_raw");
    CHECK(row.local.address == "arp");
}

TEST_CASE("sockets: a line of /proc/net/raw, and what is none", "[unit]") {
    InetSocket socket;
    const std::string line =
        "   1: 0100007F:0001 0200007F:0000 07 00000010:00000020 00:00000000 00000000  1000        0 4711 2 "
        "0000000000000000 0";
    REQUIRE(parse_proc_raw(line, AF_INET, socket));
    CHECK(socket.local[0] == 127);
    CHECK(socket.local[3] == 1);
    CHECK(socket.remote[3] == 2);
    CHECK(socket.local_port == 1);
    CHECK(socket.state == 7);
    CHECK(socket.send_queue == 16);
    CHECK(socket.recv_queue == 32);
    CHECK(socket.uid == 1000);
    CHECK(socket.inode == 4711);
    CHECK_FALSE(parse_proc_raw("  sl  local_address rem_address   st tx_queue rx_queue", AF_INET, socket));
    CHECK_FALSE(parse_proc_raw(line, AF_INET6, socket));
    CHECK_FALSE(parse_proc_raw("", AF_INET, socket));
}

TEST_CASE("sockets: tcp_info of an older kernel is read as far as it goes", "[unit]") {
    std::array<std::byte, 104> old{};
    old[68] = std::byte{0x10};  // tcpi_rtt
    const auto info = operations::tcp_info(old, "reno");
    CHECK(info.rtt_us == 16);
    CHECK(info.congestion == "reno");
    CHECK_FALSE(info.min_rtt_us);
    CHECK_FALSE(info.send_window);
    CHECK_FALSE(info.delivery_rate);
    CHECK(operations::tcp_info({}, {}).rtt_us == 0);
    // A listener's backlog is not to be taken for segments.
    old[24] = old[28] = std::byte{9};  // tcpi_unacked, tcpi_sacked
    CHECK(operations::tcp_info(old, {}).sacked == 9);
    old[0] = std::byte{10};
    CHECK(operations::tcp_info(old, {}).sacked == 0);
    CHECK(operations::tcp_info(old, {}).unacked == 0);
}

TEST_CASE("sockets: states are asked for as ss asks for them", "[unit]") {
    using api::SocketKind;
    using api::SocketSelection;
    api::SocketsRequest request;
    const auto named = [](std::string_view name) { return api::socket_states(name); };
    CHECK(operations::wanted_states(request, SocketKind::udp) == named("established"));
    CHECK((operations::wanted_states(request, SocketKind::tcp) & (named("bucket") | named("listening"))) ==
          0);
    request.show = SocketSelection::listening;
    CHECK(operations::wanted_states(request, SocketKind::tcp) == named("listening"));
    CHECK(operations::wanted_states(request, SocketKind::udp) == named("closed"));
    request.states = {"TIME_WAIT"};
    CHECK(operations::wanted_states(request, SocketKind::tcp) == named("time-wait"));
    CHECK(operations::wanted_states(request, SocketKind::packet) == 0);
    request.states = {"estb"};
    const auto checked = api::check(request, api::Roles::all());
    REQUIRE_FALSE(checked);
    CHECK(checked.error().hint.find("estab") != std::string::npos);
}

TEST_CASE("processes: a link to a socket, and links to something else", "[unit]") {
    CHECK(socket_inode("socket:[4711]") == 4711);
    for (const char* other :
         {"", "socket:[", "socket:[]", "socket:[12", "socket:[x]", "pipe:[4711]", "/socket:[1]"})
        CHECK(socket_inode(other) == 0);
}

TEST_CASE("processes: the status of one whose name looks like another line", "[unit]") {
    const auto status = parse_process_status(
        "Name:\ta\\nNSpid:\t9\nState:\tS "
        "(sleeping)\nPPid:\t12\nUid:\t1\t2\t3\t4\nNSpid:\t4242\t17\t1\nThreads:\t5\n");
    CHECK(status == ProcessStatus{1, 12, 2, 5, 'S'});
    CHECK(parse_process_status("").inner_pid == 0);
}

TEST_CASE("passwd: names by number, and lines that are none", "[unit]") {
    const operations::UserNames users(
        "root:x:0:0::/:/bin/sh\n+\nbad\n:x:3:\ntwice:x:0:0\nweb:x:33:33:w:/:/x\nodd:x:1x:\n");
    CHECK(users.find(0) == "root");
    CHECK(users.find(33) == "web");
    CHECK_FALSE(users.find(1));
    CHECK_FALSE(users.find(3));
}

TEST_CASE("sysctls: names and values are written as sysctl writes them", "[unit]") {
    CHECK(operations::sysctl_name("ipv4/conf/eth0.7/rp_filter") == "net.ipv4.conf.eth0/7.rp_filter");
    CHECK(operations::sysctl_value("32768\t60999\n") == "32768 60999");
    CHECK(operations::sysctl_value("\n").empty());
}
