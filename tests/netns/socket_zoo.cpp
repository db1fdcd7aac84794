#include "tests/netns/socket_zoo.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace netlab::test {

namespace {

// All of this runs in the child: where something fails it ends, and the test with it.
void must(bool condition, int line = __builtin_LINE()) {
    if (condition) return;
    std::fprintf(stderr, "socket_zoo.cpp:%d: %s\n", line, std::strerror(errno));
    std::_Exit(2);
}

void enter(const std::string& name) {
    const UniqueFd net(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    must(::setns(net.get(), CLONE_NEWNET) == 0);
}

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    Address(const std::string& text, std::uint16_t port) {
        length = netlab::IpAddress::parse(text)->to_sockaddr(storage, port);
    }
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] int family() const { return storage.ss_family; }
};

void set(int fd, int level, int option, int value) {
    must(::setsockopt(fd, level, option, &value, sizeof value) == 0);
}

int bound(int type, const Address& address, int protocol = 0, bool v6only = false,
          const char* device = nullptr) {
    const int fd = ::socket(address.family(), type, protocol);
    must(fd >= 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.family() == AF_INET6 && type != SOCK_RAW) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only ? 1 : 0);
    if (device)
        must(::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, static_cast<socklen_t>(strlen(device))) ==
             0);
    must(::bind(fd, address.get(), address.length) == 0);
    return fd;
}

int listening(const Address& address, bool v6only = false, const char* device = nullptr) {
    const int fd = bound(SOCK_STREAM, address, 0, v6only, device);
    // What one end sends soon fills the other.
    set(fd, SOL_SOCKET, SO_RCVBUF, 4096);
    must(::listen(fd, 64) == 0);
    return fd;
}

struct Pair {
    int here = -1;
    int there = -1;
};

Pair connected(int listener, const Address& to) {
    Pair pair;
    pair.here = ::socket(to.family(), SOCK_STREAM, 0);
    set(pair.here, SOL_SOCKET, SO_SNDBUF, 8192);
    must(::connect(pair.here, to.get(), to.length) == 0);
    pair.there = ::accept(listener, nullptr, nullptr);
    must(pair.there >= 0);
    return pair;
}

void rest() {
    ::usleep(30'000);
}

/// Until the other's window is shut.
void fill(int fd) {
    static const std::array<char, 4096> bytes{};
    for (int quiet = 0; quiet < 3;) {
        if (::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
            quiet = 0;
        } else {
            ++quiet;
            rest();
        }
    }
}

std::uint16_t tcp_checksum(const tcphdr& header, in_addr source, in_addr destination) {
    std::array<std::uint16_t, (12 + sizeof header) / 2> words{};
    std::memcpy(words.data(), &source, 4);
    std::memcpy(words.data() + 2, &destination, 4);
    words[4] = htons(IPPROTO_TCP);
    words[5] = htons(sizeof header);
    std::memcpy(words.data() + 6, &header, sizeof header);
    std::uint32_t sum = 0;
    for (const auto word : words)
        sum += word;
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

/// A SYN from an address that nobody answers for: what it opens stays in SYN-RECV.
void send_syn(const char* from, const char* to, std::uint16_t port) {
    struct {
        iphdr ip{};
        tcphdr tcp{};
    } packet;
    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.ttl = 64;
    packet.ip.protocol = IPPROTO_TCP;
    packet.ip.tot_len = htons(sizeof packet);
    in_addr source{};
    in_addr destination{};
    ::inet_pton(AF_INET, from, &source);
    ::inet_pton(AF_INET, to, &destination);
    packet.ip.saddr = source.s_addr;
    packet.ip.daddr = destination.s_addr;
    packet.tcp.source = htons(1234);
    packet.tcp.dest = htons(port);
    packet.tcp.seq = htonl(7);
    packet.tcp.doff = 5;
    packet.tcp.syn = 1;
    packet.tcp.window = htons(1000);
    packet.tcp.check = tcp_checksum(packet.tcp, source, destination);
    const int raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    const Address there(to, 0);
    must(::sendto(raw, &packet, sizeof packet, 0, there.get(), there.length) == sizeof packet);
    ::close(raw);
}

void each_state(const std::string& here, const std::string& there, const std::string& far,
                const std::string& near) {
    enter(there);
    const Address to(far, TcpZoo::port);
    const int server = listening(to, true);
    enter(here);
    const auto established = connected(server, to);
    must(::send(established.here, "hello", 5, 0) == 5);
    must(::send(established.there, "unread", 6, 0) == 6);
    const auto fin_wait_2 = connected(server, to);
    ::shutdown(fin_wait_2.here, SHUT_WR);
    const auto close_wait = connected(server, to);
    ::shutdown(close_wait.there, SHUT_WR);
    const auto time_wait = connected(server, to);
    ::close(time_wait.here);
    rest();
    ::close(time_wait.there);
    const auto fin_wait_1 = connected(server, to);
    fill(fin_wait_1.here);
    ::shutdown(fin_wait_1.here, SHUT_WR);
    const auto closing = connected(server, to);
    fill(closing.here);
    ::shutdown(closing.here, SHUT_WR);
    ::shutdown(closing.there, SHUT_WR);
    const auto last_ack = connected(server, to);
    fill(last_ack.here);
    ::shutdown(last_ack.there, SHUT_WR);
    rest();
    ::shutdown(last_ack.here, SHUT_WR);
    // And one that was accepted here, and one that waits for it.
    const Address own(near, TcpZoo::port);
    const int listener = listening(own, true);
    enter(there);
    connected(listener, own);
    const int waiting = ::socket(own.family(), SOCK_STREAM, 0);
    must(::connect(waiting, own.get(), own.length) == 0);
    enter(here);
}

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

[[noreturn]] void stay(int ready) {
    rest();
    must(::write(ready, "x", 1) == 1);
    for (;;)
        ::pause();
}

void bind_unix(int fd, std::string_view name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    must(::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0);
}

void connect_unix(int fd, std::string_view name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    must(::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0);
}

std::string unix_path(const char* which) {
    return "/tmp/netlab-test-" + std::to_string(::getppid()) + "-" + which;
}

}  // namespace

TcpZoo::TcpZoo(const TestNetwork& network, char here, char there)
    : process_(network.name(here),
               [&, inside = network.name(here), outside = network.name(there)](int ready) {
                   must(std::system(("ip route add 198.51.100.0/24 via 192.0.2.2")) == 0);
                   each_state(inside, outside, "192.0.2.2", "192.0.2.1");
                   each_state(inside, outside, "2001:db8::2", "2001:db8::1");
                   // Of every kind that listens.
                   listening(Address("0.0.0.0", 5001));
                   listening(Address("::", 5002));
                   listening(Address("::", 5003), true);
                   listening(Address("0.0.0.0", 5004), false, "eth0");
                   listening(Address("127.0.0.1", 5005));
                   // A connection over IPv4 to a socket of both families.
                   const Address both("127.0.0.1", 5002);
                   const int to_both = ::socket(AF_INET, SOCK_STREAM, 0);
                   must(::connect(to_both, both.get(), both.length) == 0);
                   // The other side forwards nothing and says nothing.
                   const Address nobody("198.51.100.1", 9);
                   const int unanswered = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
                   must(::connect(unanswered, nobody.get(), nobody.length) != 0);
                   enter(outside);
                   send_syn("198.51.100.7", "192.0.2.1", 5001);
                   enter(inside);
                   stay(ready);
               }) {}

DatagramZoo::DatagramZoo(const TestNetwork& network, char here)
    : process_(network.name(here), [&](int ready) {
          const int any = bound(SOCK_DGRAM, Address("0.0.0.0", 5001));
          const Address self("127.0.0.1", 5001);
          must(::sendto(any, "unread", 6, 0, self.get(), self.length) == 6);
          bound(SOCK_DGRAM, Address("127.0.0.1", 5002));
          const int connected = bound(SOCK_DGRAM, Address("127.0.0.1", 5003));
          const Address to("127.0.0.1", 9);
          must(::connect(connected, to.get(), to.length) == 0);
          bound(SOCK_DGRAM, Address("::", 5004));
          bound(SOCK_DGRAM, Address("::", 5005), 0, true);
          bound(SOCK_DGRAM, Address("0.0.0.0", 5006), 0, false, "eth0");
          const int connected6 = bound(SOCK_DGRAM, Address("::1", 5007));
          const Address to6("::1", 9);
          must(::connect(connected6, to6.get(), to6.length) == 0);
          must(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0);
          must(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) >= 0);
          bound(SOCK_RAW, Address("127.0.0.1", 0), 89);
          bound(SOCK_RAW, Address("0.0.0.0", 0), 89, false, "eth0");
          stay(ready);
      }) {}

UnixZoo::UnixZoo(const TestNetwork& network, char here)
    : process_(network.name(here), [&](int ready) {
          using namespace std::string_view_literals;
          const int by_path = ::socket(AF_UNIX, SOCK_STREAM, 0);
          ::unlink(unix_path("stream").c_str());
          bind_unix(by_path, unix_path("stream"));
          must(::listen(by_path, 3) == 0);
          constexpr auto odd = "\0odd\xFF\0\x1b[31mname\n"sv;
          const int abstract = ::socket(AF_UNIX, SOCK_STREAM, 0);
          bind_unix(abstract, odd.substr(0, 13));
          must(::listen(abstract, 4) == 0);
          const int client = ::socket(AF_UNIX, SOCK_STREAM, 0);
          connect_unix(client, odd.substr(0, 13));
          must(::accept(abstract, nullptr, nullptr) >= 0);
          must(::send(client, "unread", 6, 0) == 6);
          int pair[2];
          must(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
          const int datagrams = ::socket(AF_UNIX, SOCK_DGRAM, 0);
          ::unlink(unix_path("dgram").c_str());
          bind_unix(datagrams, unix_path("dgram"));
          const int packets = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
          bind_unix(packets, "\0packets"sv);
          must(::listen(packets, 2) == 0);
          stay(ready);
      }) {}

UnixZoo::~UnixZoo() {
    for (const char* which : {"stream", "dgram"})
        ::unlink(("/tmp/netlab-test-" + std::to_string(::getpid()) + "-" + which).c_str());
}

PacketZoo::PacketZoo(const TestNetwork& network, char here)
    : process_(network.name(here), [&](int ready) {
          const auto open = [](int type, std::uint16_t protocol, unsigned index) {
              const int fd = ::socket(AF_PACKET, type, htons(protocol));
              must(fd >= 0);
              sockaddr_ll address{};
              address.sll_family = AF_PACKET;
              address.sll_protocol = htons(protocol);
              address.sll_ifindex = static_cast<int>(index);
              if (index != 0)
                  must(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
          };
          open(SOCK_RAW, ETH_P_ALL, ::if_nametoindex("lo"));
          open(SOCK_DGRAM, ETH_P_IP, ::if_nametoindex("lo"));
          open(SOCK_RAW, ETH_P_ARP, 0);
          open(SOCK_RAW, 0, 0);
          const int sender = ::socket(AF_INET, SOCK_DGRAM, 0);
          const Address to("127.0.0.1", 9);
          must(::sendto(sender, "x", 1, 0, to.get(), to.length) == 1);
          stay(ready);
      }) {}

Crowd::Crowd(const TestNetwork& network, char here, int count)
    : process_(network.name(here), [&](int ready) {
          raise_descriptor_limit();
          const Address to("127.0.0.1", 7000);
          const int listener = listening(to);
          for (int i = 0; i < count; ++i)
              connected(listener, to);
          stay(ready);
      }) {}

}  // namespace netlab::test
