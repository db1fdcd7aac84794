"""The audit in a real journald: each field is one of the entry's own, before the action and after it, and nothing that a client writes makes
another; what is refused is told as what it is, and to whom. The journal is one of the row's, in a mount namespace that it shares with netlabd. On
stderr, where there is no journald, each operation has the same two lines."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from daemon import NOBODY, Daemon, eventually, expect, operations, request
from shared.requests import brief

DECISION = "5b2f0c6a1d9e4c7fb3a84e0d7c61f925"
RESULT = "c0d4e7b19a3f4b62854d1f6e2a7093b8"
MACHINE = "6e65746c6e65746c6e65746c6e65746c"

MEMBER, NO_MEMBER, GREEDY, FOREIGN = 21_003, 21_004, 21_005, 21_006  # uids of no account
GROUPS = '[access]\nobserve = ["nogroup"]\nprobe = ["nogroup"]\ncapture = []\n[limits]\noperations = 1\n'
WARNING, INFO = "4", "6"
# Sends each request on a connection of its own, and hears the beginning of the answer; all stay open until the end.
CLIENT = """
import socket, sys
kept = []
for words in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX)
    kept.append(s)
    s.settimeout(5)
    s.connect(sys.argv[1])
    try:
        s.sendall(bytes.fromhex(words))
        s.recv(4096)
    except ConnectionError:
        pass
"""

BEGIN = f"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs /run/log
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
echo {MACHINE} > /run/systemd/machine-id
[ -e /etc/machine-id ] || {{ mount -t tmpfs -o size=1M tmpfs /etc; : > /etc/machine-id; }}
mount --bind /run/systemd/machine-id /etc/machine-id
printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nRateLimitIntervalSec=0\\n' > /run/systemd/journald.conf.d/lab.conf
/lib/systemd/systemd-journald >/dev/null 2>&1 &
echo $! > "$1"; shift
for i in $(seq 100); do [ -S /run/systemd/journal/socket ] && break; sleep 0.05; done
exec "$@"
"""


def entries(daemon: Daemon, message: str) -> list[dict]:
    """Of that MESSAGE_ID, oldest first; names and values as journald has them."""
    folder = f"/proc/{daemon.process.pid}/root/run/log/journal/{MACHINE}"
    done = subprocess.run(["journalctl", "-D", folder, "-o", "json", "--all", "--no-pager", f"MESSAGE_ID={message}"], capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_request(daemon: Daemon, message: str, **wanted: str) -> dict:
    """The one entry with these fields."""
    found: list[dict] = []

    def look() -> bool:
        found[:] = [entry for entry in entries(daemon, message) if all(entry.get(f"NETLAB_{name.upper()}") == value for name, value in wanted.items())]
        return bool(found)

    eventually(look, 5, f"no entry with {wanted}")
    return found[-1]


def check(daemon: Daemon) -> None:
    daemon.ask("POST", "/v1/addresses", {"targets": ["co1"]})
    decision = of_request(daemon, DECISION, op="addresses", decision="allowed")
    expect(decision["NETLAB_UID"] == "0" and decision["NETLAB_ROLE"] == "observe" and decision["NETLAB_TARGET"] == "co1", f"{decision}")
    expect(len(decision["NETLAB_ID"]) == 64 and int(decision["NETLAB_NS"]) > 0, f"which target that was is not said: {decision}")
    expect(decision["_COMM"] == "nl:front" and decision["SYSLOG_IDENTIFIER"] == "netlabd", f"{decision}")
    result = of_request(daemon, RESULT, op="addresses", req=decision["NETLAB_REQ"])
    expect(result["NETLAB_RESULT"] == "ok" and int(result["NETLAB_BYTES"]) > 100 and float(result["NETLAB_MS"]) > 0, f"{result}")
    expect(int(decision["__MONOTONIC_TIMESTAMP"]) <= int(result["__MONOTONIC_TIMESTAMP"]), "the decision comes after the result")
    daemon.ask("POST", "/v1/capture", {"points": ["co1"], "filter": "tcp port 1", "duration_ms": 200})
    expect(of_request(daemon, DECISION, op="capture")["NETLAB_FILTER"] == "tcp\\x20port\\x201", "a capture's filter is not said")
    expect("NETLAB_PACKETS" in of_request(daemon, RESULT, op="capture"), "what a capture saw is not said")
    # Behind nine times the one the other is said all the same.
    daemon.ask("POST", "/v1/routes", {"targets": ["co1"] * 9 + ["co2"]})
    several = of_request(daemon, DECISION, op="routes")
    expect(len(set(several["NETLAB_ID"])) == len(several["NETLAB_NS"]) == 2, f"which targets those were is not said: {several}")


def forge(daemon: Daemon, words: list[str]) -> int:
    """Asks with these words; the fields that anybody's entry has."""
    known = {"REQ", "UID", "PID", "OP", "ROLE", "DECISION", "TARGET", "ID", "PEER", "NS", "FILTER", "RESULT", "BYTES", "MS", "PACKETS", "DROPPED"}
    for word in words:
        daemon.ask("POST", "/v1/ping", {"from": word, "to": word, "count": 1})
        daemon.ask("POST", "/v1/capture", {"points": [word], "filter": word})
        daemon.raw(f"GET /v1/{word} HTTP/1.1\r\nHost: {word}\r\nNETLAB_UID: 0\r\nConnection: close\r\n\r\n".encode(errors="surrogateescape"))
    eventually(lambda: len(entries(daemon, DECISION)) >= 2 * len(words), 10, "the audit has not all of it")
    every = entries(daemon, DECISION) + entries(daemon, RESULT)
    for entry in every:
        own = {name.removeprefix("NETLAB_") for name in entry if name.startswith("NETLAB_")}
        expect(own <= known, f"a field that is none of ours: {own - known}")
        for name, value in entry.items():
            if name.startswith("NETLAB_") or name == "MESSAGE":
                # Of several targets each has a field of its own.
                for one in value if name in ("NETLAB_ID", "NETLAB_NS") and isinstance(value, list) else [value]:
                    expect(isinstance(one, str) and one.isascii() and one.isprintable(), f"{name}: {value!r}")
        expect(entry["NETLAB_REQ"] == entry["MESSAGE"].split()[0].removeprefix("req="), f"{entry}")
        expect("NETLAB_UID" not in entry or entry["NETLAB_UID"] == "0", f"a uid that nobody had: {entry}")
    return len(every)


def ask_as(daemon: Daemon, uid: int, *requests: bytes, gid: int = NOBODY, inside: tuple[str, ...] = ()) -> None:
    """From a process of this user's; `inside` starts it in the place where it is to be."""
    subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *inside, "/usr/bin/python3", "-I", "-c", CLIENT, daemon.socket,
                    *(words.hex() for words in requests)], check=True, timeout=30)


def refuse(daemon: Daemon) -> int:
    """Who has not the role, who has none, who has used up his quota, who lives elsewhere: each is told, by name and as what it is."""
    capture = request("POST", "/v1/capture", {"points": ["co1"], "filter": "", "duration_ms": 50})
    addresses = request("POST", "/v1/addresses", {"targets": ["co1"]})
    endless = request("POST", "/v1/ping", {"from": "co1", "to": "co2", "count": 10_000})
    ask_as(daemon, MEMBER, capture)
    ask_as(daemon, NO_MEMBER, addresses, gid=NO_MEMBER)
    ask_as(daemon, FOREIGN, addresses, inside=("unshare", "--user", "--map-root-user"))
    ask_as(daemon, GREEDY, endless, addresses)
    wanted = [(MEMBER, "permission_denied", WARNING, {"OP": "capture", "ROLE": "capture"}), (NO_MEMBER, "permission_denied", WARNING, {"OP": "addresses", "ROLE": "observe"}),
              (FOREIGN, "foreign_peer", WARNING, {}), (GREEDY, "limit_exceeded", INFO, {"OP": "addresses", "ROLE": "observe"})]
    for uid, decision, priority, fields in wanted:
        entry = of_request(daemon, DECISION, uid=str(uid), decision=decision)
        expect(entry["PRIORITY"] == priority, f"{decision}: PRIORITY {entry['PRIORITY']}, not {priority}")
        wrong = {name: entry.get(f"NETLAB_{name}") for name, value in fields.items() if entry.get(f"NETLAB_{name}") != value}
        expect(not wrong and int(entry["NETLAB_PID"]) > 0, f"{decision}: {wrong}, not {fields}: {entry}")
        results = [one for one in entries(daemon, RESULT) if one["NETLAB_REQ"] == entry["NETLAB_REQ"]]
        expect(not results, f"{decision}: refused, and has a result: {results}")
    return len(wanted)


def on_stderr() -> int:
    """Where there is no journald: before each operation a line, and after it one."""
    hidden = ["unshare", "--mount", "sh", "-c", 'mount --make-rprivate / && mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && exec "$@"', "sh"]
    with Daemon(prefix=hidden) as daemon:
        for operation in operations():
            daemon.run(operation, **brief(operation))
            lines = [dict(word.partition("=")[::2] for word in line.split() if "=" in word) for line in daemon.log().splitlines()]
            own = [line for line in lines if line.get("op") == operation.name]
            before = [line for line in own if line.get("decision") == "allowed"]
            after = [line for line in own if line.get("result")]
            expect(before and after and before[-1]["req"] == after[-1]["req"] and after[-1]["result"] == "ok", f"{operation.name} on stderr: {own}")
        return len(operations())


def hang(daemon: Daemon, journald: int) -> str:
    """journald hangs: everybody is answered, and what it did not take is counted."""
    os.kill(journald, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        answered = sum(daemon.ask("GET", "/v1/version").status == 200 for _ in range(700))
        took = time.monotonic() - begin
    finally:
        os.kill(journald, signal.SIGCONT)
    expect(answered == 700 and took < 20, f"{answered} of 700 were answered in {took:.1f} s while journald hung")
    folder = f"/proc/{daemon.process.pid}/root/run/log/journal/{MACHINE}"

    def told() -> str:
        daemon.ask("GET", "/v1/version")
        done = subprocess.run(["journalctl", "-D", folder, "-o", "cat", "--no-pager", "PRIORITY=3"], capture_output=True, text=True)
        return "".join(line for line in done.stdout.splitlines() if "entries of the audit were lost" in line)

    eventually(told, 10, "what was lost is not told")
    return told().split(":")[0]


def clogged() -> int:
    """Where stderr is a stream that nobody reads, as a hanging journald's: how many were answered."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.send(b"x" * 4096)
        theirs.setblocking(True)
        with Daemon(stderr=theirs) as daemon:
            return sum(daemon.ask("GET", "/v1/version").status == 200 for _ in range(100))


def row(whole: bool) -> str:
    words = ["co1\nNETLAB_UID=77", "co1 uid=77 decision=allowed", "MESSAGE_ID=x", "\x1b]0;title\x07", "\u202eco1", "a" * 3000, "\\x0a", "\"=\""]
    words += [chr(code) for code in range(1, 256)] if whole else [chr(code) for code in range(1, 256, 9)]
    with tempfile.TemporaryDirectory(prefix="netlab-journal-") as folder:
        pid_file = pathlib.Path(folder) / "pid"
        try:
            with Daemon(GROUPS, mode="0666", prefix=["unshare", "--mount", "bash", "-c", BEGIN, "journal", str(pid_file)]) as daemon:
                check(daemon)
                count = forge(daemon, words)
                refused = refuse(daemon)
                lost = hang(daemon, int(pid_file.read_text()))
                answered = clogged()
                expect(answered == 100, f"{answered} of 100 were answered while stderr took nothing")
            told = on_stderr()
        finally:
            if pid_file.exists():
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
    return (f"{count} entries of {len(words)} hostile words, none with a field or a value that is not netlabd's own; {refused} kinds of refusals, each told; "
            f"two lines on stderr for each of {told} operations; while journald hung all were answered, and {lost}")
