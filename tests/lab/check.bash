# Whether the lab is what tests take it for: a test that fails because the outside does not answer says so by this, instead
# of leaving it to be guessed. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154

on_host() { nsenter --net="/run/netns/$host_netns" "$@"; }
in_inet() { nsenter --net="/run/netns/$inet_netns" "$@"; }

# From the host, and from co1 where there is one: what does not work, a line each.
broken_ways() {
    local pid
    on_host ping -c 1 -W 2 -q "$outside_address" >/dev/null 2>&1 || echo "host: no echo from $outside_address"
    on_host curl --silent --max-time 3 --output /dev/null "http://$outside_address/" || echo "host: no HTTP from $outside_address"
    pid=$(docker inspect -f '{{.State.Pid}}' co1 2>/dev/null) || return 0
    [[ $pid == 0 ]] || nsenter --net="/proc/$pid/ns/net" ping -c 1 -W 2 -q "$outside_address" >/dev/null 2>&1 ||
        echo "co1: no echo from $outside_address"
}

# Short: a log of CI shows the beginning of what failed.
explain_ways() {
    local way
    for way in on_host in_inet; do
        echo "== $way"
        $way ip -br address show | grep -vE '^(veth|br-)' | cut -c1-150
        $way ip route show | grep -v ' dev \(br-\|docker\|podman\)' | cut -c1-150
        $way ip neigh show | grep -E 'dev (eth0|isp0)' | cut -c1-100
        $way sysctl net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max 2>/dev/null |
            cut -d. -f3- | paste -sd ' '
        $way nft list tables | paste -sd ' '
    done
    on_host iptables -w -nvL FORWARD | head -12 | cut -c1-110
    on_host iptables -w -t nat -nvL POSTROUTING | head -8 | cut -c1-110
    dmesg 2>/dev/null | tail -5 | cut -c1-150
}

# Prints nothing where all is well. Otherwise fails: with what is wrong, and whether it helped to set the addresses and routes again.
check_lab() {
    local wrong
    wrong=$(broken_ways)
    [[ -n $wrong ]] || return 0
    warn "the lab '$instance' is broken:"
    # Where something is missing a filter of these finds nothing, and that is no reason to stop.
    { echo "$wrong"; explain_ways || true; } >&2
    make_outside
    wrong=$(broken_ways)
    if [[ -n $wrong ]]; then
        warn "it stays broken: $(paste -sd ';' <<<"$wrong")"
    else
        warn "with its addresses and routes set again it works"
    fi
    return 1
}
