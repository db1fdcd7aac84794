"""What the rows of the soak have in common: a netlabd of their own in a lab that is up, its processes, requests, every documented operation."""
import functools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("NETLAB_BUILD", ROOT / "build/asan-ubsan"))
SANITIZED = b"__asan_init" in (BUILD / "daemon/netlabd").read_bytes()[:64 << 20]
# What a row's figures say where its bound is wider for that.
WIDER = ", wider for the sanitizers: the issue's is held by a build without (NETLAB_BUILD)" if SANITIZED else ""
INSTANCE = os.environ.get("NETLAB_LAB", "lab")
HOST_NETNS = f"/run/netns/{INSTANCE}host"
ENGINE = f"unix:///run/netlab-lab/{INSTANCE}/docker.sock"
NOBODY = 65534


class Failure(Exception):
    """What the row wanted does not hold."""


def expect(condition: object, message: str) -> None:
    if not condition:
        raise Failure(message)


def eventually(condition, seconds: float, message: str) -> float:
    """Waits until `condition` holds; how long that took, in seconds."""
    begin = time.monotonic()
    while not condition():
        expect(time.monotonic() - begin < seconds, f"{message} (not within {seconds} s)")
        time.sleep(0.005)
    return time.monotonic() - begin


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", "-H", ENGINE, *words], capture_output=True, text=True)
    expect(not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def status_of(pid: int, name: str) -> str:
    """The value of NAME in /proc/PID/status, "" where there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    found = re.search(rf"^{name}:\s*(.*)$", text, re.M)
    return found.group(1).strip() if found else ""


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Answer:
    """The answer to one request, as far as it came."""

    def __init__(self, raw: bytes):
        self.raw = raw
        head, _, body = raw.partition(b"\r\n\r\n")
        found = re.match(rb"HTTP/1\.1 (\d{3})", head)
        self.status = int(found.group(1)) if found else 0
        self.kind = (re.search(rb"(?im)^content-type: *([^\r]+)", head) or [b"", b""])[1].decode()
        chunked = re.search(rb"(?im)^transfer-encoding: *chunked", head) is not None
        self.whole = False  # it came to its end
        self.body = self._chunks(body) if chunked else body
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        if length:
            self.whole = len(body) == int(length[1])

    def _chunks(self, body: bytes) -> bytes:
        out = []
        at = 0  # by places, not by pieces: a stream that went on for minutes has tens of thousands of chunks
        while (mark := body.find(b"\r\n", at)) >= 0 and re.fullmatch(rb"[0-9a-fA-F]+", body[at:mark]):
            count = int(body[at:mark], 16)
            if count == 0:
                self.whole = True
                break
            out.append(body[mark + 2:mark + 2 + count])
            at = mark + 2 + count + 2
        return b"".join(out)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.body.splitlines()]

    def error(self) -> str:
        """The code of the error that it is or ends with; "" where there is none."""
        if not self.kind.startswith("application/") or "pcapng" in self.kind or not self.body:
            return ""
        try:
            last = self.lines()[-1]
        except ValueError:
            return "unreadable"
        return last.get("error", {}).get("code", "") if isinstance(last, dict) else ""


class Operation:
    """One documented operation, with a request that is taken."""

    def __init__(self, path: str, verb: str, role: str, body: dict | None, stream: bool):
        self.path = path
        self.verb = verb
        self.role = role
        self.body = body
        self.stream = stream  # from a worker

    @property
    def name(self) -> str:
        return self.path.removeprefix("/v1/").replace("/", "_")


@functools.cache
def document() -> dict:
    """docs/openapi.yaml. In Python alone a second's work, so libyaml does it where it is there."""
    return yaml.load((ROOT / "docs/openapi.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def operations() -> list[Operation]:
    """All that docs/openapi.yaml has, which tests/docker/openapi_check holds against the daemon: an operation that is added is among them. A
    request has the examples of the members that it must have, and as targets co1 and co2."""
    out = []
    for path, verbs in document()["paths"].items():
        for verb, operation in verbs.items():
            body = None
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
                body = {name: schema["properties"][name]["example"] for name in schema.get("required", [])}
                if "targets" in schema["properties"]:
                    body["targets"] = ["co1", "co2"]
            kinds = operation["responses"]["200"]["content"]
            out.append(Operation(path, verb.upper(), operation["x-role"], body, "application/json" not in kinds))
    return out


class Daemon:
    """A netlabd of the row's own on the lab's host, or in the namespace of the file `host`, in a folder of its own (in `parent`); `with` ends it."""

    def __init__(self, config: str = "", prefix: list[str] | None = None, group: str = "root", mode: str = "0660",
                 netns_dirs: str = "/run/netns", parent: str | None = None, program: str = str(BUILD / "daemon/netlabd"), stderr=None,
                 host: str = HOST_NETNS):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="netlab-soak-", dir=parent))
        self.folder.chmod(0o755)
        self.socket = str(self.folder / "netlabd.sock")
        self.log_file = self.folder / "log"
        (self.folder / "netlabd.toml").write_text(
            f'[listen]\nsocket = "{self.socket}"\ngroup = "{group}"\nmode = "{mode}"\n[engines]\ndocker = ["{ENGINE}"]\npodman = []\n'
            f'netns_dirs = ["{netns_dirs}"]\n[process]\nuser = "nobody"\n{config}')
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(["nsenter", f"--net={host}", *(prefix or []), program, "--config",
                                             str(self.folder / "netlabd.toml")], stdout=log, stderr=stderr or log, stdin=subprocess.DEVNULL)
        try:
            eventually(self._serves, 15, "netlabd does not start")
        except Failure as failure:
            self.process.kill()
            raise Failure(f"{failure}: {self.log()}") from None

    def _serves(self) -> bool:
        expect(self.process.poll() is None, "netlabd ended")
        try:
            return self.ask("GET", "/v1/version").status == 200
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("netlabd does not end") from None
        finally:
            log = self.log()
            shutil.rmtree(self.folder, ignore_errors=True)
        expect("Sanitizer" not in log and "runtime error" not in log, f"a sanitizer has something to say: {log[-4000:]}")

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def child(self, name: str) -> int:
        """The PID of nl:front or nl:launcher, 0 where there is none just now."""
        for _ in range(3):  # the kernel's list of children may leave some out while others of them end
            for pid in children_of(self.process.pid):
                if status_of(pid, "Name") == name:
                    return pid
        return 0

    def workers(self) -> list[int]:
        return children_of(self.child("nl:launcher"))

    def connect(self, patience: float = 30) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(patience)
        try:
            connection.connect(self.socket)
        except OSError:
            connection.close()
            raise
        return connection

    def raw(self, request: bytes, patience: float = 30) -> Answer:
        """What comes until the daemon closes; after `patience` seconds of silence a TimeoutError."""
        with self.connect(patience) as connection:
            out = b""
            try:
                connection.sendall(request)
                while piece := connection.recv(65536):
                    out += piece
            except (BrokenPipeError, ConnectionResetError):
                pass
            return Answer(out)

    def ask(self, verb: str, path: str, body: dict | None = None, patience: float = 30) -> Answer:
        return self.raw(request(verb, path, body), patience)

    def run(self, operation: Operation, patience: float = 30, **members) -> Answer:
        body = None if operation.body is None else {**operation.body, **members}
        return self.ask(operation.verb, operation.path, body, patience)

    def netlab(self, *words: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run([str(BUILD / "cli/netlab"), *words], capture_output=True, env={**os.environ, "NETLAB_HOST": f"unix://{self.socket}"},
                              **options)


def request(verb: str, path: str, body: dict | None = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    return f"{verb} {path} HTTP/1.1\r\nHost: netlab\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
