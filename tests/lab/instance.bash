# Names, folders, words and the lock of one lab. Sourced by tests/lab/lab.
# shellcheck shell=bash disable=SC2034  # what is set here is used in the other files

instance=${NETLAB_LAB:-lab}
run=/run/netlab-lab/$instance
data=/var/lib/netlab-lab/$instance
lock=/run/netlab-lab/$instance.lock
host_netns=${instance}host
inet_netns=${instance}inet
docker_socket=$run/docker.sock
podman_socket=$run/podman.sock
# Programs that the lab's host has in place of the machine's: for the lab's daemons, `lab exec` and the tests.
programs=$run/programs
PATH=$programs:$PATH

say() { printf 'lab: %s\n' "$*"; }
warn() { printf 'lab: %s\n' "$*" >&2; }
fail() { warn "$*"; exit 1; }
# For what the caller got wrong: one line, exit code 2.
misuse() { warn "$*"; exit 2; }

check_instance_name() {
    # Short, because it is a part of socket paths, which have 107 bytes.
    [[ $instance =~ ^[a-z][a-z0-9]{0,15}$ ]] ||
        misuse "NETLAB_LAB='$instance' is no name for a lab: a small letter, then up to 15 small letters and digits"
}

need_root() { ((EUID == 0)) || misuse "'lab $1' needs root: sudo -E tests/lab/lab $1"; }

need_programs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || fail "'$program' is not installed: run tests/deps first"
    done
}

# Default names for the default lab, the instance's name in front for all others: two labs side by side never meet.
netns_name() {
    if [[ $instance == lab ]]; then echo "$1"; else echo "$instance-$1"; fi
}

# One command at a time may change a lab. `lab down` removes the lock file as its last act, so whoever waited for it
# may hold a file that nobody else sees any more: hence the check that the path still leads to what is locked.
take_lock() {
    local said=no
    while :; do
        mkdir -p "${lock%/*}"
        exec 9>"$lock" || continue
        if ! flock --nonblock 9; then
            [[ $said == yes ]] || say "another command is at work on the lab '$instance': waiting for it"
            said=yes
            flock --timeout 600 9 || fail "the lab '$instance' has been busy for ten minutes: giving up"
        fi
        [[ $(stat -Lc %d:%i /proc/self/fd/9) == "$(stat -c %d:%i "$lock" 2>/dev/null)" ]] && return
    done
}

# Retries COMMAND every 50 ms until it succeeds; fails after SECONDS.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}
