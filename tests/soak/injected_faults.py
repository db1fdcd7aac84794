"""A system call that fails ends an operation by an answer or a typed error, and nothing else.

strace(1) is attached to the launcher, follows each worker that it forks, and makes the N-th occurrence of one system call fail in each of them
and in the launcher itself; N goes up until no worker has an N-th (closely at first, then in steps). All operations are asked for meanwhile. None
may be ended by a signal but SIGKILL and SIGALRM, which are the daemon's own; none may take five seconds longer than without faults; the daemon
serves afterwards, front and launcher have the descriptors that they had, and no worker is left.

The front has faults of its own: a client may hear nothing then, and the next one is served within a second.

Where the fault is in the launcher itself, it may end: it is started again. Of recvmsg and poll it ends by any error, so as many operations are
asked for under one strace as come before that; the first occurrence of these two in a worker is not to be had in this way."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

from daemon import SANITIZED, Answer, Daemon, Operation, eventually, expect, operations
from shared.requests import brief, lasts

FAULTS = {"openat": "EMFILE", "openat2": "EMFILE", "read": "EIO", "recvmsg": "ENOBUFS", "recvfrom": "ENOBUFS", "sendto": "ENOBUFS",
          "sendmsg": "ENOBUFS", "setsockopt": "ENOMEM", "getsockopt": "ENOBUFS", "socket": "EMFILE", "socketpair": "EMFILE", "bind": "ENOMEM",
          "connect": "EAGAIN", "setns": "ENOMEM", "newfstatat": "ENOMEM", "readlinkat": "ENOMEM", "getdents64": "EIO", "mmap": "ENOMEM",
          "fcntl": "EMFILE", "prctl": "EPERM", "capset": "EPERM", "setresuid": "EAGAIN", "prlimit64": "EPERM", "seccomp": "ENOMEM",
          "pidfd_open": "EMFILE", "clone": "EAGAIN", "poll": "ENOMEM", "ppoll": "ENOMEM"}
# In the short form: of every operation, the first and the second occurrence; the others' first alone, of every other operation.
TWICE = ["openat", "socket", "sendto", "sendmsg", "setns", "seccomp", "clone"]
# What the launcher itself does of them for one operation, where any error ends it.
ENDS_LAUNCHER = {"recvmsg": 1, "poll": 3}
# Of the front, which a client's request makes.
IN_FRONT = {"accept4": "EMFILE", "recvmsg": "ENOBUFS", "sendmsg": "ENOBUFS", "recvfrom": "EIO", "write": "EIO", "epoll_wait": "EINTR",
            "timerfd_settime": "EINVAL", "socketpair": "EMFILE", "getsockopt": "ENOBUFS", "ioctl": "ENOMEM", "epoll_ctl": "ENOMEM"}
SERVED = 1.0     # seconds
LIVED = 1.1      # seconds: one that has lived for one is started again without a pause
CLOSELY = 24     # each N up to this one, then in steps of a quarter
AT_ONCE = 4
OWN_WORKERS = 2  # of the daemon's own that have no end
LATE = 5.0       # seconds
OWN_SIGNALS = {"SIGKILL", "SIGALRM"}


class Strace:
    """Attached to the launcher (or the front) while `with` lasts; then what it wrote."""

    def __init__(self, daemon: Daemon, call: str, nth: int, process: str = "nl:launcher", error: str = ""):
        self.launcher = daemon.child(process)
        self.file = daemon.folder / "strace"
        # With another call in the place of the failing one that every filter allows: strace's own way, the number -1, is none that a filter knows.
        self.process = subprocess.Popen(["strace", "-f", "-Y", "-p", str(self.launcher), "-o", str(self.file), "-e", f"trace={call}", "-e",
                                         f"inject={call}:error={error or FAULTS[call]}:syscall=getpid:when={nth}"], stderr=subprocess.PIPE, text=True)
        said = self.process.stderr.readline()
        expect("attached" in said, f"strace: {said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=60)
        text = self.file.read_text(errors="replace")
        own = rf"^{self.launcher}\b"
        self.injected = len(re.findall(r"\(INJECTED\)$", text, re.M))
        self.met = {name for pid, name in re.findall(r"^(\d+)<([^>]*)> .*\(INJECTED\)$", text, re.M) if int(pid) != self.launcher}
        self.signals = [line for line in text.splitlines() if (found := re.search(r"\+\+\+ killed by (SIG\w+)", line)) and
                        found[1] not in OWN_SIGNALS]
        self.in_launcher = re.search(rf"{own}.*\(INJECTED\)$", text, re.M) is not None


def fail_in_front(whole: bool) -> str:
    """The N-th occurrence of each fails: the request may, the next one may not, and the descriptors are those from before."""
    injected = ended = 0
    longest = 0.0
    ask = ("POST", "/v1/addresses", {"targets": ["co1"]}, 5)
    with Daemon(prefix=["env", "ASAN_OPTIONS=detect_leaks=0"]) as daemon:
        def serves() -> bool:
            try:
                return daemon.ask(*ask).status == 200
            except OSError:
                return False

        def held() -> int:
            return len(os.listdir(f"/proc/{daemon.child('nl:front')}/fd"))
        eventually(serves, 10, "co1 is not known")
        time.sleep(1)
        at_rest = held()
        for call, nth in [(call, nth) for call in IN_FRONT for nth in range(1, CLOSELY if whole else 3)]:
            where = f"the front's {nth}. {call} fails with {IN_FRONT[call]}"
            before = daemon.child("nl:front"), daemon.child("nl:launcher")
            with Strace(daemon, call, nth, "nl:front", IN_FRONT[call]) as strace:
                with contextlib.suppress(OSError):
                    daemon.ask(*ask)
                longest = max(longest, eventually(serves, 10, f"{where}: it does not serve"))
            injected += strace.injected
            expect(not strace.signals, f"{where}: {strace.signals}")
            eventually(lambda: held() == at_rest, 10, f"{where}: descriptors, at rest {at_rest}")
            if (daemon.child("nl:front"), daemon.child("nl:launcher")) != before:
                ended += 1
                time.sleep(LIVED)
    expect(injected > len(IN_FRONT), f"only {injected} faults were met by the front")
    expect(longest < SERVED, f"after a fault in the front it served only after {longest:.2f} s")
    return f"{injected} faults in the front, which ended with it or had a new launcher {ended} times, served after {longest * 1000:.0f} ms at most"


class Faults:
    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.kinds = [operation for operation in operations() if operation.stream]
        self.usual: dict[str, float] = {}
        self.rounds = self.injected = self.asked = self.launchers = 0
        self.errors: dict[str, int] = {}

    def ask(self, operation: Operation) -> tuple[Operation, Answer | OSError, float]:
        begin = time.monotonic()
        try:
            answer: Answer | OSError = self.daemon.run(operation, patience=60, **brief(operation))
        except OSError as error:
            answer = error
        return operation, answer, time.monotonic() - begin

    def all_of(self, kinds: list[Operation]) -> list[tuple[Operation, Answer | OSError, float]]:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.ask, kinds))

    def measure(self) -> None:
        """Under strace, and without a fault."""
        with Strace(self.daemon, "socket", 60_000):
            for operation, answer, seconds in self.all_of(self.kinds):
                expect(isinstance(answer, Answer) and answer.status == 200 and not answer.error(), f"{operation.name} under strace: {answer!r}")
                self.usual[operation.name] = seconds
        eventually(lambda: len(self.daemon.workers()) <= OWN_WORKERS, 20, "the workers do not end")
        self.descriptors = self.count()

    def count(self) -> dict[str, int]:
        names = ("front", "launcher")
        return {name: len(os.listdir(f"/proc/{pid}/fd")) for name in names if (pid := self.daemon.child(f"nl:{name}"))}

    def fail_nth(self, call: str, nth: int, kinds: list[Operation]) -> set[str]:
        """The names of the workers that met it."""
        met: set[str] = set()
        size = len(kinds) if call not in ENDS_LAUNCHER else (nth - 1) // ENDS_LAUNCHER[call]
        for at in range(0, len(kinds) if size else 0, size or 1):
            where = f"the {nth}. {call} fails with {FAULTS[call]}"
            with Strace(self.daemon, call, nth) as strace:
                answers = self.all_of(kinds[at:at + size])
            self.rounds += 1
            self.injected += strace.injected
            expect(not strace.signals, f"{where}: {strace.signals[:3]}")
            for operation, answer, seconds in answers:
                self.judge(where, operation, answer, seconds)
            met |= strace.met
            self.settle(where, strace.launcher)
        return met

    def judge(self, where: str, operation: Operation, answer: Answer | OSError, seconds: float) -> None:
        where = f"{where}: {operation.name}"
        self.asked += 1
        expect(isinstance(answer, Answer), f"{where}: {answer!r}")
        if "pcapng" not in answer.kind:  # a capture in which there is an error is cut off
            expect(answer.whole and answer.error() != "unreadable", f"{where}: {answer.raw[-300:]!r}")
        # `ended with status`: it has said nothing, but neither has a signal ended it.
        code = answer.error() or "answered"
        self.errors[code] = self.errors.get(code, 0) + 1
        expect(seconds < self.usual[operation.name] + LATE, f"{where}: {seconds:.1f} s, without a fault {self.usual[operation.name]:.1f} s")

    def settle(self, where: str, launcher: int) -> None:
        """Serves again, with the descriptors that it had."""
        def serves() -> bool:
            return self.daemon.ask("POST", "/v1/addresses", {"targets": ["co1"]}).status == 200
        eventually(serves, 10, f"{where}: it does not serve")
        if self.daemon.child("nl:launcher") != launcher:
            self.launchers += 1
            time.sleep(LIVED)
        eventually(lambda: self.count() == self.descriptors, 20, f"{where}: descriptors {self.count()}, not {self.descriptors}")
        eventually(lambda: len(self.daemon.workers()) <= OWN_WORKERS, 20, f"{where}: processes are left")


def lose_an_answer() -> None:
    """A launcher whose answer to the supervisor does not get through, once, does not hang."""
    with Daemon(prefix=["env", "ASAN_OPTIONS=detect_leaks=0"], config="patience_s = 4\n") as daemon:
        with Strace(daemon, "sendto", 1) as strace:
            time.sleep(9)
        expect(strace.in_launcher, "the launcher has not answered the supervisor")
        expect(daemon.child("nl:launcher") == strace.launcher, f"the launcher is another: {daemon.log()[-1000:]}")


def occurrences() -> list[int]:
    out = list(range(1, CLOSELY + 1))
    while out[-1] < 20_000:
        out.append(out[-1] * 5 // 4)
    return out


def names_of(kinds: list[Operation]) -> dict[str, Operation]:
    return {f"nl:{operation.name}"[:15]: operation for operation in kinds}


def row(whole: bool) -> str:
    calls = [call for call in FAULTS if not (SANITIZED and call == "mmap") and (whole or call not in ENDS_LAUNCHER)]
    skipped = ", mmap not in a sanitized build (its run-time ends the process)" if SANITIZED else ""
    most = 0
    lose_an_answer()
    in_front = fail_in_front(whole)
    with Daemon(prefix=["env", "ASAN_OPTIONS=detect_leaks=0"]) as daemon:
        front = daemon.child("nl:front")
        faults = Faults(daemon)
        faults.measure()
        for number, call in enumerate(calls):
            kinds = faults.kinds if whole or call in TWICE else faults.kinds[number % 2::2]
            for nth in occurrences() if whole else (1, 2) if call in TWICE else (1,):
                met = faults.fail_nth(call, nth, kinds)
                known = names_of(faults.kinds)
                if met <= known.keys() and (met or call not in ENDS_LAUNCHER or nth > CLOSELY):
                    kinds = [known[name] for name in sorted(met)]  # the others have fewer
                most = max(most, nth)
                if not kinds:
                    break
            print(f"  {call}: up to the {nth}. occurrence, {faults.rounds} rounds so far", file=sys.stderr, flush=True)
        expect(daemon.child("nl:front") == front, f"the front is another: {daemon.log()[-1000:]}")
        errors = ", ".join(f"{code} {count}" for code, count in sorted(faults.errors.items()))
        return (f"{len(calls)} system calls, up to the {most}. occurrence, {faults.injected} faults in {faults.rounds} rounds{skipped}: "
                f"{faults.asked} answers ({errors}), 0 crashes, the launcher ended {faults.launchers} times; {in_front}")
