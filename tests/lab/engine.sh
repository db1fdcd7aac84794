# The Docker Engine of the lab and its images.
# shellcheck shell=bash disable=SC2154

engine() { docker -H "unix://$docker_socket" "$@"; }

engine_answers() { engine version --format '{{.Server.Version}}' 2>/dev/null; }

engine_up() {
    local pid version
    if pid=$(live_pid dockerd "$state/docker.pid") && engine_answers >/dev/null; then return; fi
    engine_down
    mkdir -p "$state" "$data/docker"
    say "starting the Docker Engine"
    # Not `ip netns exec`: it mounts /sys anew and hides the cgroups. In a session of its own: Ctrl-C here is not for it.
    setsid nsenter --net="/run/netns/$host_ns" dockerd --data-root "$data/docker" --exec-root "$state/exec" \
        -H "unix://$docker_socket" --pidfile "$state/docker.pid" --dns 203.0.113.8 \
        </dev/null >"$state/docker.log" 2>&1 9>&- &
    for _ in $(seq 300); do
        version=$(engine_answers) && break
        sleep 0.1
    done
    if [[ -z ${version:-} ]]; then
        tail -n 20 "$state/docker.log" >&2
        refuse "the Docker Engine does not start; its log is $state/docker.log"
    fi
    say "Docker Engine $version"
}

engine_down() {
    local pid
    if pid=$(live_pid dockerd "$state/docker.pid"); then
        say "ending the Docker Engine"
        # Containers first: an engine that ends with live containers waits ten seconds for each to stop.
        engine ps -q 2>/dev/null | xargs -r docker -H "unix://$docker_socket" kill >/dev/null 2>&1 || true
        end_pid "$pid" 20
    fi
    end_holders "$state/exec"
    rm -f "$state/docker.pid" "$docker_socket"
}

images_up() {
    if ! engine image inspect lab/busybox >/dev/null 2>&1; then
        say "making the image lab/busybox"
        busybox_tree | engine import - lab/busybox >/dev/null
    fi
    if ! engine image inspect lab/scratch >/dev/null 2>&1; then
        say "making the image lab/scratch: one static binary and nothing else"
        scratch_tree | engine import - lab/scratch >/dev/null
    fi
}

# A tree with a static busybox, as a tar on stdout.
busybox_tree() {
    local tree applet
    tree=$(mktemp -d)
    mkdir -p "$tree"/{bin,etc,tmp,proc,sys,dev,root,www}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    for applet in $(busybox --list); do
        [[ $applet == busybox ]] || ln -s busybox "$tree/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
    echo 'root:x:0:' >"$tree/etc/group"
    tar -C "$tree" -c .
    rm -rf "$tree"
}

# busybox under the name of the one applet that it then is: no shell, no /etc, no other name.
scratch_tree() {
    local tree
    tree=$(mktemp -d)
    cp "$(command -v busybox)" "$tree/sleep"
    tar -C "$tree" -c .
    rm -rf "$tree"
}

remove_folders() {
    local mount
    # What an engine that was killed has left mounted; the deepest first.
    for mount in $(awk -v a="$state/" -v b="$data/" 'index($2, a) == 1 || index($2, b) == 1 { print $2 }' /proc/mounts |
        sort -r); do
        umount -l "$mount" 2>/dev/null || true
    done
    rm -rf "$state" "$data"
}
