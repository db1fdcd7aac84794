# The lab's network namespaces: its host, and "the internet" with DNS and a web page. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154
#
#   containers -- docker0, br-… -- [labhost] eth0 198.51.100.2 ---- 198.51.100.1 isp0 [labinet] lo 203.0.113.8
#
# labinet has no route to anywhere else: nothing can leave. All addresses are documentation addresses.

outside_address=203.0.113.8
outside_address6=2001:db8:203::8

recorded_namespaces() { [[ ! -e $run/namespaces ]] || cat "$run/namespaces"; }

# Makes a namespace that is this lab's: written down before it is made, so that `lab down` finds it in any case, and
# one that somebody else made is neither used nor deleted.
add_namespace() {
    local name=$1
    if [[ -e /run/netns/$name ]] && ! recorded_namespaces | grep -qx -- "$name"; then
        fail "a network namespace '$name' is there already and is not this lab's (ip netns del $name, if nobody needs it)"
    fi
    recorded_namespaces | grep -qx -- "$name" || echo "$name" >>"$run/namespaces"
    # A name without a mounted namespace behind it is what an interrupted `ip netns add` leaves.
    if [[ $(stat -fc %T "/run/netns/$name" 2>/dev/null) == nsfs ]]; then return; fi
    rm -f "/run/netns/$name"
    ip netns add "$name"
    ip -n "$name" link set lo up
}

delete_namespaces() {
    local name
    while read -r name; do
        [[ -e /run/netns/$name ]] || continue
        ip netns delete "$name" 2>/dev/null || rm -f "/run/netns/$name"
    done < <(recorded_namespaces)
}

has_link() { ip -n "$1" link show dev "$2" >/dev/null 2>&1; }

# join NETNS1 NAME1 NETNS2 NAME2: a veth pair between them, up on both sides.
join() {
    has_link "$1" "$2" || ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
    ip -n "$1" link set "$2" up
    ip -n "$3" link set "$4" up
}

# give NETNS INTERFACE ADDRESS…: the addresses, usable at once (no duplicate address detection for IPv6).
give() {
    local netns=$1 interface=$2 address
    shift 2
    for address in "$@"; do
        if [[ $address == *:* ]]; then
            ip -n "$netns" address replace "$address" dev "$interface" nodad
        else
            ip -n "$netns" address replace "$address" dev "$interface"
        fi
    done
}

make_outside() {
    add_namespace "$host_netns"
    add_namespace "$inet_netns"
    join "$host_netns" eth0 "$inet_netns" isp0
    give "$host_netns" eth0 198.51.100.2/24 2001:db8:51::2/64
    give "$inet_netns" isp0 198.51.100.1/24 2001:db8:51::1/64
    give "$inet_netns" lo "$outside_address/32" "$outside_address6/128"
    ip -n "$host_netns" route replace default via 198.51.100.1
    ip -n "$host_netns" -6 route replace default via 2001:db8:51::1
    # Docker does not translate IPv6: the outside must know the way back to net6.
    ip -n "$inet_netns" -6 route replace 2001:db8:6::/64 via 2001:db8:51::2
}

# A real DNS server: A and AAAA, PTR, a CNAME, an answer that needs TCP (big), and NXDOMAIN for all else.
start_dns() {
    daemon_lives dns && return
    say "starting the DNS server of the outside world at $outside_address"
    local long
    printf -v long '%0250d' 0
    start_daemon dns "$inet_netns" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --group=root \
        --no-resolv --no-hosts --log-facility=- --log-queries --local=/#/ --local-ttl=60 \
        --bind-interfaces --listen-address="$outside_address,$outside_address6,127.0.0.1" \
        --host-record="www.example.com,example.com,$outside_address,$outside_address6" \
        --host-record="dns.example.com,$outside_address" \
        --host-record=gateway.example.com,198.51.100.1 \
        --cname=alias.example.com,www.example.com \
        --txt-record="big.example.com,1$long" --txt-record="big.example.com,2$long" \
        --txt-record="big.example.com,3$long" --txt-record="big.example.com,4$long" \
        --txt-record="big.example.com,5$long" --txt-record="big.example.com,6$long"
}

start_web() {
    daemon_lives web && return
    say "starting the web server of the outside world, http://www.example.com/"
    mkdir -p "$run/www"
    echo "the outside world of the lab '$instance'" >"$run/www/index.html"
    start_daemon web "$inet_netns" busybox httpd -f -p 80 -h "$run/www"
}
