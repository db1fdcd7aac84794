# A private root of DNS with delegations, in the outside world. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154
#
#   203.0.113.53  .             a.root.
#   203.0.113.54  test.         ns1.test.           delegated with glue
#   203.0.113.55  example.test. ns1.example.test.   delegated by test. with glue
#                 far.          ns1.example.test.   delegated by the root without: another zone has the address
#   (nobody)      dead.         ns.dead.            delegated to 203.0.113.59, where nobody serves
#   203.0.113.54  lame.         ns1.test.           delegated to a server that does not have it
#   (nobody)      six.          ns6.example.test.   delegated to one that has an IPv6 address alone
#
# One nsd each: a server of several zones would answer for the child where it should refer to it.

root_server=203.0.113.53

zone_root() {
    cat <<'END_OF_ZONE'
$ORIGIN .
$TTL 300
@ SOA a.root. admin.root. 1 3600 900 86400 60
@ NS a.root.
a.root. A 203.0.113.53
test. NS ns1.test.
ns1.test. A 203.0.113.54
far. NS ns1.example.test.
dead. NS ns.dead.
ns.dead. A 203.0.113.59
lame. NS ns1.test.
six. NS ns6.example.test.
END_OF_ZONE
}

zone_test() {
    cat <<'END_OF_ZONE'
$ORIGIN test.
$TTL 300
@ SOA ns1.test. admin.test. 1 3600 900 86400 60
@ NS ns1
ns1 A 203.0.113.54
example NS ns1.example
ns1.example A 203.0.113.55
END_OF_ZONE
}

# A record of each type that netlab asks for.
zone_example() {
    local long
    printf -v long '%0200d' 0
    cat <<END_OF_ZONE
\$ORIGIN example.test.
\$TTL 300
@ SOA ns1 admin 1 3600 900 86400 60
@ NS ns1
@ MX 10 mail
@ MX 20 mail2.example.test.
@ TXT "v=spf1 -all" "two; \\\\ \\"strings\\""
@ CAA 0 issue "ca.example.test"
@ CAA 128 iodef "mailto:admin@example.test"
ns1 A 203.0.113.55
ns6 AAAA fd00:53::55
mail A 203.0.113.8
www A 203.0.113.8
www AAAA 2001:db8:203::8
alias CNAME www
chain CNAME alias
_http._tcp SRV 1 2 8080 www
info HINFO "RFC8482" ""
odd TYPE65280 \\# 3 0102ff
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*\$!sip:info@example.test!" .
key SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
big TXT "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long"
END_OF_ZONE
    local i
    for ((i = 1; i <= 60; i++)); do echo "many A 198.51.100.$i"; done
}

zone_far() {
    cat <<'END_OF_ZONE'
$ORIGIN far.
$TTL 300
@ SOA ns1.example.test. admin.far. 1 3600 900 86400 60
@ NS ns1.example.test.
www A 203.0.113.8
END_OF_ZONE
}

# start_zone_server NAME ADDRESS ZONE=FUNCTION…
start_zone_server() {
    local name=$1 address=$2 zone function folder=$run/nsd/$1
    shift 2
    daemon_lives "$name" && return
    mkdir -p "$folder"
    {
        printf 'server:\n  ip-address: %s\n  zonesdir: %s\n  database: ""\n  username: ""\n' "$address" "$folder"
        printf '  pidfile: ""\n  xfrdfile: %s/xfrd\n  zonelistfile: %s/zones\n  xfrdir: %s\n' "$folder" "$folder" "$folder"
        printf '  server-count: 1\n  hide-version: yes\nremote-control:\n  control-enable: no\n'
        for zone in "$@"; do
            function=${zone#*=}
            "zone_$function" >"$folder/$function"
            printf 'zone:\n  name: "%s"\n  zonefile: %s\n' "${zone%%=*}" "$function"
        done
    } >"$folder/nsd.conf"
    start_daemon "$name" "$inet_netns" nsd -d -c "$folder/nsd.conf"
}

scenario_roots() {
    say "a private root of DNS at $root_server"
    give "$inet_netns" lo 203.0.113.53/32 203.0.113.54/32 203.0.113.55/32 203.0.113.59/32
    start_zone_server root-dns 203.0.113.53 .=root
    start_zone_server test-dns 203.0.113.54 test=test
    start_zone_server example-dns 203.0.113.55 example.test=example far=far
}
