# Podman in the lab, with storage, networks, locks and API socket of its own. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154

podman_command=(
    podman --root "$data/podman" --runroot "$run/podman/runroot" --tmpdir "$run/podman/tmp"
    --network-config-dir "$run/podman/networks" --cgroup-manager cgroupfs --runtime runc --storage-driver overlay
)

# lock_type: Podman's default is one table of locks in /dev/shm for all of the machine's storages, and a new storage
# starts by resetting it. Ulimits: its defaults are above the hard limit of a small machine.
write_podman_configuration() {
    local files
    files=$(ulimit -Hn)
    if [[ $files == unlimited ]] || ((files > 1048576)); then files=1048576; fi
    mkdir -p "$run/podman/networks"
    cat >"$run/podman/containers.conf" <<END_OF_TOML
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=1000:1000"]
log_driver = "k8s-file"
[engine]
lock_type = "file"
events_logger = "file"
cgroup_manager = "cgroupfs"
runtime = "runc"
[network]
network_backend = "netavark"
END_OF_TOML
}

# Podman as root has its DNS server's configuration and its table of used addresses in /run/containers/networks,
# whatever its other folders are: two labs, or a lab and the machine's own podman, would answer each other's names. So
# the lab's podman lives in a mount namespace in which /run/containers is the lab's; this process keeps it in being.
# /etc/resolv.conf is the outside's there too: its DNS server asks on with that.
# What podman mounts in /run/netns still shows outside, as that is a shared mount of its own.
hold_podman_mounts() {
    daemon_lives podman-mounts && return
    mkdir -p "$run/podman/containers" /run/containers
    rm -f "$run/podman/mounted"
    echo "nameserver $outside_address" >"$run/podman/resolv.conf"
    # shellcheck disable=SC2016
    start_daemon podman-mounts "$host_netns" unshare --mount --propagation unchanged bash -c '
        set -e
        replace() {
            mount --make-slave "$(findmnt -no TARGET -T "$2")"
            mount --bind "$1" "$2"
        }
        replace "$1/containers" /run/containers
        replace "$1/resolv.conf" "$(readlink -e /etc/resolv.conf)"
        touch "$1/mounted"
        exec sleep infinity' podman-mounts "$run/podman"
    wait_for_daemon podman-mounts 10 test -e "$run/podman/mounted"
}

# Prints what to put before podman's command; fails when its mount namespace is gone.
in_podman_mounts() {
    local holder
    holder=$(daemon_pid podman-mounts) || fail "the lab's podman does not run: tests/lab/lab up podman"
    echo "--mount=/proc/$holder/ns/mnt"
}

# The lab's podman, in its namespaces and in the lab's cgroup, so that what it leaves running is found again.
podman() {
    local cgroup mounts
    cgroup=$(lab_cgroup)/daemons
    mounts=$(in_podman_mounts)
    # shellcheck disable=SC2016
    CONTAINERS_CONF=$run/podman/containers.conf bash -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' podman "$cgroup" \
        nsenter --net="/run/netns/$host_netns" "$mounts" "${podman_command[@]}" "$@" 9>&-
}

# The containers' groups are the lab's as far as podman lets us say so: there is no setting for it, only an option.
podman_container() {
    local name=$1
    shift
    case ${podman_state[$name]-} in
        Up) return ;;
        '') ;;
        *) podman rm -f -t 0 "$name" >/dev/null ;;
    esac
    say "podman container $name"
    podman run -d --stop-signal KILL --name "$name" --hostname "$name" --cgroup-parent "/netlab-lab/$instance/podman" "$@" >/dev/null
}

podman_answers() {
    [[ $(curl --silent --max-time 2 --unix-socket "$podman_socket" http://lab/_ping) == OK ]]
}

start_podman_service() {
    daemon_lives podman && return
    say "starting podman's API service"
    rm -f "$podman_socket"
    local mounts
    mounts=$(in_podman_mounts)
    CONTAINERS_CONF=$run/podman/containers.conf start_daemon podman "$host_netns" \
        nsenter "$mounts" "${podman_command[@]}" system service --time=0 "unix://$podman_socket"
    wait_for_daemon podman 30 podman_answers
}

make_podman() {
    local name state image changes
    declare -A podman_state=()
    need_programs podman
    write_podman_configuration
    hold_podman_mounts
    for image in busybox scratch; do
        podman image exists "localhost/lab/$image" && continue
        say "making podman's image lab/$image"
        make_archives
        mapfile -t changes < <(image_changes "$image")
        podman import --quiet "${changes[@]}" "$data/images/$image.tar" "localhost/lab/$image" >/dev/null
    done
    podman network exists podnet || { say "podman network podnet"; podman network create podnet >/dev/null; }
    # Its first word is Up, Exited or Created.
    while read -r name state _; do podman_state[$name]=$state; done < <(podman ps -a --format '{{.Names}} {{.Status}}')
    podman_container web --network podnet -p 8088:80 localhost/lab/busybox httpd -f -p 80 -h /var/www
    podman_container pod1 --network podnet localhost/lab/busybox sleep 2147483647
    podman_container pod2 --network podnet localhost/lab/busybox sleep 2147483647
    start_podman_service
}

# The namespaces in /run/netns that podman made, as its containers' configurations name them.
podman_namespaces() {
    grep -ohs '/run/netns/netns-[0-9a-f-]*' "$data"/podman/overlay-containers/*/userdata/config.json || true
}

# Podman's own way out first: it knows its namespaces, mounts and groups. What is left after that is found by its files.
end_podman() {
    [[ -d $run/podman ]] || return 0
    local pid file id namespace namespaces
    mapfile -t namespaces < <(podman_namespaces)
    # It may be stopped (SIGSTOP) while it holds a lock.
    if pid=$(daemon_pid podman); then kill -KILL "$pid"; fi
    timeout 30 "$folder/lab" podman rm -f -a -t 0 >/dev/null 2>&1 || warn "podman did not remove its containers: doing it without"
    for file in "$run"/podman/runroot/overlay-containers/*/userdata/{pidfile,conmon.pid}; do
        [[ -s $file ]] || continue
        id=${file%/userdata/*}
        id=${id##*/}
        pid=$(<"$file")
        # The PID may be somebody else's by now: its group or its command line says whose it is.
        if grep -qs -- "$id" "/proc/$pid/cgroup" "/proc/$pid/cmdline"; then kill -KILL "$pid" || true; fi
    done
    for namespace in "${namespaces[@]}"; do
        [[ ! -e $namespace ]] || ip netns delete "${namespace##*/}" || true
    done
}

# Containers that were made over the API have their groups in podman's own place, under their IDs.
remove_podman_cgroups() {
    local userdata id mount
    for userdata in "$data"/podman/overlay-containers/*/userdata; do
        [[ -d $userdata ]] || continue
        id=${userdata%/userdata}
        id=${id##*/}
        while read -r mount; do
            [[ -d $mount/libpod_parent/libpod-$id ]] || continue
            # The last of its processes may still be on its way out.
            wait_for 5 find "$mount/libpod_parent/libpod-$id" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done < <(findmnt -rn -t cgroup,cgroup2 -o TARGET)
    done
}
