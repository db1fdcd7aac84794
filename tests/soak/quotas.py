"""One user opens operations without end while another works: the first is capped, the second does not notice. So are the packets that one user may
send in a second, and the bytes of his captures; and each operation that sends or captures says what it costs."""
import os
import re
import select
import socket

from daemon import ROOT, Daemon, eventually, expect, request

GROUP = "users"  # Debian's, id 100, nobody's
GID = 100
GREEDY, WORKING = 21001, 21002
QUOTA = 24
PACKETS, MEBIBYTES = 100, 32
# Which send without a cost: a question to a resolver at a time.
COSTLESS = {"dns", "resolv"}


def as_user(user: int, work) -> str:
    """What `work` returns, in a process of that user's."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        text = "failed"
        try:
            os.setgroups([GID])
            os.setgid(user)
            os.setuid(user)
            text = work()
        except Exception as fault:  # told to the parent, whatever it is
            text = f"failed: {fault!r}"
        finally:
            os.write(write_end, text.encode())
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


def first_words(connection: socket.socket) -> bytes:
    """What comes first, within five seconds; nothing where the connection ends."""
    if not select.select([connection], [], [], 5)[0]:
        return b"silence"
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


def grab(daemon: Daemon, count: int, hold) -> str:
    """Opens so many endless operations, keeps what it gets while `hold` runs, and says how often it got what."""
    kept = []
    got = {"200": 0, "429": 0, "closed": 0, "other": 0}
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(daemon.socket)
        try:
            connection.sendall(request("POST", "/v1/ping", {"from": "co1", "to": "172.18.0.250", "count": 10000, "interval_ms": 1000}))
        except BrokenPipeError:
            pass
        words = first_words(connection)
        answer = words[9:12].decode(errors="replace") if words else "closed"
        got[answer if answer in got else "other"] += 1
        if answer == "200":
            kept.append(connection)
        else:
            connection.close()
    hold()
    return " ".join(f"{name}={number}" for name, number in got.items())


def statuses(daemon: Daemon, path: str, body: dict, count: int) -> list[tuple[str, bytes]]:
    """Of so many that go on side by side, what each got."""
    kept, out = [], []
    for _ in range(count):
        connection = daemon.connect()
        connection.sendall(request("POST", path, body))
        words = first_words(connection)
        out.append((words[9:12].decode(errors="replace"), words))
        kept.append(connection)
    for connection in kept:
        connection.close()
    return out


def over(daemon: Daemon, path: str, body: dict, count: int, words: str) -> str:
    """All but the last are taken, which is one too many and is told so; "good" where that is so."""
    got = statuses(daemon, path, body, count)
    refused = got[-1][1]
    if [status for status, _ in got] != ["200"] * (count - 1) + ["429"] or b"limit_exceeded" not in refused or words.encode() not in refused:
        return f"{path} {count} times: {[status for status, _ in got]}: {refused[-300:]!r}"
    return "good"


def other_quotas() -> str:
    """At a daemon: packets a second, and captures' bytes."""
    config = (f'[access]\nobserve = ["{GROUP}"]\nprobe = ["{GROUP}"]\ncapture = ["{GROUP}"]\n[limits]\npackets_per_second = {PACKETS}\n'
              f"capture_mib = {MEBIBYTES}\n")
    echoes = {"from": "co1", "to": "172.18.0.250", "count": 10000, "interval_ms": 40}  # 25 a second
    packets = {"points": ["co1:eth0"], "filter": "tcp port 1", "duration_ms": 20_000, "buffer_kib": MEBIBYTES * 1024 // 4}
    with Daemon(config, group=GROUP) as daemon:
        for path, body, words in (("/v1/ping", echoes, f"one user may send {PACKETS}"), ("/v1/capture", packets, f"one user may have {MEBIBYTES} MiB")):
            for user in (GREEDY, WORKING):  # each has his own
                told = as_user(user, lambda: over(daemon, path, body, 5, words))  # noqa: B023
                expect(told == "good", told)
            # What he gave back he may take again.
            eventually(lambda: as_user(GREEDY, lambda: over(daemon, path, body, 5, words)) == "good", 5, f"{path}: what was given back cannot be taken again")  # noqa: B023
    return f"{PACKETS} packets a second and {MEBIBYTES} MiB of captures for each user"


def check_costs() -> int:
    """How many rows of the catalogue say what they cost: those that send or capture."""
    costing = 0
    for row in re.split(r"\bRow<\w+>\(", (ROOT / "common/api/catalogue.hpp").read_text())[1:]:
        name = row.split('"')[1]
        if re.search(r"Role::(probe|capture)\b", row.split("Kind::")[0]) and name not in COSTLESS:
            expect(".costing(" in row, f"{name} sends or captures, and the catalogue has no cost for it")
            costing += 1
    expect(costing >= 6, f"the catalogue's costs are not understood: {costing}")
    return costing


def work(daemon: Daemon, count: int) -> str:
    good = sum(daemon.ask("POST", "/v1/addresses", {"targets": ["co1", "co2"]}).error() == "" for _ in range(count))
    return f"good={good}"


def row(whole: bool) -> str:
    costing = check_costs()
    others = other_quotas()
    count = 1000 if whole else 150
    config = f'[access]\nobserve = ["{GROUP}"]\nprobe = ["{GROUP}"]\n[limits]\noperations = {QUOTA}\n'
    with Daemon(config, group=GROUP) as daemon:
        ready, go_on = os.pipe(), os.pipe()

        def hold() -> None:
            os.write(ready[1], b"x")
            os.read(go_on[0], 1)

        child = os.fork()
        if child == 0:
            os.close(go_on[1])
            text = as_user(GREEDY, lambda: grab(daemon, count, hold))
            (daemon.folder / "greedy").write_text(text)
            os._exit(0)
        os.close(go_on[0])
        try:
            expect(select.select([ready[0]], [], [], 120)[0], "the greedy one does not get along")
            served = as_user(WORKING, lambda: work(daemon, count))
        finally:
            os.close(go_on[1])
            os.waitpid(child, 0)
        greedy = (daemon.folder / "greedy").read_text()
        expect(f"200={QUOTA} " in greedy and "other=0" in greedy, f"the greedy one got {greedy}")
        expect(served == f"good={count}", f"the other one got {served} of {count}")
        eventually(lambda: as_user(GREEDY, lambda: work(daemon, 1)) == "good=1", 5, "what was given back cannot be taken again")
        return f"of {count} operations of one user {QUOTA} ran ({greedy}), of another's {count} all; {others}; {costing} operations have a cost"
