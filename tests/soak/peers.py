"""Row 1: whom the socket is not for gets nothing, a thousand times each. Who is no member of its group cannot connect; a root of a user namespace that a
member made for himself, and a container's root who has the socket mounted, are closed without a byte. And the daemon has no abstract socket, which no mode
would protect."""
import os
import pathlib
import subprocess

from daemon import BUILD, NOBODY, Daemon, children_of, docker, expect

CONNECTS = 1_000
MEMBER_UID = 61_798
GROUP = "adm"  # of the socket, in /etc/group of every Debian; its members here are this row's processes alone
CONTAINER = "soak-peer"
# Connects so many times, asks, and reads to the end: how many connected, bytes, connections that were not closed.
CLIENT = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
int main(int argc, char** argv) {
    const char request[] = "GET /v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    long connected = 0, bytes = 0, open = 0;
    for (int i = 0; i < atoi(argv[2]); ++i) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct timeval patience = {5, 0};
        char buffer[65536];
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(s, (struct sockaddr*)&address, sizeof address) == 0) {
            ++connected;
            send(s, request, sizeof request - 1, MSG_NOSIGNAL);
            ssize_t size;
            while ((size = recv(s, buffer, sizeof buffer, 0)) > 0) bytes += size;
            open += size < 0 && errno == EAGAIN; /* a reset is an end, too */
        }
        close(s);
    }
    printf("%ld %ld %ld\n", connected, bytes, open);
    return argc != 3;
}
"""


def row(whole: bool) -> str:
    with Daemon(f'[access]\nobserve = ["{GROUP}"]\nprobe = ["{GROUP}"]\n', group=GROUP) as daemon:
        client = build_client(daemon.folder)
        member = ask([*as_user(GROUP), client, daemon.socket, "10"])
        expect(member[0] == 10 and member[1] > 0, f"a member is not served: {member}")
        before = (daemon.child("nl:front"), daemon.child("nl:launcher"))
        words = str(CONNECTS)
        told = {
            "no member": ask([*as_user("nogroup"), client, daemon.socket, words]),
            "a remapped root": ask([*as_user(GROUP), "unshare", "--user", "--map-root-user", client, daemon.socket, words]),
            "a container's root": from_container(daemon, words)}
        problems = [f"{who}: {connected} connects, {count} bytes, {open_} left open" for who, (connected, count, open_) in told.items() if count or open_]
        expect(told["no member"][0] == 0, f"who is no member could connect {told['no member'][0]} times")
        # Who cannot even connect shows nothing of how the daemon tells them.
        problems += [f"{who} connected {told[who][0]} of {CONNECTS} times" for who in ("a remapped root", "a container's root") if told[who][0] != CONNECTS]
        problems += command_in_container(daemon)
        problems += [f"abstract socket {name}" for name in abstract_sockets(daemon)]
        expect(not problems, "; ".join(problems))
        expect(before == (daemon.child("nl:front"), daemon.child("nl:launcher")), "front and launcher have changed")
        expect(ask([*as_user(GROUP), client, daemon.socket, "10"])[1] > 0, "afterwards a member is not served")
        return ", ".join(f"{who} {connected} of {CONNECTS} connected and {count} bytes" for who, (connected, count, _) in told.items()) + "; no abstract socket"


def build_client(folder: pathlib.Path) -> str:
    """Static: it runs in any container."""
    subprocess.run(["cc", "-static", "-O1", "-x", "c", "-o", str(folder / "client"), "-"], input=CLIENT, text=True, check=True)
    return str(folder / "client")


def as_user(group: str) -> list[str]:
    return ["setpriv", f"--reuid={MEMBER_UID}", f"--regid={NOBODY}", f"--groups={group}"]


def ask(words: list[str]) -> tuple[int, int, int]:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, f"{' '.join(words)}: {done.stderr}")
    connected, count, open_ = (int(word) for word in done.stdout.split())
    return connected, count, open_


def from_container(daemon: Daemon, count: str) -> tuple[int, int, int]:
    told = docker("run", "--rm", "--name", CONTAINER, "-v", f"{daemon.folder}:/sock", "lab/busybox", "/sock/client", "/sock/netlabd.sock", count)
    connected, number, open_ = (int(word) for word in told.split())
    return connected, number, open_


def command_in_container(daemon: Daemon) -> list[str]:
    """`netlab` itself in a loop, where this build has it as one static file."""
    command = BUILD / "cli/netlab"
    if b"/lib64/ld-linux" in command.read_bytes():
        return []  # the sanitizers' runtime is not to be linked statically: the client above is the same to the daemon
    script = "i=0; while [ $i -lt 50 ]; do /netlab -H unix:///sock/netlabd.sock ls 2>/dev/null; i=$((i + 1)); done"
    told = docker("run", "--rm", "--name", CONTAINER, "-v", f"{daemon.folder}:/sock", "-v", f"{command}:/netlab", "lab/busybox", "sh", "-c", script)
    return [f"netlab in a container is told: {told[:200]}"] if told else []


def abstract_sockets(daemon: Daemon) -> list[str]:
    """Names in /proc/net/unix, which is of the reader's network namespace, of what the daemon's processes hold."""
    held = set()
    for pid in [daemon.process.pid, *children_of(daemon.process.pid), *daemon.workers()]:
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except OSError:
                continue
            held.add(target.removeprefix("socket:[").removesuffix("]"))
    lines = pathlib.Path(f"/proc/{daemon.process.pid}/net/unix").read_text(errors="replace").splitlines()[1:]
    expect(any(line.split()[6] in held for line in lines), "none of the daemon's sockets is in /proc/net/unix")
    return [line for line in lines if line.split()[6] in held and len(line.split()) > 7 and line.split()[7].startswith("@")]
