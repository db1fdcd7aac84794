"""Each answer is from the namespace that was asked about, and each socket of a worker is of a namespace that it was started for.

Named namespaces, each with an interface, addresses, a route, a rule, a neighbour, a set of firewall rules, a sysctl, a socket and a process that
only it has. All operations ask about them at random, many at once. What an answer shows must be its own namespace's, and nothing another's.
Meanwhile the sockets of the running workers and of their children (processes beside, relays to engines, who looks for a file) are looked at, by
SO_NETNS_COOKIE. Which others an operation opens by design (with_others(), beside_host()) is read off the catalogue: there it may have sockets that
ask the kernel. All others, and whatever can send or see packets, may be only where the request said."""
import collections
import contextlib
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time
from typing import NamedTuple

from daemon import HOST_NETNS, Daemon, Failure, Operation, children_of, docker, expect, operations
from shared.kernel import NamedNamespaces, in_namespace, namespace_cookie, sockets_of
from shared.needs import opens_by_design
from shared.requests import about, brief, members

THREADS = 6
PACKETS = {socket.AF_INET, socket.AF_INET6, socket.AF_PACKET}
NO_SOCKETS = {"sysctls"}  # it reads files
LEAST_SHARE = 0.1  # of the runs of each operation in which its worker has to have been looked at,
OF_ALL = 0.5       # and of all runs
MARK = re.compile(rb"\bmk(\d+)x\b|\b10\.(?:6[6-9]|70)\.(\d+)\.(\d+)\b")
# Where an answer need not show anything that only its namespace has, and why.
SAYS_NOTHING = {"networks": "of all namespaces", "ports": "containers' alone", "nat": "containers' alone", "ping_pairs": "a matrix of results",
                "connect_pairs": "a matrix of results", "conntrack": "flows", "conntrack_events": "flows", "dns": "what the server said",
                "resolv": "files of the host's"}
# Where the request itself has what would be the sign: what the answer can only have inside that namespace.
SUCCESS = {"ping": rb'"received":1\b', "connect": rb'"outcome":"(connected|open)"', "why": rb'"verdict":"delivered"'}


def address(i: int, second: int = 66) -> str:
    return f"10.{second}.{(i + 1) >> 8}.{(i + 1) & 255}"


def port(i: int) -> int:
    return 20000 + i


def furnish(namespaces: NamedNamespaces, i: int) -> tuple[subprocess.Popen, socket.socket]:
    """What only this namespace has; the process and the socket in it."""
    name = namespaces.names[i]
    links = ["link set lo up", f"link add mk{i}x type veth peer name peer-mk{i}x", f"link set peer-mk{i}x up",
             f"addr add {address(i)}/32 dev mk{i}x", f"link set mk{i}x up", f"link add br-mk{i}x type bridge", f"link set br-mk{i}x up", f"route add {address(i, 67)}/32 dev mk{i}x",
             f"rule add from {address(i, 68)} table 100", f"neigh add {address(i, 69)} lladdr 02:00:00:00:00:01 dev mk{i}x nud permanent"]
    namespaces.run(name, "ip", "-batch", "-", text="\n".join(links))
    namespaces.run(name, "nft", "-f", "-", text=f"table ip mk{i}x {{ chain c {{ type filter hook input priority 0; ip daddr {address(i, 70)} drop\n}}\n}}\n")
    namespaces.run(name, "sh", "-c", f"echo {port(i)} 60000 >/proc/sys/net/ipv4/ip_local_port_range")

    def listen() -> socket.socket:
        listener = socket.socket()
        listener.bind((address(i), port(i)))
        listener.listen(512)
        return listener
    listener = in_namespace(namespaces.path(name), listen)
    waiting = subprocess.Popen(["nsenter", f"--net={namespaces.path(name)}", "sh", "-c", "read nothing", f"mk{i}x"], stdin=subprocess.PIPE)
    return waiting, listener


def container_namespaces() -> list[str]:
    pids = docker("inspect", "-f", "{{.State.Pid}}", *docker("ps", "-q").split()).split()
    return [f"/proc/{pid}/ns/net" for pid in pids if pid != "0"]


class Allowed(NamedTuple):
    """Namespaces that an operation may have sockets in, by their cookies."""
    asking: set[int]   # of whatever kind
    packets: set[int]  # also those that send or see packets


class Soak:
    """Requests from many threads, one of each operation at a time: so a worker's name says which request it is for."""

    def __init__(self, daemon: Daemon, namespaces: NamedNamespaces, wanted: int):
        self.daemon = daemon
        self.namespaces = namespaces
        self.wanted = wanted
        self.every = operations()
        self.lock = threading.Lock()
        self.busy = {operation.name: threading.Lock() for operation in self.every}
        self.under_way: dict[str, Allowed] = {}  # by comm
        self.done = {operation.name: 0 for operation in self.every}
        self.wrong: list[str] = []
        self.sockets = 0
        self.workers: set[tuple[str, int]] = set()
        self.children: set[tuple[str, int]] = set()
        self.design = opens_by_design()
        self.cookies = [namespace_cookie(namespaces.path(name)) for name in namespaces.names]
        self.host = namespace_cookie(HOST_NETNS)
        self.known = {self.host, *self.cookies, *map(namespace_cookie, container_namespaces())}
        self.launcher = daemon.child("nl:launcher")

    def request(self, operation: Operation, i: int) -> dict:
        body = {**brief(operation), **about(operation, f"netns:{self.namespaces.names[i]}")}
        known = members(operation)
        if "to" in known:
            body["to"] = address(i)
        if operation.name == "route":
            body["destination"] = address(i, 67)
        if operation.name == "connect":
            body["port"] = port(i)
        if operation.name == "sockets":
            body["show"] = "listening"
        if "inside" in known:
            body["inside"] = True
        if operation.name.endswith("_pairs"):
            body["targets"] = [f"netns:{self.namespaces.names[(i + more) % len(self.cookies)]}" for more in (0, 1)]
        return body

    def allowed(self, operation: Operation, i: int) -> Allowed:
        design = self.design[operation.name]
        pair = {(i + 1) % len(self.cookies)} if operation.name.endswith("_pairs") else set()
        own = {self.cookies[place] for place in {i, *pair}} | ({self.host} if design else set())  # the way of a packet may lead over it
        return Allowed(self.known if "others" in design else own, own)

    def check(self, operation: Operation, i: int) -> None:
        answer = self.daemon.run(operation, **self.request(operation, i))
        where = f"{operation.name} in namespace {i}"
        expect(answer.status == 200 and answer.whole and not answer.error(), f"{where}: {answer.status} {answer.body[-300:]!r}")
        if not operation.stream:
            return  # the registry has all of them
        shown = {int(found[1]) if found[1] else (int(found[2]) << 8) + int(found[3]) - 1 for found in MARK.finditer(answer.body)}
        pair = {(i + 1) % len(self.cookies)} if operation.name.endswith("_pairs") else set()
        expect(shown <= {i} | pair, f"{where}: it shows what is in {sorted(shown)}: {answer.body[:2000]!r}")
        if operation.name in SUCCESS:
            expect(re.search(SUCCESS[operation.name], answer.body), f"{where}: {answer.body[-600:]!r}")
        elif operation.name not in SAYS_NOTHING:
            expect(i in shown, f"{where}: nothing in it is that namespace's: {answer.body[:600]!r}")

    def work(self, seed: int) -> None:
        choice = random.Random(seed)
        while not self.wrong:
            operation = choice.choice(self.every)
            if not self.busy[operation.name].acquire(blocking=False):
                time.sleep(0.001)
                continue
            try:
                with self.lock:
                    if sum(self.done.values()) >= self.wanted:
                        return
                    self.done[operation.name] += 1
                i = choice.randrange(len(self.cookies))
                self.under_way[comm(operation.name)] = self.allowed(operation, i)
                self.check(operation, i)
                self.wait_for_end(operation.name)
            except (Failure, OSError) as failure:
                self.wrong.append(str(failure))
            finally:
                self.busy[operation.name].release()

    def wait_for_end(self, name: str) -> None:
        """Until its worker is no more: the next one of that name is for the next request."""
        begin = time.monotonic()
        while any(comm_of(pid) == comm(name) for pid in children_of(self.launcher)):
            expect(time.monotonic() - begin < 10, f"the worker of {name} does not end")
            time.sleep(0.003)

    def look(self) -> None:
        """At the sockets of a worker that runs now, and of what it has started: of one that nobody has looked at where there is one."""
        workers = {pid: name for pid in children_of(self.launcher) if (name := comm_of(pid)) in self.under_way}
        looked_at = {pid for _, pid in self.workers}
        for pid in [pid for pid in workers if pid not in looked_at] or random.sample(sorted(workers), min(1, len(workers))):
            # Its stream, and what leads to an engine, are of no namespace that it was asked about.
            if self.look_at(f"a worker of {workers[pid]}", pid, self.under_way[workers[pid]]) - {socket.AF_UNIX}:
                self.workers.add((workers[pid], pid))
        for pid, name in workers.items():
            for child in children_of(pid):
                if self.look_at(f"a child of a worker of {name}", child, self.under_way[name]):
                    self.children.add((name, child))

    def look_at(self, what: str, pid: int, allowed: Allowed) -> set[int]:
        """The families of the sockets that could be looked at."""
        seen = sockets_of(pid)
        for family, cookie in seen:
            places = allowed.packets if family in PACKETS else allowed.asking
            if cookie not in places and not (family == socket.AF_UNIX and cookie == self.host):
                self.wrong.append(f"{what} has a socket of family {family} in the namespace {cookie}, not in {sorted(places)[:5]}")
        self.sockets += len(seen)
        return {family for family, _ in seen}

    def shares(self) -> dict[str, float]:
        """Of each operation's runs, in how many its worker was looked at."""
        seen = collections.Counter(name for name, _ in self.workers)
        # A process beside that outlives its worker for a moment has its name, and is the launcher's child.
        return {operation.name: min(1, seen[comm(operation.name)] / self.done[operation.name])
                for operation in self.every if operation.stream and operation.name not in NO_SOCKETS}

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.look()
            time.sleep(0.0005)
        expect(not self.wrong, "; ".join(self.wrong[:3]))


def comm(operation: str) -> str:
    """The name of its workers, in the kernel's 15 bytes."""
    return f"nl:{operation}"[:15]


def comm_of(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def row(whole: bool) -> str:
    count, wanted = (200, 100_000) if whole else (40, 600)
    with contextlib.ExitStack() as stack:
        namespaces = stack.enter_context(NamedNamespaces(count))
        for i in range(count):
            waiting, listener = furnish(namespaces, i)
            stack.callback(waiting.wait)
            stack.callback(waiting.kill)
            stack.callback(listener.close)
        daemon = stack.enter_context(Daemon(netns_dirs=namespaces.directory))
        soak = Soak(daemon, namespaces, wanted)
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0001)  # who looks is to wait for none of the clients: a worker of `addresses` lives for milliseconds
        soak.run()
        expect(daemon.child("nl:launcher") == soak.launcher, "the launcher is another")
        shares = sorted((share, name) for name, share in soak.shares().items())
        expect(shares[0][0] >= LEAST_SHARE, f"looked at in too few of their runs: {[f'{name} {share:.2f}' for share, name in shares if share < LEAST_SHARE]}")
        share = sum(share for share, _ in shares) / len(shares)
        expect(share >= OF_ALL, f"workers were looked at in {share:.0%} of the runs")
        beside = sorted({name for name, _ in soak.children})
        expect({comm("firewall"), comm("why")} <= set(beside), f"of what workers start only that of {beside} was looked at")
        return (f"{sum(soak.done.values())} operations of {len(soak.every)} kinds over {count} namespaces, {soak.sockets} sockets of "
                f"{len(soak.workers)} workers and {len(soak.children)} children of theirs ({', '.join(beside)}) looked at, in {share:.0%} of the runs, those of "
                f"{shares[0][1]} the least, {shares[0][0]:.0%}: 0 in a wrong namespace")
