"""Row 11: a container, a named namespace and the host itself whose names and files are hostile: escapes, C1, bidi controls, bytes that are no UTF-8, every
byte in a file's name, links that lead out, loops, pipes, devices, 10 GiB. Nothing of the host's files is told, every JSON answer is valid UTF-8 and JSON,
what the CLI prints has no control character, and everything answers in time."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unicodedata

from daemon import HOST_NETNS, INSTANCE, Daemon, docker, eventually, expect, operations

NAME = "soak-hostile"
MARKER = "netlab-soak-leaked"
SECONDS = 5  # for an answer; a probe has its own waiting besides
ESCAPES = [b"\x1b]0;x\x07", b"\x1b[31mred", b"\x9b31mc1", "\u009b31m".encode(), "\u202eevil".encode(), "\u2066b\u2069".encode(), b"\xff\xfe\xc0\xaf", b"\x01\x7f\x08",
           b"%s%n%p", "\u2028".encode() + b"q", b"\xed\xa0\x80x", b"'\"`$(x)\\", "\u200f\u061c".encode(), b"-rf", b"..", b"x@if2"]
ALL_BYTES = bytes(byte for byte in range(1, 256) if byte != ord("/"))
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def sh(*words: str | bytes, stdin: bytes | None = None, check: bool = True) -> bytes:
    done = subprocess.run(words, input=stdin, capture_output=True)
    expect(not check or done.returncode == 0, f"{words}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def row(whole: bool) -> str:
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="netlab-soak-names-")))
        folder.chmod(0o755)
        (folder / "marker").write_text(f"nameserver 192.0.2.66\nsearch {MARKER}\n192.0.2.66 {MARKER} co2\n")
        pid = stack.enter_context(container())
        names = spoil_namespace(f"--net=/proc/{pid}/ns/net")
        stack.enter_context(spoiled_host())
        rules = spoil_rules(f"--net=/proc/{pid}/ns/net")
        stack.enter_context(process(pid))
        directory = stack.enter_context(namespaces(folder / "netns"))
        daemon = stack.enter_context(Daemon(netns_dirs=str(directory)))
        eventually(lambda: len(daemon.ask("GET", "/v1/targets").body) > 3_000 and NAME.encode() in daemon.ask("GET", "/v1/targets").body, 10, "no targets")
        check = Check(daemon, whole)
        check.every_operation(NAME)
        check.every_operation("host")
        check.every_command(NAME)
        check.every_command("host")
        check.named_namespaces()
        before = check.answers
        for variant in FILES:
            spoil_files(pid, FILES[variant], folder)
            check.what_reads_files(variant)
        expect(not check.problems, "; ".join(check.problems[:20]))
        expect(not check.not_seen(names) and check.comm_seen, f"not all that is hostile was shown: {check.not_seen(names)}, {check.comm_seen}")
        return (f"{check.answers} answers and outputs ({check.answers - before} with {len(FILES)} kinds of files), {len(names)} interface names, {rules} hostile "
                f"rules and tables, {check.namespaces} namespace names with all bytes: nothing leaked, longest {check.longest:.1f} s ({check.longest_what})")


@contextlib.contextmanager
def container():
    """Its PID. What an engine lets pass is in its labels; its hostname is set behind the engine's back."""
    docker("rm", "-f", NAME, check=False)
    labels = [word for number, escape in enumerate(ESCAPES) for word in ("--label", f"l{number}={escape.decode(errors='replace')}")]
    labels += ["--label", "com.docker.compose.service=\x1b]0;x\x07\u202e", "--label", "com.docker.compose.project=\u009b31m"]
    docker("run", "-d", "--name", NAME, "--network", "net", *labels, "--network-alias", "x\x1b[31m\u202e", "lab/busybox", "sleep", "2147483647")
    try:
        pid = int(docker("inspect", "-f", "{{.State.Pid}}", NAME))
        sh("nsenter", "-t", str(pid), "-u", "python3", "-c", r"import socket; socket.sethostname(b'h\x1b]0;x\x07\x9b\xff')")
        yield pid
    finally:
        docker("rm", "-f", NAME, check=False)


def spoil_namespace(where: str) -> list[bytes]:
    """Bridges and veths by these names; each with an alias, an address, a route, a neighbour."""
    pieces = [name for name in ESCAPES if name != b".."] + [ALL_BYTES[at:at + 14] for at in range(0, 254, 14)]
    names = [bytes(byte for byte in piece if may_be_in_name(byte))[:15] for piece in pieces]
    names = [name for name in names if name]
    for number, name in enumerate(names):
        kind = ["bridge", "veth"][number % 2]
        more = [b"peer", b"name", b"p" + name[:14]] if kind == "veth" else []
        sh("nsenter", where, "ip", "link", "add", "name", name, "type", kind, *more)
        sh("nsenter", where, "ip", "link", "set", "dev", name, "up", "alias", (ESCAPES[number % len(ESCAPES)] * 40)[:200])
        sh("nsenter", where, "ip", "addr", "add", f"198.18.{number}.1/24", "dev", name)
        sh("nsenter", where, "ip", "neigh", "add", f"198.18.{number}.7", "lladdr", "02:00:00:00:00:07", "dev", name)
        sh("nsenter", where, "ip", "route", "add", f"198.19.{number}.0/24", "via", f"198.18.{number}.7", "dev", name, "onlink")
        sh("nsenter", where, "ip", "rule", "add", "iif", name, "lookup", "main", "priority", str(1000 + number))
    return names


def may_be_in_name(byte: int) -> bool:
    """As dev_valid_name() of the kernel; its white space has 0xa0."""
    return byte not in b"/: \t\n\v\f\r\xa0%"


@contextlib.contextmanager
def spoiled_host():
    """A bridge by such a name on the lab's host, with a veth's end as its port."""
    bridge, port, peer = b"\x1b]0;br\x07", b"\xe2\x80\xaeport\x9b", b"\x9b31mpeer"
    where = f"--net={HOST_NETNS}"
    try:
        sh("nsenter", where, "ip", "link", "add", "name", bridge, "type", "bridge")
        sh("nsenter", where, "ip", "link", "add", "name", port, "type", "veth", "peer", "name", peer)
        sh("nsenter", where, "ip", "link", "set", "dev", port, "master", bridge, "up")
        sh("nsenter", where, "ip", "link", "set", "dev", bridge, "up")
        yield
    finally:
        sh("nsenter", where, "ip", "link", "del", "dev", bridge, check=False)
        sh("nsenter", where, "ip", "link", "del", "dev", port, check=False)


def spoil_rules(where: str) -> int:
    """nf_tables' names by JSON, where nft(8) takes any, and comments of all three kinds. How many there are."""
    count = 0
    for number, escape in enumerate(ESCAPES):
        text = escape.decode(errors="replace")
        table = {"family": "inet", "name": f"t{number}{text}"}
        chain = {"family": "inet", "table": table["name"], "name": f"c{text}", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
        rule = {"family": "inet", "table": table["name"], "chain": chain["name"], "comment": text * 5, "expr": [{"counter": None}]}
        sh("nsenter", where, "nft", "-j", "-f", "-", stdin=json.dumps({"nftables": [{"add": {"table": table}}, {"add": {"chain": chain}},
                                                                                     {"add": {"rule": rule}}]}).encode())
        for command in ("iptables-nft", "iptables-legacy"):
            sh("nsenter", where, command, "-A", "INPUT", "-s", f"198.51.100.{number}", "-m", "comment", "--comment", escape * 3, "-j", "ACCEPT")
            sh("nsenter", where, command, "-A", "INPUT", "-i", escape[:14].replace(b"/", b"_"), "-j", "LOG", "--log-prefix", b"x" + escape[:20], check=False)
        count += 3
    return count


PROCESS = r"""
import ctypes, os, socket, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(errors="surrogateescape") + b"\0", 0, 0, 0)
held = []
for number, name in enumerate(sys.argv[2:]):
    raw = name.encode(errors="surrogateescape")
    for path in (b"\0" + raw, b"\0\0" + raw, b"/tmp/netlab-soak-unix-" + raw.replace(b"/", b"_")):
        one = socket.socket(socket.AF_UNIX)
        if path[0]:
            try: os.unlink(path)
            except OSError: pass
        one.bind(path); one.listen(); held.append(one)
        if path[0]: os.unlink(path)
    tcp = socket.create_server(("0.0.0.0", 7000 + number)); held.append(tcp)
print("ready", flush=True)
time.sleep(100000)
"""


@contextlib.contextmanager
def process(pid: int):
    """In the container's network namespace, twice: its comm reads like the rest of /proc/PID/stat, or is an escape."""
    running = []
    try:
        for number, comm in enumerate([b"x) R 1 1\n1 (y", b"\x1b]0;x\x07\x9b\xe2\x80\xae"]):
            where = ["nsenter", "-t", str(pid), "-n"]
            one = subprocess.Popen([*where, "python3", "-c", PROCESS, comm, *(ESCAPES if number == 0 else [])], stdout=subprocess.PIPE)
            running.append(one)
            expect(one.stdout.readline() == b"ready\n", "the hostile process does not start")
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


@contextlib.contextmanager
def namespaces(directory: pathlib.Path):
    """A folder of named namespaces whose files have every byte that a name can have, beside a pipe, a loop, a link and a plain file."""
    directory.mkdir()
    where = os.fsencode(directory)
    names = [ALL_BYTES[at:at + 60] for at in range(0, len(ALL_BYTES), 60)] + [b"z" + escape for escape in ESCAPES] + [b"n" * 255]
    try:
        for name in names:
            pathlib.Path(os.fsdecode(where + b"/" + name)).touch()
            sh("mount", "--bind", f"/run/netns/{INSTANCE}-blue", where + b"/" + name)
        (directory / "plain\x1b[31m").write_text(MARKER)
        os.mkfifo(directory / "pipe\u202e")
        (directory / "loop").symlink_to("loop")
        (directory / "out\x07").symlink_to("/etc/shadow")
        (directory / "folder\u009b").mkdir()
        yield directory
    finally:
        for name in names:
            sh("umount", "-l", where + b"/" + name, check=False)


ESCAPED = b"nameserver 127.0.0.11\nsearch \x1b]0;x\x07.example \x9b31m \xe2\x80\xaename \xff\xfe\nnameserver \x1b[31m\noptions ndots:999999999999 \xc2\x9bx\n"
HOSTS = b"127.0.0.1 \x1b]0;x\x07 \xff\xfe \xe2\x80\xaename \x9b31m\n\x1b[2J co2\n::1 " + b"l" * 5_000 + b"\n"
# What is done in the container for both files, F; M is the marker's path on the host. None: plain content.
FILES = {
    "escapes": None, "link to /etc/shadow": "ln -s /etc/shadow $F", "link to the host's file": "ln -s $M $F", "link upwards": "ln -s ../../../../../../..$M $F",
    "link through /proc/1/root": "ln -s /proc/1/root$M $F", "link through /proc/self/fd": "ln -s /proc/self/fd/3 $F", "link through /proc/self/cwd": "ln -s /proc/self/cwd/..$M $F",
    "loop": "ln -s $F $F", "two that loop": "ln -s $F.b $F; ln -sf $F $F.b", "pipe": "mkfifo $F", "/dev/zero": "mknod $F c 1 5", "/dev/mem": "mknod $F c 1 1",
    "terminal": "mknod $F c 5 0", "folder": "mkdir $F", "10 GiB": "dd if=/dev/null of=$F bs=1 seek=10737418240", "nothing": "true", "dangling": "ln -s /nowhere $F",
    "one line of 8 MiB": "yes nameserver | tr -d '\\n' | head -c 8388608 > $F"}


def spoil_files(pid: int, script: str | None, folder: pathlib.Path) -> None:
    for file in ("/etc/resolv.conf", "/etc/hosts"):
        # Not docker exec: what the engine has mounted over the files is to go.
        begin = f"F={file}; M={folder}/marker; umount $F 2>/dev/null; rm -rf $F; "
        sh("nsenter", "-t", str(pid), "-m", "/bin/busybox", "sh", "-c", begin + (script or "cat > $F"), stdin=ESCAPED if "resolv" in file else HOSTS)


class Check:
    """Asks, and notes what is wrong with what comes."""

    def __init__(self, daemon: Daemon, whole: bool):
        self.daemon = daemon
        self.whole = whole
        self.problems: list[str] = []
        self.answers = 0
        self.namespaces = 0
        self.longest = 0.0
        self.longest_what = ""
        self.links_seen: set[str] = set()
        self.comm_seen = False

    def note(self, condition: object, problem: str) -> None:
        if not condition:
            self.problems.append(problem)

    def timed(self, what: str, work, patience: float):
        begin = time.monotonic()
        try:
            done = work()
        except (TimeoutError, subprocess.TimeoutExpired):
            self.problems.append(f"{what}: no answer")
            return None
        took = time.monotonic() - begin
        self.answers += 1
        if took > self.longest:
            self.longest, self.longest_what = took, what
        self.note(took < patience, f"{what}: took {took:.1f} s")
        return done

    def every_operation(self, target: str) -> None:
        for operation in operations():
            members = about(operation, target)
            answer = self.timed(f"{operation.name} {target}", lambda o=operation, m=members: self.daemon.run(o, 20, **m), patience(operation))
            if answer is not None:
                self.answer(operation, f"{operation.name} {target}", answer)
                self.links_seen |= {one["name"] for one in ndjson(answer) if one["type"] == "link"} if operation.name == "links" else set()
                self.comm_seen |= operation.name == "processes" and b"x) R 1 1" in answer.body

    def answer(self, operation, what: str, answer) -> None:
        self.note(MARKER.encode() not in answer.raw, f"{what}: tells the host's file: {answer.body[:300]!r}")
        self.note(b"root:" not in answer.raw, f"{what}: tells /etc/shadow: {answer.body[:300]!r}")
        # A resolv.conf that netlab does not open is told with what it is.
        unread = answer.error() == "operation_failed" and b"/etc/resolv.conf is " in answer.raw
        self.note(answer.status in (200, 400, 404, 409, 422) or answer.error() == "timed_out" or unread, f"{what}: {answer.status} {answer.body[:300]!r}")
        if "pcapng" in answer.kind:
            return
        try:
            text = answer.body.decode()
            for line in text.rstrip("\n").split("\n") if operation.stream else [text]:  # not splitlines(): U+2028 ends no line of NDJSON
                json.loads(line)
        except ValueError as error:
            self.problems.append(f"{what}: not valid: {error}: {answer.body[:300]!r}")

    def not_seen(self, names: list[bytes]) -> list[bytes]:
        """Those of the interfaces' names, as far as they are UTF-8, that no row of `links` has."""
        return [name for name in names if "\ufffd" not in name.decode(errors="replace") and name.decode() not in self.links_seen]

    def every_command(self, target: str) -> None:
        helped = self.daemon.netlab("--help", text=True).stdout
        commands = re.findall(r"(?m)^  ([a-z]+)  ", helped.split("Commands:")[1])
        for command in commands:
            expect(command in COMMANDS, f"netlab {command} is a command that this row does not know: give it words in COMMANDS")
            for form in ("table", "wide") if self.whole or target == NAME else ("wide",):
                for words in COMMANDS[command](target):
                    self.command(f"netlab {command} {' '.join(words)} -o {form}", [command, *words, *(["-o", form] if command != "capture" else [])])

    def command(self, what: str, words: list[str]) -> None:
        done = self.timed(what, lambda: self.daemon.netlab(*words, timeout=20), SECONDS + 5)
        if done is None:
            return
        self.note(done.returncode >= 0 and b"Sanitizer" not in done.stderr, f"{what}: ends with {done.returncode}: {done.stderr[-500:]!r}")
        for name, output in (("stdout", done.stdout), ("stderr", done.stderr)):
            self.note(MARKER.encode() not in output, f"{what}: tells the host's file")
            try:
                text = output.decode()
            except ValueError as error:
                self.problems.append(f"{what}: {name}: {error}")
                continue
            bad = [character for character in text if character not in "\n\t" and (unicodedata.category(character) == "Cc" or character in BIDI)]
            line = next((line for line in text.split("\n") if bad and bad[0] in line), "")
            self.note(not bad, f"{what}: {name} has {sorted(set(bad))!r}: {line[:200]!r}")

    def named_namespaces(self) -> None:
        """Each that is a target answers by the name that the list has for it, or says why not."""
        targets = json.loads(self.daemon.ask("GET", "/v1/targets").body)
        named = [target["name"] for target in targets if target["runtime"] == "netns"]
        self.namespaces = len(named)
        expect(len(named) > len(ESCAPES), f"only {len(named)} named namespaces: {named}")
        for name in named:
            for word in (name, f"netns:{name}") if self.whole else (f"netns:{name}",):
                answer = self.timed(f"links of {word!r}", lambda w=word: self.daemon.ask("POST", "/v1/links", {"targets": [w]}), SECONDS)
                self.note(answer is not None and answer.status in (200, 400, 404, 409, 413), f"links of {word!r}: {answer and answer.body[:200]}")
                self.command(f"netlab addrs {word!r}", ["addrs", "--", word])

    def what_reads_files(self, variant: str) -> None:
        for operation in operations():
            if operation.body is None or "from" not in operation.body or not (self.whole or operation.name in ("resolv", "dns")):
                continue
            members = about(operation, NAME)
            answer = self.timed(f"{operation.name} with {variant}", lambda o=operation, m=members: self.daemon.run(o, 20, **m), patience(operation))
            if answer is not None:
                self.answer(operation, f"{operation.name} with {variant}", answer)
        asking = [["resolv", "-W", "0.3", NAME], ["dns", "-W", "0.3", NAME, "co2"], ["ping", "-c1", "-W", "0.3", NAME, "co2"]]
        for words in asking if self.whole else asking[:1]:
            self.command(f"netlab {' '.join(words)} with {variant}", words)


def ndjson(answer) -> list[dict]:
    return [json.loads(line) for line in answer.body.decode().rstrip("\n").split("\n")]


def about(operation, target: str) -> dict:
    """Members that have the operation look at `target`, and end soon."""
    members: dict = {}
    body = operation.body or {}
    if "targets" in body:
        members["targets"] = [target, "co2"]
    for name in ("from", "target"):
        if name in body or (name == "target" and operation.name.startswith("conntrack")):
            members[name] = target
    if operation.role == "capture":
        members |= {"points": [f"{target}:any"], "duration_ms": 100}
    if operation.name == "conntrack_events":
        members["duration_ms"] = 100
    if operation.name in ("ping", "dns", "connect", "resolv", "why"):
        members["wait_ms"] = 300
    if operation.name in ("ping", "connect"):
        members["count"] = 1
    if target == "host" and operation.name in ("ping", "connect", "why"):
        members["address"] = True  # the machine's own resolver is not what this is about
    if operation.name == "sockets":
        members |= {"show": "all", "memory": True, "tcp_info": True}
    if operation.name == "bridges":
        members["fdb"] = True
    return members


def patience(operation) -> float:
    """Who asks a resolver asks each server for each search domain."""
    return SECONDS + (10 if operation.body and "from" in operation.body else 0)


def _address(target: str) -> list[str]:
    return ["--address"] if target == "host" else []


def _inspection(*more: str):
    return lambda target: [[target, *more]]


COMMANDS = {
    "addrs": _inspection(), "bridges": lambda target: [[target], [target, "--fdb"]], "capture": lambda target: [["--for", "0.1", f"{target}:any"]],
    "connect": lambda target: [["-W", "0.3", "-c1", *_address(target), target, "co2:9"]], "conntrack": _inspection(), "dns": lambda target: [["-W", "0.3", target, "co2"]],
    "firewall": _inspection(), "links": _inspection(), "ls": lambda target: [[]], "nat": _inspection(), "neigh": _inspection(), "networks": lambda target: [[]],
    "ping": lambda target: [["-c1", "-W", "0.3", *_address(target), target, "co2"]], "ports": _inspection(), "ps": _inspection(), "resolv": lambda target: [["-W", "0.3", target]],
    "route": lambda target: [[target, "198.19.3.9"], [target, "203.0.113.8"]], "routes": _inspection(), "rules": _inspection(),
    "sockets": lambda target: [[target, "-a"], [target, "-apim"]], "ss": _inspection("-a"), "sysctls": _inspection(), "version": lambda target: [[]],
    "why": lambda target: [["-W", "0.3", *_address(target), target, "co2"]]}
