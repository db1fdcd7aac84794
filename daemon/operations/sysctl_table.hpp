#pragma once

#include <span>
#include <string>
#include <string_view>

/// The settings that `netlab sysctls` shows, with their defaults.
namespace netlab::operations {

struct Sysctl {
    std::string_view path;      ///< below /proc/sys/net
    std::string_view standard;  ///< the kernel's default; "" with `host` set, and where there is none
    bool host = false;          ///< held against the host's value
};

/// Settings of a namespace. Defaults: net/ipv4/af_inet.c, tcp_ipv4.c (tcp_sk_init), icmp.c, ip_fragment.c,
/// net/core/sysctl_net_core.c and net_namespace.c, net/ipv6/af_inet6.c, net/netfilter/nf_conntrack_proto_*.c,
/// net/bridge/br_netfilter_hooks.c (Linux 6.18).
[[nodiscard]] std::span<const Sysctl> namespace_sysctls();

/// Settings that are there once for `all`, `default` and each interface; `path` is below conf/NAME.
/// net/ipv4/devinet.c and net/ipv6/addrconf.c.
[[nodiscard]] std::span<const Sysctl> ipv4_interface_sysctls();
[[nodiscard]] std::span<const Sysctl> ipv6_interface_sysctls();

/// The default of an interface's setting, which is for some not that of `all`.
[[nodiscard]] std::string_view interface_default(const Sysctl& sysctl, std::string_view interface);

/// "net.ipv4.conf.eth0/7.rp_filter": as sysctl(8) writes a path, in which dots of a name become slashes.
[[nodiscard]] std::string sysctl_name(std::string_view path);

/// Without the newline, and one blank where the kernel has a tab.
[[nodiscard]] std::string sysctl_value(std::string_view text);

}  // namespace netlab::operations
