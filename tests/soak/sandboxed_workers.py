"""Every worker that runs has given up everything: for each operation one has been seen with its filter, and whoever has a filter has no
capability, its own user, no group, and no_new_privs. Nobody that has one holds a connection to an engine, but for the relays.

Workers are looked at as fast as it goes, in all their threads, while one operation after the other is asked for; so are the processes beside
them (children of a worker: CAP_NET_ADMIN and no other; relays to engines: none), the daemon's own workers, and the front. The filter is the last thing that is taken on
before `run`; one that is seen without it is in `prepare` still."""
import collections
import os
import pathlib
import re
import subprocess
import threading
import time

from daemon import HOST_NETNS, INSTANCE, NOBODY, Daemon, Operation, children_of, expect, operations
from shared.requests import brief, lasting, lasts

CAP_NET_ADMIN = 1 << 12
FOUR_IDS = "\t".join([str(NOBODY)] * 4)
RUN = f"/run/netlab-lab/{INSTANCE}"
RELAY = "nl:relay"
PATIENCE = 20.0  # seconds for a worker of one operation to be seen
DYING = 1.0      # seconds that a process beside may outlive its worker


def status(folder: str) -> dict[str, str]:
    """Of /proc/PID or /proc/PID/task/TID; {} where it has ended."""
    try:
        text = pathlib.Path(folder, "status").read_text()
    except OSError:
        return {}
    seen = dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", text, re.M))
    return {} if seen["State"].startswith(("Z", "X")) else seen


def faults(seen: dict[str, str], capabilities: int) -> list[str]:
    """What it has and should not have."""
    wanted = {"CapEff": capabilities, "CapPrm": capabilities, "CapInh": 0, "CapAmb": 0}
    out = [f"{name} {seen[name]}" for name, value in wanted.items() if int(seen[name], 16) != value]
    exact = {"NoNewPrivs": "1", "Uid": FOUR_IDS, "Gid": FOUR_IDS, "Groups": ""}
    return out + [f"{name} '{seen[name]}'" for name, value in exact.items() if seen[name] != value]


def sockets_of(pid: int) -> set[int]:
    """Inodes of those that it holds."""
    out = set()
    try:
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            if found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor.path)):
                out.add(int(found[1]))
    except OSError:
        pass
    return out


def clients_of_engines() -> set[int]:
    """Inodes of the other ends of what the engines' sockets have accepted."""
    said = subprocess.run(["nsenter", f"--net={HOST_NETNS}", "ss", "-xH"], capture_output=True, text=True, check=True).stdout
    return {int(words[7]) for words in map(str.split, said.splitlines())
            if len(words) > 7 and words[4] in (f"{RUN}/docker.sock", f"{RUN}/podman.sock")}


class Watch:
    """Of all that the launcher has started, on a thread of its own."""

    def __init__(self, launcher: int):
        self.launcher = launcher
        self.looks = 0
        self.filtered: collections.Counter[str] = collections.Counter()  # name -> looks at one with a filter
        self.beside: collections.Counter[str] = collections.Counter()
        self.orphans: dict[int, float] = {}  # processes beside without a worker, and since when
        self.holders: dict[int, set[str]] = collections.defaultdict(set)  # socket -> names of those that had it behind a filter
        self.clients: set[int] = set()  # sockets that were connected to an engine
        self.wrong: list[str] = []
        self.stopping = False
        self.thread = threading.Thread(target=self._run)
        self.engines = threading.Thread(target=self._run_engines)

    def __enter__(self):
        self.thread.start()
        self.engines.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.engines.join()

    def _run_engines(self) -> None:
        while not self.stopping:
            self.clients |= clients_of_engines()
            time.sleep(0.05)

    def connected(self) -> collections.Counter[str]:
        """Who had a connection to an engine behind a filter."""
        return collections.Counter(name for inode in self.clients for name in self.holders.get(inode, ()))

    def _run(self) -> None:
        while not self.stopping:
            for worker in children_of(self.launcher):
                for child in children_of(worker):
                    self.look_at(child, worker)
                self.look_at(worker, self.launcher)

    def look_at(self, pid: int, parent: int) -> None:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return
        for thread in threads:
            self.looks += 1
            folder = f"/proc/{pid}/task/{thread}"
            if status(folder).get("Seccomp") != "2":
                continue
            # The lines of a status are not of one moment, and the filter may have come while it was written: so it is read again.
            seen = status(folder)
            if seen:
                self.judge(pid, seen, parent)
                for inode in sockets_of(pid):
                    self.holders[inode].add(seen["Name"])

    def judge(self, pid: int, seen: dict[str, str], parent: int) -> None:
        if seen["Name"] == RELAY:
            if found := faults(seen, 0):
                self.wrong.append(f"{RELAY} ({pid}): {', '.join(found)}")
            return
        beside = parent != self.launcher
        found = faults(seen, CAP_NET_ADMIN if beside else 0)
        # A process beside whose worker ends is the launcher's child for as long as its own death takes.
        if found and not faults(seen, CAP_NET_ADMIN) and int(seen["PPid"]) == self.launcher:
            if time.monotonic() - self.orphans.setdefault(pid, time.monotonic()) < DYING:
                return
        if found:
            self.wrong.append(f"{'beside ' if beside else ''}{seen['Name']} ({pid}): {', '.join(found)}")
        (self.beside if beside else self.filtered)[seen["Name"]] += 1


def show(daemon: Daemon, watch: Watch, operation: Operation) -> int:
    """Asks for it until a worker of it has been seen; how often that took."""
    name = f"nl:{operation.name}"[:15]
    begin = time.monotonic()
    times = 0
    while watch.filtered[name] == 0:
        expect(time.monotonic() - begin < PATIENCE, f"no worker of {operation.name} was seen with a filter in {times} runs")
        answer = daemon.run(operation, **(brief(operation) if lasts(operation) else lasting(operation)))
        expect(answer.status == 200 and answer.error() == "", f"{operation.name}: {answer.body[-300:]!r}")
        times += 1
    return times


def row(whole: bool) -> str:
    kinds = [operation for operation in operations() if operation.stream]
    with Daemon() as daemon:
        front = status(f"/proc/{daemon.child('nl:front')}")
        expect(front["Seccomp"] == "2" and not faults(front, 0), f"the front: Seccomp {front['Seccomp']}, {faults(front, 0)}")
        runs = 0
        with Watch(daemon.child("nl:launcher")) as watch:
            for _ in range(20 if whole else 1):
                watch.filtered.clear()
                runs += sum(show(daemon, watch, operation) for operation in kinds)
                expect(not watch.wrong, "; ".join(sorted(set(watch.wrong))[:5]))
            own = [name for name in watch.filtered if name not in {f"nl:{operation.name}"[:15] for operation in kinds}]
        expect(not watch.wrong, "; ".join(sorted(set(watch.wrong))[:5]))
        expect(sum(watch.beside.values()) > 0, "no process beside was seen with its filter")
        connected = watch.connected()
        expect(connected[RELAY] > 0, "no relay was seen with a connection to an engine")
        expect(set(connected) == {RELAY}, f"with a connection to an engine: {dict(connected)}")
        return (f"{len(kinds)} operations seen with a filter in {runs} runs and {watch.looks} looks, {len(own)} workers of the daemon's own kinds "
                f"({', '.join(sorted(own))}), processes beside in {', '.join(sorted(watch.beside))}, {connected[RELAY]} relays' connections to engines, and the front: none with anything left")
