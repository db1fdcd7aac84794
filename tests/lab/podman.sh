# Podman in the lab's host namespace, with folders of its own, and its API on a socket.
# shellcheck shell=bash disable=SC2154

lab_podman() {
    CONTAINERS_CONF=$state/containers.conf nsenter --net="/run/netns/$host_ns" podman --root "$data/podman" \
        --runroot "$state/podman" --tmpdir "$state/podman-tmp" --runtime runc --cgroup-manager cgroupfs \
        --events-backend file --network-config-dir "$data/podman-networks" "$@" 9>&-
}

podman_up() {
    mkdir -p "$data/podman" "$data/podman-networks" "$state/podman" "$state/podman-tmp"
    # The hard limit of open files cannot be raised on some machines, and Podman asks for more by default.
    cat >"$state/containers.conf" <<END
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1000:1000"]
[engine]
runtime = "runc"
END
    if ! lab_podman image exists lab/busybox; then
        say "making Podman's image lab/busybox"
        busybox_tree | lab_podman import - lab/busybox >/dev/null 2>&1
    fi
    if ! live_pid podman "$state/podman.pid" >/dev/null; then
        say "starting Podman's API"
        rm -f "$podman_socket"
        CONTAINERS_CONF=$state/containers.conf setsid nsenter --net="/run/netns/$host_ns" podman \
            --root "$data/podman" --runroot "$state/podman" --tmpdir "$state/podman-tmp" --runtime runc \
            --cgroup-manager cgroupfs --events-backend file --network-config-dir "$data/podman-networks" \
            system service --time=0 "unix://$podman_socket" </dev/null >"$state/podman.log" 2>&1 9>&- &
        echo $! >"$state/podman.pid"
        for _ in $(seq 100); do
            [[ -S $podman_socket ]] && return
            sleep 0.1
        done
        tail -n 20 "$state/podman.log" >&2
        refuse "Podman's API does not start"
    fi
}

podman_down() {
    local pid
    if [[ -d $data/podman ]]; then
        say "ending Podman"
        lab_podman rm -f -a -t 0 >/dev/null 2>&1 || true
    fi
    if pid=$(live_pid podman "$state/podman.pid"); then end_pid "$pid" 5; fi
    end_holders "$data/podman"
    rm -f "$state/podman.pid" "$podman_socket"
}
