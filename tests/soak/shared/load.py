"""Clients that ask for everything, at random and all the time, while something is done to the daemon."""
import random
import threading
import time

from daemon import Answer, Daemon, operations, request
from shared.requests import brief


class Load:
    """`with` runs it; each answer goes to `take(operation, answer or the OSError, seconds)`, called on the threads."""

    def __init__(self, daemon: Daemon, take, threads: int = 2, wanted: int | None = None, pause: float = 0, kinds=lambda operation: True):
        self.daemon = daemon
        self.take = take
        self.every = [operation for operation in operations() if kinds(operation)]
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.left = wanted
        self.pause = pause
        self.done = 0
        self.threads = [threading.Thread(target=self._work, args=(seed,)) for seed in range(threads)]

    def _work(self, seed: int) -> None:
        choice = random.Random(seed)
        while not self.stopping.is_set():
            with self.lock:
                if self.left is not None and self.done >= self.left:
                    return
                self.done += 1
            operation = choice.choice(self.every)
            begin = time.monotonic()
            try:
                outcome: Answer | OSError = self.daemon.run(operation, **brief(operation))
            except OSError as error:
                outcome = error
            self.take(operation, outcome, time.monotonic() - begin)
            time.sleep(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def wait(self) -> None:
        for thread in self.threads:
            thread.join()

    def __exit__(self, *_):
        self.stopping.set()
        self.wait()


class Stream:
    """One operation that goes on and on, and what has come of it so far."""

    def __init__(self, daemon: Daemon, operation, **members):
        self.daemon = daemon
        self.answer: Answer | None = None
        self.raw = b""
        self.thread = threading.Thread(target=self._read, args=(operation, members))
        self.connection = daemon.connect(60)
        self.ended = 0.0
        self.thread.start()

    def _read(self, operation, members: dict) -> None:
        try:
            self.connection.sendall(request(operation.verb, operation.path, {**(operation.body or {}), **members}))
            while piece := self.connection.recv(65536):
                self.raw += piece
        except OSError:
            pass
        self.ended = time.monotonic()
        self.answer = Answer(self.raw)

    def goes_on(self) -> bool:
        return self.answer is None

    def close(self) -> None:
        try:
            self.connection.shutdown(2)
        except OSError:
            pass
        self.thread.join()
        self.connection.close()
