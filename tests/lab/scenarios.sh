# What the lab can hold. Each scenario makes what is missing of it and leaves the rest as it is.
# shellcheck shell=bash disable=SC2154

all_scenarios=(seed napt web hostnet shared scratch netns v6 internal stopped podman)

check_scenarios() {
    local name
    for name in "$@"; do
        [[ " ${all_scenarios[*]} " == *" $name "* ]] ||
            refuse "there is no scenario '$name'; there are ${all_scenarios[*]}"
    done
}

run_scenarios() {
    local name
    for name in "$@"; do
        say "scenario $name"
        "scenario_$name"
    done
}

network() {
    local name=$1
    shift
    engine network inspect "$name" >/dev/null 2>&1 || engine network create "$@" "$name" >/dev/null
}

# container NAME OPTION… -- IMAGE COMMAND…: makes it, or starts the one that is there.
container() {
    local name=$1 state
    shift
    state=$(engine inspect -f '{{.State.Status}}' "$name" 2>/dev/null) || state=none
    case $state in
        running) ;;
        none) engine run -d --name "$name" "$@" >/dev/null ;;
        *) engine start "$name" >/dev/null ;;
    esac
}

sleeper() {
    local name=$1
    shift
    container "$name" "$@" lab/busybox sleep 1000000
}

# The networks and containers of the workshop's tutorial.
scenario_seed() {
    network net
    sleeper co1 --network net
    sleeper co2 --network net
    sleeper co3
    sleeper co4 --network net
    engine inspect -f '{{json .NetworkSettings.Networks}}' co4 | grep -q '"bridge"' ||
        engine network connect bridge co4
}

scenario_napt() {
    network test-net
    sleeper napt --network test-net
    sleeper napt2 --network test-net
}

scenario_web() {
    container py-server1 -p 8080:8080 lab/busybox httpd -f -p 8080 -h /www
    container py-server2 --expose 8081 -P lab/busybox httpd -f -p 8081 -h /www
}

scenario_hostnet() { sleeper hostnet1 --network host; }

scenario_shared() {
    scenario_seed
    sleeper sidecar1 --network container:co1
}

scenario_scratch() {
    network net
    container bare1 --network net lab/scratch /sleep 1000000
}

scenario_netns() {
    local name
    [[ -e /run/netns/${prefix}blue && -e /run/netns/${prefix}red ]] && return
    for name in blue red; do
        add_namespace "$prefix$name"
        # Only what the lab has made will be taken away again.
        touch "$state/netns.$name"
    done
    ip link add eth0 netns "${prefix}blue" type veth peer name eth0 netns "${prefix}red"
    ip -n "${prefix}blue" addr add 192.0.2.1/24 dev eth0
    ip -n "${prefix}red" addr add 192.0.2.2/24 dev eth0
    ip -n "${prefix}blue" addr add 2001:db8:2::1/64 dev eth0 nodad
    ip -n "${prefix}red" addr add 2001:db8:2::2/64 dev eth0 nodad
    ip -n "${prefix}blue" link set eth0 up
    ip -n "${prefix}red" link set eth0 up
}

scenario_v6() {
    network net6 --ipv6 --subnet 2001:db8:6::/64
    sleeper six1 --network net6
    sleeper six2 --network net6
}

scenario_internal() {
    network priv --internal
    sleeper priv1 --network priv
}

scenario_stopped() {
    engine inspect dead1 >/dev/null 2>&1 || engine run -d --name dead1 lab/busybox sleep 1000000 >/dev/null
    engine stop -t 0 dead1 >/dev/null
}

scenario_podman() {
    local name
    podman_up
    lab_podman network exists podnet || lab_podman network create podnet >/dev/null
    for name in pod1 pod2; do
        lab_podman container exists "$name" ||
            lab_podman run -d --name "$name" --network podnet lab/busybox sleep 1000000 >/dev/null
    done
    lab_podman container exists web ||
        lab_podman run -d --name web lab/busybox httpd -f -p 80 -h /www >/dev/null
}

scale() {
    local count=$1 name i
    local -a missing=()
    say "scale: $count containers on scale-net"
    network scale-net --subnet 10.99.0.0/22
    local present
    present=$(engine ps -a --format '{{.Names}}')
    for ((i = 1; i <= count; ++i)); do
        grep -qx "s$i" <<<"$present" || missing+=("s$i")
    done
    # Two cores: more at once only wait for each other.
    for name in "${missing[@]}"; do echo "$name"; done |
        xargs -r -P 4 -I{} docker -H "unix://$docker_socket" run -d --name {} --network scale-net \
            lab/busybox sleep 1000000 >/dev/null
}
