"""What the rows ask the kernel: which namespace a socket of another process is of; and named namespaces of a row's own."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

from daemon import Failure

SYS_PIDFD_GETFD = 438
SO_NETNS_COOKIE = 71
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def in_namespace(path: str, function):
    """What `function` returns in that network namespace: called on a thread that ends with it."""
    outcome = []

    def enter_and_call() -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            entered = libc.setns(descriptor, CLONE_NEWNET)
            os.close(descriptor)
            if entered != 0:
                raise OSError(ctypes.get_errno(), f"enter {path}")
            outcome.extend([True, function()])
        except Exception as error:  # it is the caller's
            outcome.extend([False, error])

    thread = threading.Thread(target=enter_and_call)
    thread.start()
    thread.join()
    if not outcome[0]:
        raise outcome[1]
    return outcome[1]


def cookie_of(a_socket: socket.socket) -> int:
    return int.from_bytes(a_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")


def namespace_cookie(path: str) -> int:
    def ask() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as of_it:
            return cookie_of(of_it)
    return in_namespace(path, ask)


def sockets_by_number(pid: int) -> dict[int, tuple[int, int]]:
    """(family, cookie of its namespace) of each socket that the process has open, by its descriptor; {} where it has ended."""
    out: dict[int, tuple[int, int]] = {}
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return out
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
                    continue
                copy = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(number), 0)
                if copy >= 0:
                    with socket.socket(fileno=copy) as taken:
                        out[int(number)] = (taken.family, cookie_of(taken))
    except OSError:
        pass
    finally:
        os.close(pidfd)
    return out


def sockets_of(pid: int) -> list[tuple[int, int]]:
    """(family, cookie of its namespace) of each socket that the process has open; [] where it has ended."""
    return list(sockets_by_number(pid).values())


class NamedNamespaces:
    """`count` network namespaces ns0y, ns1y, ..., bind-mounted in a directory of their own as `ip netns` does; `with` removes them."""

    def __init__(self, count: int):
        self.directory = tempfile.mkdtemp(prefix="netlab-soak-netns-", dir="/run")
        self.names = [f"ns{i}y" for i in range(count)]

    def __enter__(self):
        try:
            for name in self.names:
                pathlib.Path(self.path(name)).touch()
                done = subprocess.run(["unshare", f"--net={self.path(name)}", "true"], capture_output=True, text=True)
                if done.returncode != 0:
                    raise Failure(f"make the namespace {name}: {done.stderr}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["umount", "--lazy", self.path(name)], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def run(self, name: str, *words: str, text: str | None = None) -> str:
        done = subprocess.run(["nsenter", f"--net={self.path(name)}", *words], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{' '.join(words)} in {name}: {done.stderr}")
        return done.stdout
