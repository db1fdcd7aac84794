# What can be put into a lab, one function each; each may be run again at any time. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154

scenarios=(seed napt web hostnet shared scratch netns v6 internal stopped roots etcd podman ufw)

declare -A container_state=()
declare -A network_there=()

# What the engine has, asked once for all scenarios: each question to the client costs 30 ms.
look_at_engine() {
    local name state
    container_state=()
    network_there=()
    while read -r name state; do container_state[$name]=$state; done < <(docker ps -a --format '{{.Names}} {{.State}}')
    while read -r name; do network_there[$name]=yes; done < <(docker network ls --format '{{.Name}}')
}

# network NAME [OPTION…]
network() {
    local name=$1
    shift
    [[ -n ${network_there[$name]-} ]] && return
    say "network $name"
    docker network create "$@" "$name" >/dev/null
    network_there[$name]=yes
}

# The first process of a container ignores SIGTERM unless it asks for it: `docker stop` would wait ten seconds each time.
run_container() { docker run -d --stop-signal KILL "$@" >/dev/null; }

# container NAME OPTION… IMAGE [COMMAND…]: made, or started where it is stopped, or left alone where it runs.
container() {
    local name=$1
    shift
    case ${container_state[$name]-} in
        running) return ;;
        '') say "container $name"; run_container --name "$name" --hostname "$name" "$@" ;;
        created) say "container $name (again: it was half made)"
            docker rm -f "$name" >/dev/null
            run_container --name "$name" --hostname "$name" "$@" ;;
        paused) say "container $name (unpausing)"; docker unpause "$name" >/dev/null ;;
        *) say "container $name (starting again)"; docker start "$name" >/dev/null ;;
    esac
    container_state[$name]=running
}

# As the tutorial: co3 is alone on the default bridge, co4 is on both. One after the other, so that the addresses are
# the tutorial's too (co3 is 172.17.0.2).
scenario_seed() {
    network net
    container co1 -it --network net lab/busybox sh
    container co2 -it --network net lab/busybox sh
    container co3 -it lab/busybox sh
    container co4 -it --network net lab/busybox sh
    local on
    on=$(docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' co4)
    [[ " $on" == *' bridge '* ]] || docker network connect bridge co4
}

scenario_napt() {
    network test-net
    container napt2 --network test-net lab/busybox sleep 2147483647
    container napt -it --network test-net lab/busybox sh
}

# The tutorial's "python -m http.server", showing the container's own name.
scenario_web() {
    local serve='mkdir -p /app && cp /etc/hostname /app/index.html && exec httpd -f -h /app -p'
    container py-server1 -p 8080:8080 lab/busybox sh -c "$serve 8080"
    container py-server2 --expose 8081 -P lab/busybox sh -c "$serve 8081"
}

scenario_hostnet() {
    # A name for the host's own namespace cannot be set along with it.
    [[ ${container_state[hostnet1]-} == running ]] && return
    shared_container hostnet1 host
}

scenario_shared() {
    scenario_seed
    shared_container sidecar1 container:co1
}

# shared_container NAME NETWORK: one that has no namespace of its own.
shared_container() {
    case ${container_state[$1]-} in
        running) return ;;
        '') ;;
        # Made again, not started: `container:co1` would be the co1 of then.
        *) docker rm -f "$1" >/dev/null ;;
    esac
    say "container $1 (network $2)"
    run_container --name "$1" --network "$2" lab/busybox sleep 2147483647
    container_state[$1]=running
}

scenario_scratch() {
    network net
    container bare1 --network net lab/scratch
}

scenario_netns() {
    local blue red
    blue=$(netns_name blue)
    red=$(netns_name red)
    has_link "$blue" to-red || say "network namespaces $blue and $red"
    add_namespace "$blue"
    add_namespace "$red"
    join "$blue" to-red "$red" to-blue
    give "$blue" to-red 192.0.2.1/24 2001:db8:2::1/64
    give "$red" to-blue 192.0.2.2/24 2001:db8:2::2/64
}

scenario_v6() {
    network net6 --ipv6 --subnet 2001:db8:6::/64
    container six1 --network net6 lab/busybox sleep 2147483647
    container six2 --network net6 lab/busybox sleep 2147483647
}

scenario_internal() {
    network priv --internal
    container priv1 --network priv lab/busybox sleep 2147483647
}

scenario_stopped() {
    [[ -n ${container_state[dead1]-} ]] && return
    say "container dead1 (ends at once)"
    docker run --name dead1 lab/busybox true
    container_state[dead1]=exited
}

# The tutorial's cluster: three members that know each other by their names.
scenario_etcd() {
    need_programs etcd etcdctl ldd
    make_etcd_image
    network etcd-net
    local name cluster=srv1=http://srv1:2380,srv2=http://srv2:2380,srv3=http://srv3:2380
    for name in srv1 srv2 srv3; do
        container "$name" --network etcd-net -e ETCDCTL_API=3 lab/etcd etcd --name "$name" --data-dir /data \
            --listen-peer-urls http://0.0.0.0:2380 --initial-advertise-peer-urls "http://$name:2380" \
            --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls "http://$name:2379" \
            --initial-cluster "$cluster" --heartbeat-interval 500 --election-timeout 2500
    done
}

scenario_podman() { make_podman; }

# Disabled as it is installed. Its rules are the distribution's; sysctls and modules are the machine's, and it sets none.
scenario_ufw() {
    local root=$run/ufw installed
    [[ -e $programs/ufw ]] && return
    need_programs ufw
    say "ufw, with its folders in $root"
    installed=$(command -v ufw)
    mkdir -p "$root"/{etc/default,etc/ufw/applications.d,lib,usr/share} "$programs"
    cp -r /lib/ufw "$root/lib"
    cp -r /usr/share/ufw "$root/usr/share"
    cp /usr/share/ufw/{ufw.conf,{before,after}.init,iptables/*.rules} "$root/etc/ufw"
    sed -e 's/^IPT_SYSCTL=.*/IPT_SYSCTL=/' -e 's/^IPT_MODULES=.*/IPT_MODULES=/' /etc/default/ufw >"$root/etc/default/ufw"
    printf '#!/bin/sh\nexec %q --rootdir=%q --datadir=%q "$@"\n' "$installed" "$root" "$root" >"$programs/ufw"
    chmod +x "$programs/ufw"
}

# s1 to sN on one network, N exactly: those above N are removed. Eight at a time keeps two cores busy.
scale_to() {
    local count=$1 name i running=0 surplus=()
    for name in "${!container_state[@]}"; do
        [[ $name =~ ^s([0-9]+)$ ]] && ((BASH_REMATCH[1] > count)) && surplus+=("$name")
    done
    if ((${#surplus[@]})); then
        say "removing ${#surplus[@]} containers of scale-net"
        docker rm -f "${surplus[@]}" >/dev/null
    fi
    ((count)) || return 0
    network scale-net
    say "containers s1 to s$count on scale-net"
    local started=$SECONDS
    for ((i = 1; i <= count; i++)); do
        [[ ${container_state[s$i]-} == running ]] && continue
        if ((running >= 8)); then
            wait -n || fail "a container of scale-net did not start"
            running=$((running - 1))
        fi
        container "s$i" --network scale-net lab/busybox sleep 2147483647 >/dev/null &
        running=$((running + 1))
    done
    while ((running)); do
        wait -n || fail "a container of scale-net did not start"
        running=$((running - 1))
    done
    say "$count containers on scale-net, $((SECONDS - started)) s"
}

check_scenarios() {
    local name
    for name in "$@"; do
        [[ " ${scenarios[*]} " == *" $name "* ]] || misuse "there is no scenario '$name'; there are: ${scenarios[*]}"
    done
}

# What has been asked for, so that the next `lab up` makes it whole again.
remember() { grep -qxs -- "$1" "$run/scenarios" || echo "$1" >>"$run/scenarios"; }

remembered() { [[ ! -e $run/scenarios ]] || cat "$run/scenarios"; }

apply_scenarios() {
    local name
    look_at_engine
    for name in "$@"; do
        remember "$name"
        "scenario_$name"
    done
}
