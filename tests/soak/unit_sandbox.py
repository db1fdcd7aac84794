"""netlabd as systemd starts it: every documented operation under what stands in the installed unit (tests/support/as_unit says what of it)."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from daemon import BUILD, HOST_NETNS, NOBODY, ROOT, Answer, Daemon, eventually, expect, operations, status_of
from shared.load import Stream
from shared.privileges import FIVE_SETS
from shared.requests import lasting

AS_UNIT = ROOT / "tests/support/as_unit"
SIX = {"cap_dac_override", "cap_dac_read_search", "cap_net_admin", "cap_net_raw", "cap_sys_ptrace", "cap_sys_admin"}
# What systemd's WatchdogSec would make of a round that has to be short: a beat is due in half of it.
SHORT_WATCHDOG_USEC = 2_000_000


def installed(root: str) -> pathlib.Path:
    """The units as `cmake --install` puts them, where there is a build folder to install from; else the sources, which it copies."""
    if (BUILD / "cmake_install.cmake").exists():
        done = subprocess.run(["cmake", "--install", str(BUILD), "--prefix", "/usr"], env={**os.environ, "DESTDIR": root},
                              capture_output=True, text=True)
        expect(done.returncode == 0, done.stderr)
        return pathlib.Path(root, "usr/lib/systemd/system")
    return ROOT / "systemd"


class Manager:
    """systemd's end of sd_notify(3)."""

    def __init__(self, folder: pathlib.Path):
        self.path = str(folder / "notify")
        self.end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.end.bind(self.path)
        os.chmod(self.path, 0o666)
        self.heard: list[tuple[int, str]] = []  # who (its PID), what

    def listen(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.end.settimeout(left)
            try:
                text, control, _, _ = self.end.recvmsg(4096, socket.CMSG_SPACE(12))
            except TimeoutError:
                return
            self.heard.append((int.from_bytes(control[0][2][:4], "little"), text.decode()))

    def said(self, word: str) -> list[int]:
        return [pid for pid, text in self.heard if word in text.splitlines()]


def capabilities(pid: int, name: str) -> set[str]:
    mask = status_of(pid, name)
    said = subprocess.run(["capsh", f"--decode={mask}"], capture_output=True, text=True).stdout.strip()
    return set(filter(None, said.partition("=")[2].split(",")))


def check_processes(daemon: Daemon) -> None:
    """Who has what, once it serves."""
    main, front, launcher = daemon.process.pid, daemon.child("nl:front"), daemon.child("nl:launcher")
    for pid in (main, front, launcher):
        expect(status_of(pid, "Uid").split() == [str(NOBODY)] * 4, f"{status_of(pid, 'Name')} is of another user: {status_of(pid, 'Uid')}")
        expect(status_of(pid, "NoNewPrivs") == "1" and status_of(pid, "Seccomp") == "2", f"{status_of(pid, 'Name')} is not confined")
        expect(int(status_of(pid, "CapInh"), 16) == 0 or pid == main, f"{status_of(pid, 'Name')} has inheritable capabilities")
    for pid in (main, launcher):
        expect(capabilities(pid, "CapPrm") == SIX, f"{status_of(pid, 'Name')} has {capabilities(pid, 'CapPrm')}")
    check_unprivileged(front)
    for pid in (main, launcher, front):
        expect(capabilities(pid, "CapBnd") <= SIX, f"{status_of(pid, 'Name')} is bounded by {capabilities(pid, 'CapBnd')}")
    host, own = os.stat(HOST_NETNS).st_ino, os.stat("/proc/self/ns/net").st_ino
    spaces = {pid: os.stat(f"/proc/{pid}/ns/net").st_ino for pid in (main, front, launcher)}
    expect(spaces[launcher] == host, "the launcher is not in the host's network namespace")
    expect(spaces[main] == spaces[front] and spaces[main] not in (host, own), "front and supervisor are not in an empty network namespace")
    touched = subprocess.run(["nsenter", f"--mount=/proc/{main}/ns/mnt", "touch", "/etc/netlab-unit-sandbox"], capture_output=True, text=True)
    expect("Read-only file system" in touched.stderr, f"/etc can be written to: {touched.stderr}")


def check_unprivileged(pid: int) -> None:
    """Of the five sets one is left: by the unit nobody has CAP_SETPCAP, which it takes to empty that of what could be had by a program that is executed."""
    sets = {name: status_of(pid, name) for name in FIVE_SETS if name != "CapBnd"}
    expect(all(int(mask, 16) == 0 for mask in sets.values()), f"{status_of(pid, 'Name')} has capabilities: {sets}")
    expect(capabilities(pid, "CapBnd") <= SIX, f"{status_of(pid, 'Name')} is bounded by {capabilities(pid, 'CapBnd')}")


def check_worker(daemon: Daemon) -> None:
    """One that runs."""
    ping = next(operation for operation in operations() if operation.name == "ping")
    stream = Stream(daemon, ping, **lasting(ping))
    try:
        running: list[int] = []

        def seen() -> bool:
            running[:] = [pid for pid in daemon.workers() if status_of(pid, "Name") == "nl:ping" and status_of(pid, "Seccomp") == "2" and stream.raw]
            return bool(running)
        eventually(seen, 10, "no worker of ping runs")
        check_unprivileged(running[0])
        expect(status_of(running[0], "Uid").split() == [str(NOBODY)] * 4, f"a worker is of another user: {status_of(running[0], 'Uid')}")
    finally:
        stream.close()


# What ends by itself only where it is told when.
ENDLESS = {"capture", "packets", "conntrack_events"}
# What the kernel and the engine have, the same for whoever asks: held against a netlabd that was started as root, without a unit.
SAME = {"addresses", "bridges", "firewall", "links", "nat", "networks", "ports", "processes", "resolv", "routes", "rules", "sockets", "sysctls", "targets"}
# Counters and times: not the same twice.
VOLATILE = {"packets", "bytes", "counter", "statistics", "elapsed_us", "rtt_us"}


def run_all(daemon: Daemon) -> dict[str, Answer]:
    """The answer of every documented operation, by its name; Failure where one has an error."""
    out: dict[str, Answer] = {}
    for operation in operations():
        answer = daemon.run(operation, 60, **({"duration_ms": 300} if operation.name in ENDLESS else {}))
        expect(answer.status == 200 and answer.whole, f"{operation.name}: {answer.status} {answer.body[:400]!r}; {daemon.log()[-2000:]}")
        expect(not answer.error(), f"{operation.name}: {answer.body[-400:]!r}; {daemon.log()[-2000:]}")
        out[operation.name] = answer
    return out


def stable(value):
    """Without what is not the same twice."""
    if isinstance(value, dict):
        if str(value.get("name")).endswith("nf_conntrack_count"):
            return value["name"]
        return {name: stable(member) for name, member in value.items() if name not in VOLATILE}
    return [stable(member) for member in value] if isinstance(value, list) else value


def differences(one: Answer, other: Answer) -> list[str]:
    lines = [{json.dumps(stable(line), sort_keys=True) for line in answer.lines()} for answer in (one, other)]
    return sorted(lines[0] ^ lines[1])


def compare(daemon: Daemon, plain: Daemon) -> None:
    """What is on its way (a worker's own socket, a neighbour's state) may differ once; what does not become the same is missing."""
    for operation in operations():
        if operation.name not in SAME:
            continue
        for patience in (0.2, 1, 5, 0):
            other = differences(daemon.run(operation, 60), plain.run(operation, 60))
            if not other:
                break
            time.sleep(patience)
        expect(not other, f"{operation.name} tells something else under the unit: {other[:6]}")


def row(whole: bool) -> str:
    parent = pathlib.Path(tempfile.mkdtemp(prefix="netlab-unit-", dir="/run"))  # /tmp and /home are hidden from it
    parent.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="netlab-unit-") as root:
        try:
            return under_unit(whole, parent, installed(root))
        finally:
            shutil.rmtree(parent, ignore_errors=True)


def under_unit(whole: bool, parent: pathlib.Path, units: pathlib.Path) -> str:
    program = parent / "netlabd"
    shutil.copy(BUILD / "daemon/netlabd", program)
    manager = Manager(parent)
    # The leak check at the end of a sanitized build is a ptrace(2), which the unit refuses. All else of the sanitizers is as without a unit.
    prefix = ["env", f"NOTIFY_SOCKET={manager.path}", "ASAN_OPTIONS=detect_leaks=0"]
    if not whole:
        prefix.append(f"WATCHDOG_USEC={SHORT_WATCHDOG_USEC}")
    prefix += [str(AS_UNIT), str(units), "--host-netns", HOST_NETNS, "--user", "nobody"]
    with Daemon(prefix=prefix, parent=str(parent), program=str(program)) as daemon, Daemon() as plain:
        manager.listen(1)
        expect(manager.said("READY=1") == [daemon.process.pid], f"systemd heard {manager.heard}")
        check_processes(daemon)
        check_worker(daemon)
        for one in (daemon, plain):
            eventually(lambda: b'"co1"' in one.ask("GET", "/v1/targets").body, 10, "co1 is not known")  # noqa: B023
        ping = daemon.netlab("ping", "-c", "2", "co1", "co2")
        expect(ping.returncode == 0, f"netlab ping co1 co2: {ping.stdout!r} {ping.stderr!r} {daemon.log()[-2000:]}")
        for _ in range(20 if whole else 1):
            answers = run_all(daemon)
        compare(daemon, plain)
        manager.listen(30 if whole else SHORT_WATCHDOG_USEC / 1e6)
        beats = manager.said("WATCHDOG=1")
        expect(beats and set(beats) == {daemon.process.pid}, f"no WATCHDOG=1 of the main process: {manager.heard}")
    return f"{len(answers)} operations as installed, {len(SAME & set(answers))} of them equal to root's, {len(beats)} WATCHDOG=1"
