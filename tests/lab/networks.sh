# The lab's host (a network namespace), and the outside world behind it: 198.51.100.0/24 between them, 203.0.113.8 outside.
# shellcheck shell=bash disable=SC2154

in_host() { nsenter --net="/run/netns/$host_ns" "$@"; }
in_outside() { nsenter --net="/run/netns/$outside_ns" "$@"; }

add_namespace() {
    [[ -e /run/netns/$1 ]] || ip netns add "$1"
    ip -n "$1" link set lo up
}

networks_up() {
    if live_pid dnsmasq "$state/dns.pid" >/dev/null && ip -n "$host_ns" route show default 2>/dev/null | grep -q 198.51.100.1; then
        return
    fi
    say "the host $host_ns and the outside world $outside_ns"
    add_namespace "$host_ns"
    add_namespace "$outside_ns"
    ip -n "$host_ns" link show eth0 >/dev/null 2>&1 ||
        ip link add eth0 netns "$host_ns" type veth peer name eth0 netns "$outside_ns"
    ip -n "$host_ns" addr replace 198.51.100.2/24 dev eth0
    ip -n "$outside_ns" addr replace 198.51.100.1/24 dev eth0
    ip -n "$host_ns" link set eth0 up
    ip -n "$outside_ns" link set eth0 up
    ip -n "$outside_ns" addr replace 203.0.113.8/32 dev lo
    ip -n "$host_ns" route replace default via 198.51.100.1
    # The sysctls of the namespaces, not the machine's.
    in_host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    start_dns
}

# A name server outside, so that 127.0.0.11 has a real upstream: www.example.com and nothing else.
start_dns() {
    live_pid dnsmasq "$state/dns.pid" >/dev/null && return
    mkdir -p "$state"
    nsenter --net="/run/netns/$outside_ns" dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root \
        --listen-address=203.0.113.8 --bind-interfaces --pid-file="$state/dns.pid" \
        --host-record=www.example.com,203.0.113.8 --local=/#/ </dev/null >"$state/dns.log" 2>&1 9>&-
}

networks_down() {
    local pid
    if pid=$(live_pid dnsmasq "$state/dns.pid"); then end_pid "$pid" 2; fi
    for namespace in "$host_ns" "$outside_ns"; do
        [[ -e /run/netns/$namespace ]] || continue
        end_inhabitants "$namespace"
        ip netns del "$namespace"
    done
}

named_namespaces_down() {
    for name in blue red; do
        [[ -e /run/netns/$prefix$name && -e $state/netns.$name ]] || continue
        end_inhabitants "$prefix$name"
        ip netns del "$prefix$name"
    done
}
