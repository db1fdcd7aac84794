"""Row 10: addresses, links and routes that come and go while they are dumped, with receive buffers of 4 KiB. Every inspection answers within two seconds, and
where it says that it is consistent nothing is missing: each answer is held against a set that never changes."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

from daemon import INSTANCE, SANITIZED, WIDER, Daemon, expect, operations

NAMESPACE = f"{INSTANCE}-churn"
STEADY = 500
MEMORY = 4096
SECONDS = 5 if SANITIZED else 2  # of processor time sanitizers take two to three times as much, and the churn takes what there is
BATCH = 400
# An inspection's rows of the steady set: how to tell them.
STEADY_ROWS = {
    "addresses": (STEADY, lambda row: row["type"] == "address" and row["interface"] == "steady" and row["address"].startswith("198.18.")),
    "links": (STEADY // 10, lambda row: row["type"] == "link" and row["name"].startswith("keep")),
    "routes": (STEADY, lambda row: row["type"] == "route" and row["destination"].startswith("100.64.") and row.get("table") == "main"),
    "rules": (STEADY // 10, lambda row: row["type"] == "rule" and 10_000 <= row["priority"] < 10_000 + STEADY // 10),
    "neighbours": (STEADY, lambda row: row["type"] == "neighbour" and row["address"].startswith("198.19.")),
}
STEP = 1  # seconds of each inspection in the short form


def row(whole: bool) -> str:
    figures = []
    with namespace(), Daemon() as daemon:
        for memory in (None, MEMORY):
            with receive_buffers(memory), churn(4):
                counts = look(daemon, 20 if whole else STEP)
            figures.append(f"{'the usual' if memory is None else f'{memory} byte'} buffers: " + counts)
    return f"{STEADY} addresses, routes and neighbours that stay; {'; '.join(figures)}; allowed: {SECONDS} s{WIDER}"


def look(daemon: Daemon, seconds: float) -> str:
    """Asks each inspection of that namespace for so long; how often, how often marked, the longest."""
    asked = marked = failed = 0
    longest, which = 0.0, ""
    for operation in operations():
        if operation.body is None or operation.role != "observe" or not ("targets" in operation.body or "target" in operation.body):
            continue
        member = {"targets": [f"netns:{NAMESPACE}"]} if "targets" in operation.body else {"target": f"netns:{NAMESPACE}"}
        end = time.monotonic() + seconds
        while True:
            begin = time.monotonic()
            answer = daemon.run(operation, 30, **member)
            took = time.monotonic() - begin
            if took > longest:
                longest, which = took, operation.name
            expect(answer.status == 200 and answer.whole, f"{operation.name}: {answer.status} after {took:.1f} s: {answer.body[-300:]!r}")
            asked += 1
            told = check(operation.name, answer.lines())
            marked += told == "marked"
            failed += told == "failed"
            if time.monotonic() > end:
                break
    figures = f"{asked} answers, {marked} marked as not consistent, {failed} with an error, the longest {longest:.2f} s ({which})"
    expect(longest < SECONDS, figures)
    return figures


def check(name: str, rows: list[dict]) -> str:
    """How it ended; a Failure where rows of the steady set are missing and nothing says so."""
    last = rows[-1]
    if "error" in last or any(one["type"] == "failure" for one in rows):
        return "failed"
    consistent = last.get("consistent", True)
    if name in STEADY_ROWS:
        wanted, is_steady = STEADY_ROWS[name]
        have = sum(1 for one in rows if is_steady(one))
        expect(have == wanted or not consistent, f"{name}: {have} of {wanted} that never change, and it says that it is consistent")
    return "whole" if consistent else "marked"


def ip(*words: str, batch: str | None = None) -> None:
    subprocess.run(["ip", "-n", NAMESPACE, *words], input=batch, text=True, check=True, capture_output=True)


@contextlib.contextmanager
def namespace():
    """With all that stays, and two thousand addresses that are there before the churn."""
    subprocess.run(["ip", "netns", "del", NAMESPACE], capture_output=True)
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        lines = ["link set lo up", "link add steady type bridge", "link set steady up", "link add churn type bridge", "link set churn up"]
        lines += [f"link add keep{i} type bridge" for i in range(STEADY // 10)]
        lines += [f"addr add 198.18.{i // 250}.{i % 250 + 1}/32 dev steady" for i in range(STEADY)]
        lines += [f"route add 100.64.{i // 250}.{i % 250}/32 dev steady" for i in range(STEADY)]
        lines += [f"rule add from 100.65.0.{i} lookup main priority {10_000 + i}" for i in range(STEADY // 10)]
        lines += [f"neigh add 198.19.{i // 250}.{i % 250} lladdr 02:00:00:00:00:01 dev steady" for i in range(STEADY)]
        lines += [f"addr add 10.{i // 250}.0.{i % 250 + 1}/32 dev churn" for i in range(2_000)]
        ip("-batch", "-", batch="\n".join(lines) + "\n")
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], capture_output=True)


@contextlib.contextmanager
def churn(processes: int):
    """`ip -batch` in a loop: addresses, links, routes, rules and neighbours of their own that come and go."""
    script = 'while :; do ip -n "$1" -force -batch "$2" >/dev/null 2>&1; done'
    files, running = [], []
    try:
        for number in range(processes):
            file = pathlib.Path(f"/tmp/{NAMESPACE}-{number}")
            files.append(file)
            file.write_text("\n".join(line for i in range(BATCH // 5) for line in one_change(number, i)) + "\n")
            running.append(subprocess.Popen(["sh", "-c", script, "sh", NAMESPACE, str(file)], start_new_session=True))
        time.sleep(0.3)
        yield
    finally:
        for one in running:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        for file in files:
            file.unlink(missing_ok=True)


def one_change(process: int, i: int) -> list[str]:
    address, link = f"10.{100 + process}.0.{i + 1}", f"go{process}x{i % 4}"
    return [f"addr add {address}/32 dev churn", f"link add {link} type bridge", f"addr add {address}/24 dev {link}", f"link set {link} up",
            f"route add 100.66.{process}.{i}/32 dev churn", f"neigh add {address} lladdr 02:00:00:00:00:02 dev churn", f"rule add from {address} lookup main priority {20_000 + i}",
            f"rule del priority {20_000 + i}", f"neigh del {address} dev churn", f"route del 100.66.{process}.{i}/32 dev churn", f"link del {link}",
            f"addr del {address}/32 dev churn"]


@contextlib.contextmanager
def receive_buffers(size: int | None):
    """The machine's default and largest: what SO_RCVBUF is cut down to. Put back whatever happens."""
    folder = pathlib.Path("/proc/sys/net/core")
    before = {name: (folder / name).read_text() for name in ("rmem_default", "rmem_max")}
    try:
        if size is not None:
            for name in before:
                (folder / name).write_text(str(size))
        yield
    finally:
        for name, value in before.items():
            (folder / name).write_text(value)
