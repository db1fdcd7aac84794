#pragma once

#include "tests/netns/test_network.hpp"

#include <cstdint>

/// Sockets of every kind in a namespace, for as long as the object lives.
namespace netlab::test {

/// TCP sockets of `here` in every state, IPv4 and IPv6. The veth has 192.0.2.1 and 2001:db8::1 here, .2 and
/// ::2 there.
class TcpZoo {
  public:
    static constexpr std::uint16_t port = 4711;
    TcpZoo(const TestNetwork& network, char here, char there);

  private:
    NamespaceProcess process_;
};

/// UDP and RAW sockets on an eth0 that has 192.0.2.1 and 2001:db8::1.
class DatagramZoo {
  public:
    static constexpr std::size_t udp_sockets = 7;
    static constexpr std::size_t raw_sockets = 4;
    DatagramZoo(const TestNetwork& network, char here);

  private:
    NamespaceProcess process_;
};

class UnixZoo {
  public:
    static constexpr std::size_t sockets = 8;
    UnixZoo(const TestNetwork& network, char here);
    ~UnixZoo();
    UnixZoo(const UnixZoo&) = delete;
    UnixZoo& operator=(const UnixZoo&) = delete;

  private:
    NamespaceProcess process_;
};

class PacketZoo {
  public:
    static constexpr std::size_t sockets = 4;
    PacketZoo(const TestNetwork& network, char here);

  private:
    NamespaceProcess process_;
};

/// `count` connections over the loopback: twice as many sockets.
class Crowd {
  public:
    Crowd(const TestNetwork& network, char here, int count);

  private:
    NamespaceProcess process_;
};

}  // namespace netlab::test
