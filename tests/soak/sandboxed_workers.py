"""Every worker that runs has given up everything: for each operation one has been seen with its filter, and whoever has a filter has no
capability in any of the five sets, its own user and group, no_new_privs, the limits of its Needs, and no descriptor but its own. Nobody that has
one holds a connection to an engine, but for the relays. Before its filter a worker has exactly SYS_ADMIN and the capabilities of its Needs.

Workers are looked at (shared/worker_watch.py) while one operation after the other is asked for; so are the processes beside them (children of a
worker: CAP_NET_ADMIN and no other; relays to engines: none), the daemon's own workers, and the front. The filter is the last thing that is taken
on before `run`; one that is seen without it is in `prepare` still: there strace(1) holds each for a moment."""
import contextlib
import platform
import subprocess
import threading
import time

from daemon import Daemon, Operation, children_of, docker, expect, operations
from shared.kernel import NamedNamespaces
from shared.needs import BITS, mask, needs
from shared.privileges import FIVE_SETS, faults, status
from shared.requests import brief, lasting, lasts
from shared.worker_watch import COUNTERS, RELAY, RULES, Watch, comm, operation_of

PATIENCE = 20.0  # seconds for a process to be seen
# The first thing that is given up when `prepare` has been: what a worker that is in this call has is what `prepare` had.
SETRESGID = {"x86_64": "119", "aarch64": "149"}[platform.machine()]
HELD_MS = 40


def show(daemon: Daemon, watch: Watch, operation: Operation) -> int:
    """Asks for it until a worker of it has been seen; how often that took."""
    begin = time.monotonic()
    times = 0
    while watch.filtered[comm(operation.name)] == 0:
        expect(time.monotonic() - begin < PATIENCE, f"no worker of {operation.name} was seen with a filter in {times} runs")
        answer = daemon.run(operation, **(brief(operation) if lasts(operation) else lasting(operation)))
        expect(answer.status == 200 and answer.error() == "", f"{operation.name}: {answer.body[-300:]!r}")
        times += 1
        watch.check()
    return times


def show_beside(daemon: Daemon, watch: Watch, kinds: list[Operation]) -> None:
    """Until a process beside of `firewall` and of `why` has been seen, and a relay of each operation that asks engines."""
    def missing() -> list[str]:
        relays = [operation.name for operation in kinds if "engines" in needs()[operation.name].flags and not watch.relayed[comm(operation.name)]]
        rules = [name for name in ("firewall", "why") if not watch.beside[comm(name), RULES]]
        return relays + rules
    begin = time.monotonic()
    while left := missing():
        expect(time.monotonic() - begin < PATIENCE, f"no process beside, or relay, was seen of {left}: {dict(watch.beside)}, {dict(watch.relayed)}")
        for operation in kinds:
            if operation.name in left:
                daemon.run(operation, **lasting(operation))
        watch.check()


def show_own(watch: Watch) -> list[str]:
    """Until the daemon's own kinds of workers have been seen, of which two run when there is a new container."""
    own = {comm(name) for name in needs()} - {comm(operation.name) for operation in operations()}
    begin = time.monotonic()
    while left := own - watch.filtered.keys():
        expect(time.monotonic() - begin < PATIENCE, f"not seen with a filter: {sorted(left)}")
        docker("run", "--rm", "--network", "none", "lab/busybox", "true")
        watch.check()
    return sorted(own)


def show_counters() -> int:
    """Until the process beside that reads the counters of iptables-legacy has been seen, on a host of the row's own that has such tables."""
    with NamedNamespaces(2) as namespaces:
        host, other = namespaces.names
        namespaces.run(host, "ip", "-batch", "-", text=f"link set lo up\nlink add one type veth peer name two netns {namespaces.path(other)}\n"
                       "addr add 10.66.0.1/24 dev one\nlink set one up")
        namespaces.run(other, "ip", "-batch", "-", text="addr add 10.66.0.2/24 dev two\nlink set two up")
        for command in ("iptables-legacy", "ip6tables-legacy"):
            namespaces.run(host, command, "-t", "filter", "-L", "-n")
        why = next(operation for operation in operations() if operation.name == "why")
        with Daemon(host=namespaces.path(host), netns_dirs=namespaces.directory) as daemon, Watch(daemon) as watch:
            begin = time.monotonic()
            while not watch.beside[comm("why"), COUNTERS]:
                expect(time.monotonic() - begin < PATIENCE, f"no process that reads the counters of iptables-legacy was seen: {dict(watch.beside)}")
                answer = daemon.run(why, **{"from": "host", "to": "10.66.0.2", "probe": True})
                expect(answer.status == 200 and not answer.error(), f"why: {answer.body[-300:]!r}")
            watch.stop()
            watch.check()
            return watch.beside[comm("why"), COUNTERS]


class Narrowed:
    """Holds each worker where `prepare` has been, and looks at what it has. `with` attaches strace(1) to the launcher."""

    def __init__(self, daemon: Daemon):
        self.launcher = daemon.child("nl:launcher")
        self.seen: set[str] = set()
        self.wrong: list[str] = []
        self.stopping = False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        # -f: its children too, of which each does this once.
        self.strace = subprocess.Popen(["strace", "-f", "-p", str(self.launcher), "-o", "/dev/null", "-e", "trace=setresgid", "-e",
                                        f"inject=setresgid:delay_enter={HELD_MS * 1000}"], stderr=subprocess.PIPE, text=True)
        said = self.strace.stderr.readline()
        expect("attached" in said, f"strace: {said}")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.strace.terminate()
        self.strace.communicate(timeout=60)

    def _run(self) -> None:
        while not self.stopping:
            for worker in children_of(self.launcher):
                with contextlib.suppress(OSError), open(f"/proc/{worker}/syscall", encoding="ascii") as call:
                    if call.read().split()[0] == SETRESGID:
                        self.judge(status(f"/proc/{worker}"))
            time.sleep(0.002)

    def judge(self, seen: dict[str, str]) -> None:
        operation = operation_of(seen.get("Name", ""))
        if not operation:
            return
        wanted = mask({"SYS_ADMIN"} | needs()[operation].capabilities)
        expected = {name: wanted if name in ("CapPrm", "CapEff") else 0 for name in FIVE_SETS}
        self.seen.add(operation)
        self.wrong += [f"`prepare` of {operation} had {name} {names_of(int(seen[name], 16))}, not {names_of(value)}"
                       for name, value in expected.items() if int(seen[name], 16) != value]


def names_of(capabilities: int) -> str:
    known = mask(set(BITS))
    return " ".join(name for name, bit in BITS.items() if capabilities >> bit & 1) + (f" and {capabilities & ~known:x}" if capabilities & ~known else "") or "none"


def show_narrowing(kinds: list[Operation]) -> int:
    """How many operations were seen with exactly what their `prepare` may have."""
    with Daemon(prefix=["env", "ASAN_OPTIONS=detect_leaks=0"]) as daemon, Narrowed(daemon) as narrowed:
        for operation in kinds:
            answer = daemon.run(operation, **brief(operation))
            expect(answer.status == 200 and not answer.error(), f"{operation.name} under strace: {answer.body[-300:]!r}")
    expect(not narrowed.wrong, "; ".join(sorted(set(narrowed.wrong))[:5]))
    unseen = {operation.name for operation in kinds} - narrowed.seen
    expect(not unseen, f"not seen between `prepare` and the filter: {sorted(unseen)}")
    return len(narrowed.seen)


def row(whole: bool) -> str:
    kinds = [operation for operation in operations() if operation.stream]
    # With a limit of its own, where the row's caller has none: what stays without one shows.
    with Daemon(prefix=["prlimit", "--core=unlimited:unlimited"]) as daemon:
        front = status(f"/proc/{daemon.child('nl:front')}")
        expect(front["Seccomp"] == "2" and not faults(front, 0), f"the front: Seccomp {front['Seccomp']}, {faults(front, 0)}")
        runs = 0
        with Watch(daemon) as watch:
            for _ in range(20 if whole else 1):
                watch.filtered.clear()
                runs += sum(show(daemon, watch, operation) for operation in kinds)
            show_beside(daemon, watch, kinds)
            own = show_own(watch)
            watch.stop()
        watch.check()
        connected = watch.connected()
        expect(connected[RELAY] > 0, "no relay was seen with a connection to an engine")
        expect(set(connected) == {RELAY}, f"with a connection to an engine: {dict(connected)}")
    counters = show_counters()
    narrowed = show_narrowing(kinds)
    beside = ", ".join(f"{count} of {worker}'s for {kind}" for (worker, kind), count in sorted(watch.beside.items()))
    relays = f"{sum(watch.relayed.values())} relays of {len(watch.relayed)} kinds of workers, with {connected[RELAY]} connections to engines"
    return (f"{len(kinds)} operations seen with a filter in {runs} runs and {watch.looks} looks, {len(own)} workers of the daemon's own kinds "
            f"({', '.join(own)}), processes beside ({beside}, {counters} of nl:why's for {COUNTERS}), {relays}, and the front: none with anything "
            f"left; {len(watch.held)} of them with their own limits and descriptors alone; before, {narrowed} operations with their own capabilities alone")
