#pragma once

#include "common/api/connect.hpp"
#include "daemon/operations/interface_names.hpp"

#include <vector>

/// What takes connections or datagrams in a namespace, and whether it would take one that is sent to an
/// address.
namespace netlab::operations {

/// TCP sockets that listen, UDP sockets that are not connected; by address and port, each once. Needs no
/// capability. `names` are the namespace's interfaces. errc as kernel::dump_inet_sockets().
[[nodiscard]] Result<std::vector<api::Listener>> read_listeners(int sock_diag_socket, bool tcp,
                                                                const InterfaceNames& names);

/// One of those with its socket's number.
struct NumberedListener {
    api::Listener listener;
    std::uint64_t inode = 0;
};
/// The same, each socket by itself: SO_REUSEPORT lets several have one place.
[[nodiscard]] Result<std::vector<NumberedListener>> read_listening_sockets(int sock_diag_socket, bool tcp,
                                                                           const InterfaceNames& names);

/// The same address, port and interface: SO_REUSEPORT.
[[nodiscard]] bool is_one_place(const api::Listener& a, const api::Listener& b);

/// Whether a TCP connection from there waits for the last packet of its handshake: the SYN was accepted.
/// Needs no capability. errc as kernel::dump_inet_sockets().
[[nodiscard]] Result<bool> is_half_open(int sock_diag_socket, const api::Endpoint& remote);

enum class ListenerVerdict : std::uint8_t {
    none,           ///< nothing has that port
    takes,          ///< one would take it
    full,           ///< one would, but as many wait for accept(2) already as it lets wait, and one more
    loopback_only,  ///< it is bound to a loopback address
    other_address,  ///< it is bound to another address
    ipv6_only,      ///< it takes IPv6 only, and the packet is IPv4
    ipv4_only,      ///< the other way round
    interface,      ///< it is bound to an interface that the packet has not come in by, or may not have
};

struct Judgement {
    ListenerVerdict verdict = ListenerVerdict::none;
    api::Listener listener;  ///< that the verdict is about; not of `none`
};

/// Of several sockets the one that comes nearest to taking it. `came_by` are the names of the interfaces that
/// the packet was seen to come in by; empty where that is not known.
[[nodiscard]] Judgement judge_listeners(std::span<const api::Listener> listeners,
                                        const IpAddress& destination, std::uint16_t port,
                                        std::span<const std::string> came_by = {});

/// Those of the port first, then by port; no more than `most`.
[[nodiscard]] std::vector<api::Listener> for_report(std::vector<api::Listener> listeners, std::uint16_t port,
                                                    std::size_t most = 32);

}  // namespace netlab::operations
