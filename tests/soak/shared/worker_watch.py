"""Looks at all that the launcher has started, as fast as it goes, and says what one that runs behind its filter has and should not have."""
import collections
import os
import re
import socket
import subprocess
import threading
import time

from daemon import HOST_NETNS, INSTANCE, ROOT, Daemon, children_of, expect
from shared.kernel import sockets_by_number
from shared.needs import beside_limits, mask, needs, opens_by_design, relay_limits
from shared.privileges import descriptor_faults, descriptors, faults, limit_faults, private, status

NET_ADMIN = mask({"NET_ADMIN"})
RUN = f"/run/netlab-lab/{INSTANCE}"
RELAY = "nl:relay"
DYING = 1.0  # seconds that a process beside may outlive its worker
RULES, COUNTERS = "netfilter", "counters of iptables-legacy"  # the kinds of processes beside, told by their sockets
# Which send introductions from the namespaces of their targets (arp_introduction.hpp): all others' packet sockets only look.
SENDING_PACKETS = {"ping_pairs", "connect_pairs"}


def comm(operation: str) -> str:
    """The name of its workers, in the kernel's 15 bytes."""
    return f"nl:{operation}"[:15]


def operation_of(name: str) -> str:
    """Of a worker's comm; "" of another's."""
    return next((operation for operation in needs() if comm(operation) == name), "")


def first_read_only() -> int:
    """The number from which on a packet socket only looks."""
    found = re.search(r"first_read_only = ([\d']+);", (ROOT / "daemon/operations/read_only.hpp").read_text())
    expect(found, "the first number of a read-only socket is not understood")
    return int(found[1].replace("'", ""))


def sockets_of(pid: int) -> set[int]:
    """Inodes of those that it holds."""
    return {int(link[len("socket:["):-1]) for link in descriptors(pid).values() if link.startswith("socket:[")}


def lasting_ones(pid: int) -> set[str]:
    """The sockets and pipes that it holds for longer than it takes to start a worker, whose stream passes through the launcher."""
    before = private(descriptors(pid))
    time.sleep(0.2)
    return before & private(descriptors(pid))


def clients_of_engines() -> set[int]:
    """Inodes of the other ends of what the engines' sockets have accepted."""
    said = subprocess.run(["nsenter", f"--net={HOST_NETNS}", "ss", "-xH"], capture_output=True, text=True, check=True).stdout
    return {int(words[7]) for words in map(str.split, said.splitlines())
            if len(words) > 7 and words[4] in (f"{RUN}/docker.sock", f"{RUN}/podman.sock")}


class Watch:
    """Of all that the launcher has started, on a thread of its own."""

    def __init__(self, daemon: Daemon):
        self.launcher = daemon.child("nl:launcher")
        self.log = str(daemon.log_file)
        self.daemons = {name: lasting_ones(pid) for name, pid in
                        (("the supervisor", daemon.process.pid), ("the front", daemon.child("nl:front")), ("the launcher", self.launcher))}
        self.read_only = first_read_only()
        self.looks = 0
        self.filtered: collections.Counter[str] = collections.Counter()  # name -> looks at one with a filter
        self.beside: collections.Counter[tuple[str, str]] = collections.Counter()  # (worker, kind) -> how many with a filter
        self.relayed: collections.Counter[str] = collections.Counter()  # worker -> relays
        self.held: set[int] = set()  # PIDs of those whose descriptors and limits have been judged
        self.apart: set[int] = set()  # PIDs of those that have been held against their worker
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
        self.stop()

    def stop(self) -> None:
        self.stopping = True
        self.thread.join()
        self.engines.join()

    def check(self) -> None:
        """Failure where something was wrong so far, or where nobody looks any more."""
        expect(self.thread.is_alive() or self.stopping, "the watch has ended")
        expect(not self.wrong, "; ".join(sorted(set(self.wrong))[:5]))

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
        name, beside = seen["Name"], parent != self.launcher
        if name == RELAY:
            self.complain(name, pid, faults(seen, 0))
            self.look_into(name, pid, parent, relay_limits(), self.relay_faults)
            return
        found = faults(seen, NET_ADMIN if beside else 0)
        # A process beside whose worker ends is the launcher's child for as long as its own death takes.
        if found and not faults(seen, NET_ADMIN) and int(seen["PPid"]) == self.launcher:
            if time.monotonic() - self.orphans.setdefault(pid, time.monotonic()) < DYING:
                return
        if beside:
            self.complain(f"beside {name}", pid, found)
            self.look_into(f"beside {name}", pid, parent, beside_limits(), self.beside_faults)
            return
        self.complain(name, pid, found)
        self.filtered[name] += 1
        if pid not in self.orphans:
            own = needs()[operation_of(name)]
            self.look_into(name, pid, parent, (own.cpu_seconds, own.address_space, own.descriptors), self.worker_faults)

    def complain(self, what: str, pid: int, found: list[str]) -> None:
        if found:
            self.wrong.append(f"{what} ({pid}): {', '.join(found)}")

    def look_into(self, what: str, pid: int, parent: int, limits: tuple[int, int, int], own_faults) -> None:
        """Once for each process: its limits and its descriptors; `own_faults` tells what its kind must not have."""
        if pid not in self.held:
            held, worker = descriptors(pid), status(f"/proc/{parent}").get("Name", "")
            sockets = {number: family for number, (family, _) in sockets_by_number(pid).items()}
            if not descriptors(pid):
                return  # it ends, and has closed all: before, or meanwhile
            self.held.add(pid)
            # The operations that number the others' namespaces hold them (known_namespaces.hpp); to enter one takes a call that the filter kills.
            numbers_others = "others" in opens_by_design().get(operation_of(what), ())
            found = limit_faults(pid, *limits) + descriptor_faults(held, self.log, numbers_others)
            found += [f"{link} is {name}'s too" for name, theirs in self.daemons.items() for link in private(held) & theirs]
            self.complain(what, pid, found + own_faults(what if parent == self.launcher else worker, held, sockets))
        self.hold_against_worker(what, pid, parent)

    def hold_against_worker(self, what: str, pid: int, worker: int) -> None:
        """What is open while `prepare` goes on both may have."""
        if worker == self.launcher or pid in self.apart or status(f"/proc/{worker}").get("Seccomp") != "2":
            return
        both = private(descriptors(pid)) & private(descriptors(worker))
        if descriptors(pid) and descriptors(worker):  # else one of them ends
            self.apart.add(pid)
            self.complain(what, pid, [f"{link} is its worker's too" for link in both])

    def worker_faults(self, worker: str, held: dict[int, str], sockets: dict[int, int]) -> list[str]:
        return [f"{number} is a packet socket that can send" for number, family in sockets.items()
                if family == socket.AF_PACKET and number < self.read_only and operation_of(worker) not in SENDING_PACKETS]

    def beside_faults(self, worker: str, held: dict[int, str], sockets: dict[int, int]) -> list[str]:
        families = collections.Counter(sockets.values())
        kind = RULES if families[socket.AF_NETLINK] else COUNTERS
        self.beside[worker, kind] += 1
        # What it asks the kernel by, beside its channel to the worker.
        asks = {socket.AF_NETLINK} if kind == RULES else {socket.AF_INET, socket.AF_INET6}
        found = [f"{number} is {link}" for number, link in held.items() if number > 2 and not link.startswith("socket:")]
        return found + ([] if families.keys() == {socket.AF_UNIX, *asks} and families[socket.AF_UNIX] == 1 else [f"sockets of the families {dict(families)}"])

    def relay_faults(self, worker: str, held: dict[int, str], sockets: dict[int, int]) -> list[str]:
        if worker != RELAY:  # else its worker has ended
            self.relayed[worker] += 1
        others = {number: link for number, link in held.items() if number > 2}
        return [] if len(others) == 2 and all(link.startswith("socket:") for link in others.values()) else [f"it holds {others}"]
