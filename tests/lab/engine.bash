# The lab's Docker Engine and its images. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154

# The lab's client: its socket, none of the user's contexts, proxies or credentials.
docker() {
    env -u DOCKER_CONTEXT -u DOCKER_TLS_VERIFY DOCKER_CONFIG="$run/client" docker -H "unix://$docker_socket" "$@" 9>&-
}

# A containerd of our own, not the one that dockerd would start: where the machine has one running
# (/run/containerd/containerd.sock, any Debian with systemd), dockerd would take that, and with it the machine's
# containers and its network namespace.
start_containerd() {
    daemon_lives containerd && return
    say "starting containerd"
    cat >"$run/containerd.toml" <<END_OF_TOML
version = 2
root = "$data/containerd"
state = "$run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$data/containerd/opt"
END_OF_TOML
    start_daemon containerd "$host_netns" containerd --config "$run/containerd.toml" --log-level warn
    wait_for_daemon containerd 30 test -S "$run/containerd.sock"
}

engine_answers() {
    [[ $(curl --silent --max-time 2 --unix-socket "$docker_socket" http://lab/_ping) == OK ]]
}

# Debian 12's dockerd keeps a key in /etc/docker unless told otherwise; later ones do not know the setting.
key_setting() {
    [[ $(dockerd --version) != 'Docker version 20.'* ]] || echo "\"deprecated-key-path\": \"$data/key.json\","
}

# On the lab's host `iptables` is iptables-legacy, as on a Debian after update-alternatives.
choose_legacy() {
    local name
    [[ -e $programs/iptables ]] && return
    ! daemon_lives docker || fail "the lab '$instance' is up with iptables-nft: 'lab down' first"
    need_programs iptables-legacy ip6tables-legacy
    mkdir -p "$programs"
    for name in iptables{,-save,-restore} ip6tables{,-save,-restore}; do
        ln -s "$(command -v "${name/tables/tables-legacy}")" "$programs/$name"
    done
}

# What `systemctl restart docker` is where the engine is a service of systemd's; the lab's is none.
make_systemctl() {
    mkdir -p "$programs"
    cat >"$programs/systemctl" <<END_OF_SCRIPT
#!/bin/sh
[ "\$*" = "restart docker" ] || { echo "systemctl of the lab '$instance': it can only restart docker" >&2; exit 1; }
NETLAB_LAB=$instance exec "$folder/lab" restart
END_OF_SCRIPT
    chmod +x "$programs/systemctl"
}

start_dockerd() {
    daemon_lives docker && return
    say "starting dockerd in the network namespace $host_netns"
    rm -f "$run/docker.pid" "$docker_socket"
    mkdir -p "$run/client"
    # cgroupfs also under systemd: the groups are then below the lab's own and go with it.
    cat >"$run/daemon.json" <<END_OF_JSON
{
  $(key_setting)
  "containerd": "$run/containerd.sock",
  "cgroup-parent": "/netlab-lab/$instance/containers",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "dns": ["$outside_address"],
  "shutdown-timeout": 2,
  "log-level": "warn"
}
END_OF_JSON
    # A firewalld on the machine's bus would put this Docker's rules into its own namespace.
    start_daemon docker "$host_netns" env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent \
        dockerd --config-file "$run/daemon.json" --data-root "$data/docker" --exec-root "$run/exec" \
        --pidfile "$run/docker.pid" -H "unix://$docker_socket"
}

start_engine() {
    start_containerd
    start_dockerd
    wait_for_daemon docker 60 engine_answers
}

docker_has_ended() { ! daemon_lives docker; }

# As a service manager does it: without live-restore it ends its containers.
restart_dockerd() {
    local pid
    if pid=$(daemon_pid docker); then
        kill -TERM "$pid"
        wait_for 20 docker_has_ended || fail "dockerd does not end; its log: $run/docker.log"
    fi
    start_engine
}

# A root file system with one static busybox under all its names.
busybox_tree() {
    local tree=$1 applet
    mkdir -p "$tree"/{bin,dev,etc,proc,root,sys,tmp,var/www}
    chmod 1777 "$tree/tmp"
    cp "$(command -v busybox)" "$tree/bin/busybox"
    for applet in $(busybox --list); do
        [[ $applet == busybox ]] || ln -s busybox "$tree/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$tree/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$tree/etc/group"
    echo 'hello from the lab' >"$tree/var/www/index.html"
}

# One static program that waits, and nothing else: no shell, no /etc, no tool.
scratch_tree() {
    local tree=$1
    mkdir -p "$tree"
    if command -v cc >/dev/null &&
        cc -static -Os -s -o "$tree/pause" -x c - <<<'int pause(void); int main(void) { for (;;) pause(); }' 2>/dev/null; then
        return
    fi
    # Without a compiler: busybox under the name of its one applet is a `sleep` and nothing else.
    cp "$(command -v busybox)" "$tree/sleep"
    ln -s sleep "$tree/pause"
}

# Debian's etcd beside busybox, with the libraries that it loads.
etcd_tree() {
    local tree=$1 program library
    busybox_tree "$tree"
    mkdir -p "$tree/data"
    for program in etcd etcdctl; do cp "$(command -v "$program")" "$tree/bin/$program"; done
    while read -r library; do
        install -D "$library" "$tree$library"
    done < <(ldd "$tree/bin/etcd" "$tree/bin/etcdctl" | awk '$2 == "=>" { print $3 } $2 ~ /^\(0x/ && $1 ~ /^\// { print $1 }' | sort -u)
}

# Its image is 70 MB: only where the scenario is asked for.
make_etcd_image() {
    [[ -n $(docker image ls -q lab/etcd) ]] && return
    say "making the image lab/etcd"
    rm -rf "$data/images/etcd"
    mkdir -p "$data/images/etcd"
    etcd_tree "$data/images/etcd"
    tar --create --numeric-owner --owner=0 --group=0 -C "$data/images/etcd" . |
        docker import --change 'ENV PATH=/bin' - lab/etcd >/dev/null
    rm -rf "$data/images/etcd"
}

# The archives that both engines import; made once.
make_archives() {
    [[ -e $data/images/done ]] && return
    rm -rf "$data/images"
    mkdir -p "$data/images"
    busybox_tree "$data/images/busybox"
    scratch_tree "$data/images/scratch"
    local image
    for image in busybox scratch; do
        tar --create --numeric-owner --owner=0 --group=0 -C "$data/images/$image" -f "$data/images/$image.tar" .
        rm -rf "$data/images/${image:?}"
    done
    touch "$data/images/done"
}

image_changes() {
    case $1 in
        busybox) printf '%s\n' --change 'CMD ["sh"]' --change 'ENV PATH=/bin' ;;
        scratch) printf '%s\n' --change 'ENTRYPOINT ["/pause"]' ;;
    esac
}

make_images() {
    local image changes there
    there=$(docker image ls --format '{{.Repository}}')
    for image in busybox scratch; do
        grep -qx "lab/$image" <<<"$there" && continue
        say "making the image lab/$image"
        make_archives
        mapfile -t changes < <(image_changes "$image")
        docker import "${changes[@]}" "$data/images/$image.tar" "lab/$image" >/dev/null
    done
}

# A shim's socket is in /run/containerd/s whatever the state directory is, and stays when the shim is killed.
remove_shim_sockets() {
    local file socket
    for file in "$run"/containerd/io.containerd.runtime.v2.task/*/*/address; do
        [[ -e $file ]] || continue
        socket=$(<"$file")
        rm -f "${socket#unix://}"
    done
    rmdir --ignore-fail-on-non-empty /run/containerd/s /run/containerd 2>/dev/null || true
}
