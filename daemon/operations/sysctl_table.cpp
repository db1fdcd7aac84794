#include "daemon/operations/sysctl_table.hpp"

#include <array>

namespace netlab::operations {

namespace {

constexpr Sysctl of_namespace[] = {
    {"ipv4/ip_forward", "0"},
    {"ipv4/ip_default_ttl", "64"},
    {"ipv4/ip_no_pmtu_disc", "0"},
    {"ipv4/ip_forward_use_pmtu", "0"},
    {"ipv4/ip_nonlocal_bind", "0"},
    {"ipv4/ip_local_port_range", "32768 60999"},
    {"ipv4/ip_local_reserved_ports", ""},
    {"ipv4/ip_unprivileged_port_start", "1024"},
    {"ipv4/ping_group_range", "1 0"},
    {"ipv4/fwmark_reflect", "0"},
    {"ipv4/fib_multipath_hash_policy", "0"},
    {"ipv4/icmp_echo_ignore_all", "0"},
    {"ipv4/icmp_echo_ignore_broadcasts", "1"},
    {"ipv4/icmp_ratelimit", "1000"},
    {"ipv4/ipfrag_high_thresh", "4194304"},
    {"ipv4/ipfrag_time", "30"},
    {"ipv4/tcp_syncookies", "1"},
    {"ipv4/tcp_max_syn_backlog", "", true},
    {"ipv4/tcp_max_tw_buckets", "", true},
    {"ipv4/tcp_abort_on_overflow", "0"},
    {"ipv4/tcp_syn_retries", "6"},
    {"ipv4/tcp_synack_retries", "5"},
    {"ipv4/tcp_retries1", "3"},
    {"ipv4/tcp_retries2", "15"},
    {"ipv4/tcp_orphan_retries", "0"},
    {"ipv4/tcp_keepalive_time", "7200"},
    {"ipv4/tcp_keepalive_intvl", "75"},
    {"ipv4/tcp_keepalive_probes", "9"},
    {"ipv4/tcp_fin_timeout", "60"},
    {"ipv4/tcp_tw_reuse", "2"},
    {"ipv4/tcp_mtu_probing", "0"},
    {"ipv4/tcp_base_mss", "1024"},
    {"ipv4/tcp_window_scaling", "1"},
    {"ipv4/tcp_timestamps", "1"},
    {"ipv4/tcp_sack", "1"},
    {"ipv4/tcp_ecn", "2"},
    {"ipv4/tcp_fastopen", "1"},
    {"ipv4/tcp_slow_start_after_idle", "1"},
    {"ipv4/tcp_no_metrics_save", "0"},
    {"ipv4/tcp_l3mdev_accept", "0"},
    {"ipv4/tcp_fwmark_accept", "0"},
    {"ipv4/udp_l3mdev_accept", "0"},
    {"ipv4/tcp_congestion_control", "", true},
    {"ipv4/tcp_rmem", "", true},
    {"ipv4/tcp_wmem", "", true},
    {"ipv4/tcp_mem", "", true},
    {"ipv4/neigh/default/gc_thresh1", "128"},
    {"ipv4/neigh/default/gc_thresh2", "512"},
    {"ipv4/neigh/default/gc_thresh3", "1024"},
    {"ipv6/neigh/default/gc_thresh1", "128"},
    {"ipv6/neigh/default/gc_thresh2", "512"},
    {"ipv6/neigh/default/gc_thresh3", "1024"},
    {"ipv6/bindv6only", "0"},
    {"ipv6/ip_nonlocal_bind", "0"},
    {"ipv6/fib_multipath_hash_policy", "0"},
    {"ipv6/icmp/ratelimit", "", true},
    {"ipv6/icmp/echo_ignore_all", "0"},
    {"core/somaxconn", "4096"},
    {"core/rmem_default", "", true},
    {"core/wmem_default", "", true},
    {"core/rmem_max", "", true},
    {"core/wmem_max", "", true},
    {"core/netdev_max_backlog", "1000"},
    {"unix/max_dgram_qlen", "10"},
    {"netfilter/nf_conntrack_max", "", true},
    {"netfilter/nf_conntrack_buckets", "", true},
    {"netfilter/nf_conntrack_count", ""},
    {"netfilter/nf_conntrack_acct", "0"},
    {"netfilter/nf_conntrack_tcp_timeout_established", "432000"},
    {"netfilter/nf_conntrack_udp_timeout", "30"},
    {"netfilter/nf_conntrack_udp_timeout_stream", "120"},
    {"netfilter/nf_conntrack_generic_timeout", "600"},
    {"netfilter/nf_conntrack_tcp_be_liberal", "0"},
    {"netfilter/nf_conntrack_tcp_loose", "1"},
    {"bridge/bridge-nf-call-iptables", "1"},
    {"bridge/bridge-nf-call-ip6tables", "1"},
    {"bridge/bridge-nf-call-arptables", "1"},
    {"bridge/bridge-nf-filter-vlan-tagged", "0"},
};

constexpr Sysctl of_ipv4_interface[] = {
    {"forwarding", "0"},      {"rp_filter", "0"},           {"accept_local", "0"},
    {"route_localnet", "0"},  {"src_valid_mark", "0"},      {"proxy_arp", "0"},
    {"proxy_arp_pvlan", "0"}, {"arp_ignore", "0"},          {"arp_announce", "0"},
    {"arp_filter", "0"},      {"arp_accept", "0"},          {"accept_redirects", "1"},
    {"send_redirects", "1"},  {"accept_source_route", "1"}, {"ignore_routes_with_linkdown", "0"},
    {"log_martians", "0"},
};

constexpr Sysctl of_ipv6_interface[] = {
    {"disable_ipv6", "0"},        {"forwarding", "0"},       {"accept_ra", "1"},
    {"accept_ra_defrtr", "1"},    {"accept_redirects", "1"}, {"autoconf", "1"},
    {"addr_gen_mode", "0"},       {"dad_transmits", "1"},    {"proxy_ndp", "0"},
    {"accept_source_route", "0"}, {"hop_limit", "64"},
};

}  // namespace

std::span<const Sysctl> namespace_sysctls() {
    return of_namespace;
}

std::span<const Sysctl> ipv4_interface_sysctls() {
    return of_ipv4_interface;
}

std::span<const Sysctl> ipv6_interface_sysctls() {
    return of_ipv6_interface;
}

std::string_view interface_default(const Sysctl& sysctl, std::string_view interface) {
    // devinet.c: ipv4_devconf has no ACCEPT_SOURCE_ROUTE, ipv4_devconf_dflt has. The IPv6 one is 0 for both.
    if (sysctl.path == "accept_source_route" && sysctl.standard == "1" && interface == "all") return "0";
    return sysctl.standard;
}

std::string sysctl_name(std::string_view path) {
    std::string name = "net.";
    for (const char letter : path)
        name += letter == '/' ? '.' : letter == '.' ? '/' : letter;
    return name;
}

std::string sysctl_value(std::string_view text) {
    std::string value;
    bool blank = false;
    for (const char letter : text) {
        if (letter == '\t' || letter == ' ' || letter == '\n') {
            blank = !value.empty();
        } else {
            if (blank) value += ' ';
            blank = false;
            value += letter;
        }
    }
    return value;
}

}  // namespace netlab::operations
