#pragma once

#include <cstdint>
#include <string>

namespace netlab::test {

/// What stands behind a port while a test runs; each is the body of a NamespaceProcess and never returns.
/// `address` is numeric; "::" takes IPv6 alone where `v6only`.
struct ServerPlace {
    std::string address = "0.0.0.0";
    std::uint16_t port = 80;
    bool v6only = false;
    int backlog = 16;
    std::string interface = {};  ///< that it is bound to (SO_BINDTODEVICE)
};

/// Listens; the kernel completes handshakes, nobody accepts.
void listen_only(int ready, const ServerPlace& place);

enum class Ending : std::uint8_t { stay_open, close, reset };
/// Accepts, says `words` and does as `ending` says.
void speak_first(int ready, const ServerPlace& place, const std::string& words,
                 Ending ending = Ending::stay_open);

/// Sends each datagram back, or takes it in silence.
void take_datagrams(int ready, const ServerPlace& place, bool echo);

/// Sends each datagram back, from another port.
void answer_from_elsewhere(int ready, const ServerPlace& place, std::uint16_t other_port);

}  // namespace netlab::test
