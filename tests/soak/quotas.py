"""One user opens operations without end while another works: the first is capped, the second does not notice."""
import os
import select
import socket

from daemon import Daemon, eventually, expect, request

GROUP = "users"  # Debian's, id 100, nobody's
GID = 100
GREEDY, WORKING = 21001, 21002
QUOTA = 24


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


def work(daemon: Daemon, count: int) -> str:
    good = sum(daemon.ask("POST", "/v1/addresses", {"targets": ["co1", "co2"]}).error() == "" for _ in range(count))
    return f"good={good}"


def row(whole: bool) -> str:
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
        return f"of {count} operations of one user {QUOTA} ran ({greedy}), of another's {count} all"
