# Starting the lab's processes, knowing whether they live, and ending them. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2154  # run, instance … come from instance.bash
#
# Each daemon has NAME.pid and NAME.start (PID and start time: a PID alone may have been reused). All of them, and so
# all of their children, live below one cgroup2 group of the lab. It is for membership only, no controller is used:
# it is what finds a shim whose dockerd was killed, and cgroup.kill ends them all at once with no race.

# Where cgroup2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside the v1 controllers.
cgroup2_mount() {
    local mounts
    mounts=$(findmnt -rn -t cgroup2 -o TARGET) || fail "no cgroup2 is mounted (/sys/fs/cgroup or /sys/fs/cgroup/unified)"
    echo "${mounts%%$'\n'*}"
}

lab_cgroup() { echo "$(cgroup2_mount)/netlab-lab/$instance"; }

# A process's start time in clock ticks; fails when there is no such process or it is a zombie.
start_time() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The name in parentheses may hold anything: read from the last one.
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z ]] || return 1
    echo "${fields[19]}"
}

# Prints the PID of the lab's daemon NAME if that very process lives.
daemon_pid() {
    local pid='' started=''
    [[ -e $run/$1.start ]] || return 1
    read -r pid started <"$run/$1.start" || return 1
    [[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
    echo "$pid"
}

daemon_lives() { daemon_pid "$1" >/dev/null; }

# start_daemon NAME NETNS COMMAND…: in the background, in that network namespace, in the lab's cgroup, in a session of
# its own (a Ctrl-C in the terminal is not for it), without the lock.
start_daemon() {
    local name=$1 netns=$2 cgroup pid
    shift 2
    cgroup=$(lab_cgroup)/daemons
    mkdir -p "$cgroup"
    rm -f "$run/$name.pid" "$run/$name.start"
    # shellcheck disable=SC2016  # it is the inner shell that expands
    setsid bash -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' "$name" "$cgroup" \
        nsenter --net="/run/netns/$netns" "$@" </dev/null >>"$run/$name.log" 2>&1 9>&- &
    pid=$!
    echo "$pid $(start_time "$pid")" >"$run/$name.start"
    # dockerd writes its own, and refuses to start where one with a living PID is there already.
    [[ $name == docker ]] || echo "$pid" >"$run/$name.pid"
}

# wait_for_daemon NAME SECONDS COMMAND…: until COMMAND succeeds; when the daemon ends instead, shows why.
wait_for_daemon() {
    local name=$1 seconds=$2
    shift 2
    ready_or_dead() { "$@" || ! daemon_lives "$name"; }
    if wait_for "$seconds" ready_or_dead "$@" && daemon_lives "$name"; then return; fi
    tail -n 15 "$run/$name.log" >&2
    fail "$name did not come up; its log: $run/$name.log"
}

cgroup_is_empty() { grep -qx 'populated 0' "$1/cgroup.events"; }

# Ends everything that the lab has started. SIGKILL, because nothing of it is kept: an orderly end of 100 containers
# takes ten seconds and more, and a stopped (SIGSTOP) dockerd would never come to it.
kill_processes() {
    local cgroup file name pid
    cgroup=$(lab_cgroup)
    if [[ -d $cgroup ]]; then
        # Twice: a process that runc was moving at that moment is found the second time.
        for _ in 1 2; do
            echo 1 >"$cgroup/cgroup.kill"
            wait_for 10 cgroup_is_empty "$cgroup" || fail "processes of the lab will not end: see $cgroup"
        done
    fi
    # Only for a daemon that somebody has moved out of the cgroup.
    for file in "$run"/*.start; do
        [[ -e $file ]] || continue
        name=${file##*/}
        name=${name%.start}
        if pid=$(daemon_pid "$name"); then
            kill -KILL "$pid" || true
        fi
    done
}

# The groups are empty by now; the v1 controllers have a tree each.
remove_cgroups() {
    local mount
    while read -r mount; do
        [[ -d $mount/netlab-lab/$instance ]] || continue
        find "$mount/netlab-lab/$instance" -depth -type d -exec rmdir {} +
        rmdir --ignore-fail-on-non-empty "$mount/netlab-lab"
    done < <(findmnt -rn -t cgroup,cgroup2 -o TARGET)
}

# What others have started in the lab's namespaces (lab exec …) is not ours to end, but keeps the namespace alive.
warn_of_guests() {
    local name inode entry pid
    while read -r name; do
        inode=$(stat -Lc %i "/run/netns/$name" 2>/dev/null) || continue
        while read -r entry; do
            pid=${entry//[^0-9]/}
            warn "process $pid ($(cat "/proc/$pid/comm" 2>/dev/null)) is still in $name: not the lab's, left alone"
        done < <(find /proc/[0-9]*/ns/net -maxdepth 0 -lname "net:\[$inode\]" 2>/dev/null)
    done < <(recorded_namespaces)
}
