"""A container that is killed in the middle of an operation ends it within a second, by a typed error or by an answer that is whole.

Each operation is asked about a container of the row's own, as where it runs (then it lasts as long as it can) and as its other end by turns; at
a random moment of it the container's first process is killed. Nothing else may come of it: front and launcher are the same processes, no worker
is left, and the next container is served."""
import os
import random
import signal
import threading
import time

from daemon import SANITIZED, WIDER, Answer, Daemon, Failure, Operation, children_of, docker, eventually, expect, operations, status_of
from shared.requests import about, brief, lasting, lasts

AT_ONCE = 3
IN_THE_MIDDLE = 0.5  # of all kills, at least: of those after its end an operation knows nothing
GRACE = 2.0 if SANITIZED else 1.0  # seconds from the kill to the end of the answer; the claim is the second's, and the whole's to show
DAEMONS_OWN = ("nl:watch_engine", "nl:watch_namesp")  # its workers that have no end


class Victim:
    """One container that is killed and started again."""

    def __init__(self, daemon: Daemon, number: int):
        self.daemon = daemon
        self.name = f"victim{number}"
        self.remove()
        docker("run", "-d", "--name", self.name, "--network", "net", "lab/busybox", "sleep", "1000")

    def remove(self) -> None:
        docker("rm", "-f", self.name, check=False)

    def rise(self) -> None:
        """Until the daemon knows where it runs now."""
        docker("start", self.name)  # nothing where it runs
        self.pid = int(docker("inspect", "-f", "{{.State.Pid}}", self.name))
        expect(self.pid > 0, f"{self.name} does not run")
        answer = Answer(b"")

        def served() -> bool:
            nonlocal answer
            answer = self.daemon.ask("POST", "/v1/addresses", {"targets": [self.name]})
            return answer.status == 200 and not answer.error()
        try:
            eventually(served, 20, f"{self.name} has been started, and is not served")
        except Failure as failure:
            raise Failure(f"{failure}: {answer.body!r}") from None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Until the engine knows of it: before, a start would do nothing."""
        docker("wait", self.name)


def is_fine(answer: Answer) -> bool:
    """Whole, with an answer or a typed error that is not the daemon's own. HTTP ends a capture in the middle where there is an error in it."""
    of_the_daemon = answer.error() in ("unreadable", "worker_died", "launcher_unavailable")
    if answer.status == 200:
        return "pcapng" in answer.kind or (answer.whole and not of_the_daemon)
    return answer.whole and answer.error() != "" and not of_the_daemon


class Deaths:
    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.lock = threading.Lock()
        self.kills = self.in_the_middle = self.again = 0
        self.longest = 0.0
        self.errors: dict[str, int] = {}
        self.usual: dict[str, float] = {}
        self.failed: set[str] = set()
        self.wrong: list[str] = []

    def measure(self, every: list[Operation]) -> None:
        """How long each takes where nobody is killed."""
        for operation in every:
            self.usual[operation.name] = self.unharmed(operation)

    def unharmed(self, operation: Operation) -> float:
        begin = time.monotonic()
        self.daemon.run(operation, **brief(operation))
        return time.monotonic() - begin

    def one(self, victim: Victim, operation: Operation, as_peer: bool, moment_of: float) -> float:
        """How long after the kill the answer ended, in seconds."""
        victim.rise()
        after = moment_of * (0.3 if lasts(operation) and not as_peer else self.usual[operation.name])
        where = f"{operation.name} {'to' if as_peer else 'in'} a container that was killed after {after * 1000:.0f} ms"
        members = {**brief(operation), **about(operation, "co1", victim.name)} if as_peer else {
            **lasting(operation), **about(operation, victim.name, "co2")}
        outcome: list = []

        def ask() -> None:
            try:
                outcome.append(self.daemon.run(operation, patience=20, **members))
            except OSError as error:
                outcome.append(error)
            outcome.append(time.monotonic())

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(after)
        still = asking.is_alive()
        moment = time.monotonic()
        victim.kill()
        asking.join()
        victim.bury()
        answer, end = outcome
        expect(isinstance(answer, Answer), f"{where}: {answer!r}")
        expect(is_fine(answer), f"{where}: {answer.status}, {'whole' if answer.whole else 'not whole'}: {answer.body[-400:]!r}")
        with self.lock:
            self.kills += 1
            self.in_the_middle += still
            code = answer.error() or "answered"
            self.errors[code] = self.errors.get(code, 0) + 1
            if code == "operation_failed":
                self.failed.add(f"{operation.name}: {answer.lines()[-1]['error']['message']}")
        return max(0.0, end - moment)

    def checked(self, victim: Victim, operation: Operation, as_peer: bool, moment_of: float) -> None:
        took = self.one(victim, operation, as_peer, moment_of)
        for _ in range(2):
            # Late is what is late again and again, by more than the machine's other work makes it without a kill.
            if took > GRACE:
                self.again += 1
                took = max(0.0, self.one(victim, operation, as_peer, moment_of) - self.unharmed(operation))
        expect(took <= GRACE, f"{operation.name} {'to' if as_peer else 'in'} a killed container ended {took:.2f} s after the kill, thrice")
        with self.lock:
            self.longest = max(self.longest, took)

    def work(self, victim: Victim, cases: list) -> None:
        while not self.wrong:
            with self.lock:
                if not cases:
                    return
                case = cases.pop()
            try:
                self.checked(victim, *case)
            except Failure as failure:
                self.wrong.append(str(failure))


def leftovers(launcher: int) -> list[str]:
    return [name for name in (status_of(pid, "Name") for pid in children_of(launcher)) if name and name not in DAEMONS_OWN]


def row(whole: bool) -> str:
    every = operations()
    rounds = -(-800 // len(every)) if whole else 2
    choice = random.Random(5)
    cases = [(operation, bool(number % 2), choice.random()) for number in range(rounds) for operation in every]
    with Daemon() as daemon:
        processes = daemon.child("nl:front"), daemon.child("nl:launcher")
        deaths = Deaths(daemon)
        deaths.measure(every)
        victims = [Victim(daemon, number) for number in range(AT_ONCE)]
        try:
            threads = [threading.Thread(target=deaths.work, args=(victim, cases)) for victim in victims]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            for victim in victims:
                victim.remove()
        expect(not deaths.wrong, "; ".join(deaths.wrong))
        expect((daemon.child("nl:front"), daemon.child("nl:launcher")) == processes, f"front or launcher is another: {daemon.log()[-1000:]}")
        eventually(lambda: not leftovers(processes[1]), 5, f"workers are left: {leftovers(processes[1])}")
        least = 500 if whole else round(IN_THE_MIDDLE * deaths.kills)
        expect(deaths.in_the_middle >= least, f"of {deaths.kills} kills only {deaths.in_the_middle} were in the middle of an operation, not {least}")
        errors = ", ".join(f"{code} {count}" for code, count in sorted(deaths.errors.items()))
        return (f"{deaths.kills} kills over {len(every)} operations, {deaths.in_the_middle} in the middle of one: {errors}; the last answer "
                f"{deaths.longest * 1000:.0f} ms after its kill (allowed: {GRACE:.0f} s{WIDER}), {deaths.again} tried again"
                + (f"; what failed: {'; '.join(sorted(deaths.failed))}" if deaths.failed else ""))
