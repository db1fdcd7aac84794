"""Nothing grows: 10,000 operations of all kinds, then half an hour in which containers come and go while operations run.

Afterwards front, launcher and supervisor have the descriptors that they had at the start, there is no process and no network namespace more or less, the
memory of front and launcher does not rise (a line through the second half of the churn), and each answer was whole, with a typed error at most."""
import contextlib
import os
import re
import threading
import time

from daemon import NOBODY, Answer, Daemon, Operation, children_of, docker, eventually, expect, status_of
from shared.lab import on_host
from shared.load import Load
from shared.privileges import descriptors

CHURNERS = 4
RATE = 5.0  # containers a second, if the engine can do that
UNTYPED = ("unreadable", "worker_died", "launcher_unavailable", "operation_failed")


class Typed:
    """Takes answers: each whole, with an error at most that says something of the targets."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = 0
        self.errors: dict[str, int] = {}
        self.wrong: list[str] = []

    def __call__(self, operation: Operation, outcome: Answer | OSError, seconds: float) -> None:
        with self.lock:
            self.answers += 1
            if isinstance(outcome, OSError) or not outcome.whole:
                self.wrong.append(f"{operation.name}: {outcome!r}")
            elif code := outcome.error():
                self.errors[code] = self.errors.get(code, 0) + 1
                if code in UNTYPED:
                    self.wrong.append(f"{operation.name}: {outcome.raw[-300:]!r}")


def resident_kib(pid: int) -> int:
    return int(status_of(pid, "VmRSS").split()[0])


def namespaces(processes: list[int]) -> set[str]:
    """Network namespaces that the lab's host has a number for, those of containers among them: each has it for as long as it lives, whoever keeps
    it alive. And those that these processes are in, or hold."""
    listed = on_host("ip link >/dev/null; ip netns list-id")  # to show a link the kernel numbers its other end's
    held = {link for pid in processes for link in [os.readlink(f"/proc/{pid}/ns/net"), *descriptors(pid).values()] if link.startswith("net:")}
    return set(re.findall(r"^nsid \d+", listed, re.M)) | held


class Inventory:
    """What the daemon's processes have."""

    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.processes = {"supervisor": daemon.process.pid, "front": daemon.child("nl:front"), "launcher": daemon.child("nl:launcher")}
        time.sleep(1)  # until what it asks at its start has been answered
        self.at_start = self.counts()

    def counts(self) -> dict[str, int | set[str]]:
        out: dict[str, int | set[str]] = {f"descriptors of the {name}": len(descriptors(pid)) for name, pid in self.processes.items()}
        workers = children_of(self.processes["launcher"])
        with contextlib.suppress(OSError):  # a worker that ends
            out["namespaces"] = namespaces([*self.processes.values(), *workers])
        return {**out, "workers": len(workers)}

    def check(self) -> None:
        now = {"supervisor": self.daemon.process.pid, "front": self.daemon.child("nl:front"), "launcher": self.daemon.child("nl:launcher")}
        expect(now == self.processes, f"other processes: {now}, at the start {self.processes}: {self.daemon.log()[-1000:]}")
        try:
            eventually(lambda: self.counts() == self.at_start, 20, "")
        except Exception:
            expect(self.counts() == self.at_start, f"{self.counts()}, at the start {self.at_start}")

    def memory(self) -> dict[str, int]:
        return {name: resident_kib(self.processes[name]) for name in ("front", "launcher")}


class Churn:
    """Containers that come and go, some of them asked about."""

    def __init__(self, daemon: Daemon, until: float, typed: Typed):
        self.daemon = daemon
        self.until = until
        self.typed = typed
        self.made = 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._work, args=(number,)) for number in range(CHURNERS)]

    def _work(self, number: int) -> None:
        name = f"churn{number}"
        while time.monotonic() < self.until:
            begin = time.monotonic()
            docker("run", "-d", "--name", name, "--network", "net", "lab/busybox", "sleep", "1000")
            self.typed(OF_A_NEWCOMER, self.daemon.ask("POST", OF_A_NEWCOMER.path, {"targets": [name]}), 0)
            docker("rm", "-f", name)
            with self.lock:
                self.made += 1
            time.sleep(max(0.0, CHURNERS / RATE - (time.monotonic() - begin)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()
        for number in range(CHURNERS):
            docker("rm", "-f", f"churn{number}", check=False)


OF_A_NEWCOMER = Operation("/v1/addresses", "POST", "observe", None, True)


def slope(samples: list[tuple[float, int]]) -> float:
    """MiB an hour of (seconds, KiB), by least squares."""
    count = len(samples)
    mean_time = sum(moment for moment, _ in samples) / count
    mean_size = sum(size for _, size in samples) / count
    spread = sum((moment - mean_time) ** 2 for moment, _ in samples)
    return sum((moment - mean_time) * (size - mean_size) for moment, size in samples) / spread * 3600 / 1024


def second_half(samples: list[tuple[float, dict[str, int]]], name: str) -> list[tuple[float, int]]:
    return [(moment, sizes[name]) for moment, sizes in samples[len(samples) // 2:]]


def row(whole: bool) -> str:
    wanted, churn_seconds = (10_000, 1800) if whole else (400, 15)
    typed = Typed()
    with Daemon() as daemon:
        eventually(lambda: daemon.ask("POST", "/v1/addresses", {"targets": ["co1"]}).status == 200, 10, "co1 is not known")
        inventory = Inventory(daemon)
        begin = time.monotonic()
        with Load(daemon, typed, threads=4, wanted=wanted) as load:
            load.wait()
        rate = wanted / (time.monotonic() - begin)
        inventory.check()
        samples = []
        begin = time.monotonic()
        with Load(daemon, typed, threads=1, pause=0.1), Churn(daemon, begin + churn_seconds, typed) as churn:
            while time.monotonic() < begin + churn_seconds:
                samples.append((time.monotonic(), inventory.memory()))
                time.sleep(0.5)
        took = time.monotonic() - begin
        inventory.check()
        expect(not typed.wrong, f"{len(typed.wrong)} errors that are not typed: {'; '.join(typed.wrong[:3])}")
        slopes = {name: slope(second_half(samples, name)) for name in ("front", "launcher")}
        if whole:
            expect(max(slopes.values()) < 1, f"memory grows, in MiB/h: {slopes}")
        memory = ", ".join(f"{name} {samples[-1][1][name] / 1024:.1f} MiB and {slopes[name]:+.2f} MiB/h" for name in slopes)
        errors = ", ".join(f"{code} {count}" for code, count in sorted(typed.errors.items())) or "none"
        start = inventory.at_start
        return (f"{wanted} operations ({rate:.0f}/s), {churn.made} containers in {took:.0f} s ({churn.made / took:.1f}/s), {typed.answers} answers in all, "
                f"errors: {errors}; {memory}; as at the start: {len(start['namespaces'])} namespaces, "
                f"{', '.join(f'{count} {name}' for name, count in start.items() if isinstance(count, int))}")
