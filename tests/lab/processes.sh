# Processes that the lab starts, and how they are ended: by PID file and only while that PID is still the same program.
# shellcheck shell=bash disable=SC2154

# live_pid NAME FILE: prints the PID in FILE if it is a live process whose program is NAME.
live_pid() {
    local pid exe
    pid=$(cat "$2" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
    [[ ${exe##*/} == "$1"* ]] || return 1
    echo "$pid"
}

# end_pid PID SECONDS: TERM, then KILL.
end_pid() {
    local pid=$1 until=$((SECONDS + $2))
    kill "$pid" 2>/dev/null || return 0
    while [[ -e /proc/$pid ]] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
        if ((SECONDS >= until)); then
            kill -KILL "$pid" 2>/dev/null || true
            sleep 0.1
            return 0
        fi
        sleep 0.05
    done
}

# end_holders FOLDER: ends what still has FOLDER in its command line: shims and containerd of an engine that was killed.
# They are children of nobody and have no PID file of their own.
end_holders() {
    local entry pid
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [[ $pid != "$$" && $pid != "$BASHPID" && $pid != "$PPID" ]] || continue
        case $(readlink "$entry/exe" 2>/dev/null) in
            */containerd* | */dockerd | */docker-proxy | */conmon | */podman | */runc) ;;
            *) continue ;;
        esac
        if tr '\0' '\n' <"$entry/cmdline" 2>/dev/null | grep -qF -- "$1"; then
            kill -KILL "$pid" 2>/dev/null || true
        fi
    done
}

# end_inhabitants NAMESPACE: ends what still lives in a named network namespace.
end_inhabitants() {
    local pid
    [[ -e /run/netns/$1 ]] || return 0
    for pid in $(ip netns pids "$1" 2>/dev/null); do
        kill -KILL "$pid" 2>/dev/null || true
    done
}
