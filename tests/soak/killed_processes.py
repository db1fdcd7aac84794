"""Whichever process is killed, the daemon serves again within a second, and who had nothing to do with it notices nothing.

A worker, the launcher and the front are killed with SIGKILL, time and again, while other clients ask for everything: of a worker only its own
request ends, with a typed error; running operations outlive the launcher; known targets answer after each. Where what a worker has started beside
it is killed, it ends within a second of when it would have, and says so; the daemon's own watch of an engine is begun anew. Then the engine is stopped, killed
and started again: what it told before is known all the while, and what it says afterwards within a second.

Without live-restore (the lab has none) a dockerd that is started again after a SIGKILL ends the containers that went on without it; the lab
starts them anew."""
import contextlib
import os
import pathlib
import signal
import statistics
import subprocess
import threading
import time

from daemon import INSTANCE, ROOT, Answer, Daemon, Failure, Operation, children_of, docker, eventually, expect, operations, status_of
from shared.load import Load, Stream
from shared.needs import needs
from shared.requests import about, brief, lasting, lasts

ENGINE_PID = pathlib.Path(f"/run/netlab-lab/{INSTANCE}/docker.pid")
SERVED = 1.0  # seconds after which it has to serve again
SILENT = 12.0  # names in a container are the engine's to resolve: resolv.conf(5)'s two attempts of five seconds, as a program there waits
RELAY = "nl:relay"
LIVED = 1.1   # a process that has lived for more than a second is started again without a pause


class Others:
    """Takes other clients' answers: each has to be whole, and without an error but those in `excused`, and a busy machine's."""

    def __init__(self, excused: tuple[str, ...] = (), cut: bool = False):
        self.excused = excused
        self.cut = cut
        self.lock = threading.Lock()
        self.answers = self.excuses = 0
        self.wrong: list[str] = []

    def __call__(self, operation: Operation, outcome: Answer | OSError, seconds: float) -> None:
        broken = isinstance(outcome, OSError) or not outcome.whole
        code = "" if broken else outcome.error()
        with self.lock:
            self.answers += 1
            if (broken and self.cut) or code in self.excused:
                self.excuses += 1
            elif broken or code not in ("", "timed_out"):
                self.wrong.append(f"{operation.name}: {code or outcome!r}{'' if isinstance(outcome, OSError) else outcome.raw[-300:]}")

    def figures(self, daemon: Daemon) -> str:
        expect(not self.wrong, f"other clients were harmed: {'; '.join(self.wrong[:3])}: {daemon.log()[-1500:]}")
        return f"of {self.answers} answers to others {self.excuses} ended by it" if self.excuses else f"{self.answers} answers to others unharmed"


def endless() -> list[Operation]:
    return [operation for operation in operations() if lasts(operation)]


def begun(daemon: Daemon, operation: Operation) -> Stream:
    """One that goes on in co1, running with all privileges given up."""
    stream = Stream(daemon, operation, **{**lasting(operation), **about(operation, "co1")})
    eventually(lambda: worker_of(daemon, operation) != 0, 10, f"no worker of {operation.name}")
    return stream


def worker_of(daemon: Daemon, operation: Operation) -> int:
    name = f"nl:{operation.name}"[:15]
    running = [pid for pid in daemon.workers() if status_of(pid, "Name") == name and status_of(pid, "Seccomp") == "2"]
    return running[0] if running else 0


def kill(pid: int) -> None:
    expect(pid > 0, "there is no process to kill")  # 0 would be this process and all of its group
    os.kill(pid, signal.SIGKILL)


def process_of(daemon: Daemon, name: str) -> int:
    """The kernel's list of children leaves some out while others of them end."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [daemon.child(name)]
        return found[0] != 0
    eventually(there, 5, f"there is no {name}")
    return found[0]


def serves(daemon: Daemon) -> bool:
    """Known targets answer, by way of a new worker."""
    try:
        answer = daemon.ask("POST", "/v1/addresses", {"targets": ["co1", "co2"]}, 5)
    except OSError:
        return False
    return answer.status == 200 and answer.whole and not answer.error() and b"172." in answer.body


def serves_again(daemon: Daemon, what: str) -> float:
    return eventually(lambda: serves(daemon), 30, f"{what}: it does not serve")


class Times:
    """How long it took until it served again, each time; and how long one answer takes on this machine just now."""

    def __init__(self, what: str):
        self.what = what
        self.seconds: list[float] = []
        self.usual: list[float] = []

    def before(self, daemon: Daemon) -> None:
        self.usual.append(serves_again(daemon, f"before {self.what}"))

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def figures(self) -> str:
        usual = statistics.median(self.usual) if self.usual else 0
        # A machine that is busy with other things takes its time for that one answer, too: milliseconds where it is not.
        late = [f"{second:.2f} s" for second in self.seconds if second > SERVED + 4 * usual]
        # One in twenty may be the machine's: its clients take all of its processors.
        expect(len(late) <= len(self.seconds) // 20, f"{self.what}: {', '.join(late)} of {len(self.seconds)} times, usually {usual:.2f} s")
        median, most = statistics.median(self.seconds) * 1000, max(self.seconds) * 1000
        return f"{self.what} {len(self.seconds)} times: {median:.0f} ms, {most:.0f} ms at most (any answer {usual * 1000:.0f} ms; allowed {(SERVED + 4 * usual) * 1000:.0f} ms)"


def kill_workers(daemon: Daemon, times: int) -> str:
    times_of = Times("a worker")
    others = Others()
    with Load(daemon, others, kinds=lambda operation: not lasts(operation)):
        for number in range(times):
            operation = endless()[number % len(endless())]
            stream = begun(daemon, operation)
            times_of.before(daemon)
            eventually(lambda: worker_of(daemon, operation) != 0, 5, f"no worker of {operation.name}")
            kill(worker_of(daemon, operation))
            times_of.add(eventually(lambda: not stream.goes_on(), 10, f"{operation.name} goes on without its worker"))
            stream.close()
            if "pcapng" not in stream.answer.kind:
                expect(stream.answer.error() == "worker_died", f"the killed worker of {operation.name}: {stream.answer.raw[-300:]!r}")
    return f"{times_of.figures()}, {others.figures(daemon)}"


def relays_of(daemon: Daemon, worker: str) -> list[int]:
    """Of workers of that name, those that hold a connection to an engine by now."""
    return [child for pid in daemon.workers() if status_of(pid, "Name") == worker for child in children_of(pid)
            if status_of(child, "Name") == RELAY and status_of(child, "Seccomp") == "2"]


def processes_beside(daemon: Daemon, worker: str) -> list[int]:
    """Of workers of that name: from their first moment on, as what they are for takes milliseconds."""
    return [child for pid in daemon.workers() if status_of(pid, "Name") == worker for child in children_of(pid) if status_of(child, "Name") != RELAY]


def kill_child(daemon: Daemon, operation: Operation, children) -> tuple[str, float]:
    """Kills what a worker of it has started; the code of the answer's error, and for how long it went on, in seconds."""
    members = {**brief(operation), **about(operation, "co1", "co2")}
    for _ in range(50):
        stream = Stream(daemon, operation, **members)
        moment = 0.0
        while stream.goes_on() and not moment:
            for child in children(daemon, f"nl:{operation.name}"[:15])[:1]:
                with contextlib.suppress(ProcessLookupError):  # it ended by itself
                    kill(child)
                    moment = time.monotonic()
        stream.thread.join(60)
        stream.close()
        answer = stream.answer
        expect(answer.whole and answer.error() not in ("unreadable", "worker_died"),
               f"{operation.name}, of which a process beside or a relay was killed: {answer.raw[-300:]!r}")
        if moment:
            return answer.error() or "answered", max(0.0, stream.ended - moment)
    raise Failure(f"{operation.name} has started nothing that could be killed: {answer.raw[-300:]!r}")


def kill_children(daemon: Daemon, times: int) -> str:
    """Processes beside at once; relays while their engine hangs, so that they are waited for."""
    beside = [operation for operation in operations() if operation.name in ("firewall", "why")]
    relayed = [operation for operation in operations() if operation.stream and "engines" in needs()[operation.name].flags]
    out = []
    for what, kinds, children in (("a process beside", beside, processes_beside), ("a relay", relayed, relays_of)):
        codes: dict[str, int] = {}
        late: list[str] = []
        if children is relays_of:
            os.kill(int(ENGINE_PID.read_text()), signal.SIGSTOP)
        try:
            for operation in kinds * times:
                code, longer = kill_child(daemon, operation, children)
                codes[code] = codes.get(code, 0) + 1
                late += [f"{operation.name} {longer:.2f} s"] if longer > SERVED else []
        finally:
            os.kill(int(ENGINE_PID.read_text()), signal.SIGCONT)
        expect(len(late) <= times * len(kinds) // 20, f"{what} was killed: the operation went on for {', '.join(late)}")
        expect(codes.keys() - {"answered"}, f"{what} was killed {times * len(kinds)} times, and no answer says so")
        out.append(f"{what} {times * len(kinds)} times: {', '.join(f'{code} {count}' for code, count in sorted(codes.items()))}")
    return "; ".join(out)


def kill_watch(daemon: Daemon, times: int) -> str:
    """The relay of the daemon's own watch of the engine: what the engine starts then is known all the same."""
    learned = Times("a container after the relay of the engine's watch was killed known")
    for _ in range(times):
        time.sleep(LIVED)
        learned.before(daemon)
        watching = relays_of(daemon, "nl:watch_engine")
        expect(len(watching) == 1, f"relays of the engine's watch: {watching}")
        kill(watching[0])
        docker("run", "-d", "--rm", "--name", "newcomer", "lab/busybox", "sleep", "1000")
        try:
            learned.add(eventually(lambda: knows(daemon, "newcomer"), 10, "a container that came when the engine's watch had ended is not known"))
        finally:
            docker("rm", "-f", "newcomer")
        eventually(lambda: relays_of(daemon, "nl:watch_engine"), 10, "the engine is not watched again")
    return learned.figures()


def kill_launcher(daemon: Daemon, times: int) -> str:
    """Whose request is with the launcher just then hears launcher_unavailable."""
    times_of = Times("the launcher")
    others = Others(excused=("launcher_unavailable",))
    with contextlib.ExitStack() as stack:
        streams = [(operation, begun(daemon, operation)) for operation in endless()]
        for _, stream in streams:
            stack.callback(stream.close)
        stack.enter_context(Load(daemon, others, kinds=lambda operation: not lasts(operation)))
        for _ in range(times):
            time.sleep(LIVED)
            times_of.before(daemon)
            launcher = process_of(daemon, "nl:launcher")
            size = {operation.name: len(stream.raw) for operation, stream in streams}
            kill(launcher)
            times_of.add(serves_again(daemon, "the launcher was killed"))
            for operation, stream in streams:
                expect(stream.goes_on(), f"{operation.name} ended with the launcher: {stream.raw[-300:]!r}")
                if operation.name == "ping":
                    eventually(lambda: len(stream.raw) > size["ping"], 5, "the echoes stopped with the launcher")
            expect(process_of(daemon, "nl:launcher") != launcher, "the launcher is not another")
    return f"{times_of.figures()}, {len(streams)} streams went on, {others.figures(daemon)}"


def kill_front(daemon: Daemon, times: int) -> str:
    times_of = Times("the front")
    others = Others(cut=True)
    with Load(daemon, others, pause=0.05):
        for _ in range(times):
            time.sleep(LIVED)
            times_of.before(daemon)
            front = process_of(daemon, "nl:front")
            orphans = daemon.workers()
            kill(front)
            times_of.add(serves_again(daemon, "the front was killed"))
            eventually(lambda: not any(status_of(pid, "PPid") for pid in orphans), 5, "workers outlive the front that they work for")
    return f"{times_of.figures()}, {others.figures(daemon)}"


def lab_up() -> None:
    """Starts the engine where it is dead, and its containers."""
    done = subprocess.run([str(ROOT / "tests/lab/lab"), "up"], capture_output=True, text=True, env={**os.environ, "NETLAB_LAB": INSTANCE})
    expect(done.returncode == 0, f"lab up: {done.stdout}{done.stderr}")


def stop_engine(daemon: Daemon, times: int) -> str:
    """An engine that hangs: all that need it say so or do without, and none waits for it longer than it may."""
    times_of = Times("the engine stopped")
    for _ in range(times):
        times_of.before(daemon)
        engine = int(ENGINE_PID.read_text())
        os.kill(engine, signal.SIGSTOP)
        try:
            times_of.add(serves_again(daemon, "the engine is stopped"))
            for operation in [operation for operation in operations() if not lasts(operation)] if len(times_of.seconds) == 1 else []:
                begin = time.monotonic()
                answer = daemon.run(operation, **brief(operation))
                expect(answer.whole and answer.error() not in ("unreadable", "worker_died"), f"{operation.name}, engine stopped: {answer.raw[-300:]!r}")
                expect(time.monotonic() - begin < SILENT, f"{operation.name} takes {time.monotonic() - begin:.1f} s where the engine is stopped")
        finally:
            os.kill(engine, signal.SIGCONT)
    return times_of.figures()


def knows(daemon: Daemon, name: str) -> bool:
    return daemon.ask("POST", "/v1/addresses", {"targets": [name]}).status == 200


def kill_engine(daemon: Daemon, times: int) -> str:
    """Killed: what runs on is known on. Started again: a container that it starts then is known within a second."""
    times_of, learned = Times("the engine killed and started"), Times("its next container known")
    for _ in range(times):
        times_of.before(daemon)
        learned.before(daemon)
        kill(int(ENGINE_PID.read_text()))
        try:
            times_of.add(serves_again(daemon, "the engine was killed"))
            time.sleep(0.5)
            expect(serves(daemon), "co1 and co2 are not known half a second after their engine was killed")
        finally:
            lab_up()
        times_of.add(serves_again(daemon, "the engine was started again"))
        docker("run", "-d", "--rm", "--name", "newcomer", "lab/busybox", "sleep", "1000")
        try:
            learned.add(eventually(lambda: knows(daemon, "newcomer"), 10, "a container of the new engine is not known"))
        finally:
            docker("rm", "-f", "newcomer")
    return f"{times_of.figures()}; {learned.figures()}"


def row(whole: bool) -> str:
    times, engine_times = (100, 10) if whole else (3, 1)
    with Daemon() as daemon:
        serves_again(daemon, "the start")
        out = [kill_workers(daemon, 100 if whole else 2 * len(endless())),
               kill_children(daemon, 15 if whole else 1), kill_watch(daemon, times), kill_launcher(daemon, times), kill_front(daemon, times),
               stop_engine(daemon, times), kill_engine(daemon, engine_times)]
        return "serves again after " + "; ".join(out)
