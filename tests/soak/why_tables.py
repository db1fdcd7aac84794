"""`why` leaves nothing behind in nftables, however it ends.

Many runs of it with its probe and its trace between all sorts of ends; a part of them is ended at a random moment by SIGKILL: the launcher, the
worker or the client's CLI. Afterwards there is no table of netlab's in any namespace that is involved, and the rules of each are what they were.
That its tables were there is seen meanwhile."""
import os
import random
import re
import signal
import subprocess
import threading
import time

from daemon import BUILD, HOST_NETNS, Daemon, docker, eventually, expect, status_of
from shared.lab import on_host

CONTAINERS = ["co1", "co2", "co3", "co4", "py-server1", "priv1"]
OUTSIDE = ["203.0.113.8", "203.0.113.77", "198.51.100.9"]
PORTS = ["", "", "", ":8080", ":9", ":53/udp", ":9/udp"]
VICTIMS = ["launcher", "worker", "cli"]
LIVED = 1.1  # seconds: a launcher that has lived for more than one is started again without a pause


def rules(places: dict[str, str]) -> dict[str, str]:
    """Of each namespace, of all kinds, without what counts packets and what says the time."""
    return {name: rules_of(path) for name, path in places.items()}


def rules_of(netns: str) -> str:
    text = on_host("nft list ruleset; iptables-nft-save; ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save", netns)
    text = re.sub(r"counter packets \d+ bytes \d+", "counter", text)
    return "\n".join(re.sub(r" \[\d+:\d+\]$", "", line) for line in text.splitlines() if not line.startswith("#"))


def namespaces() -> dict[str, str]:
    pids = docker("inspect", "-f", "{{.State.Pid}}", *CONTAINERS).split()
    return {"host": HOST_NETNS, **{name: f"/proc/{pid}/ns/net" for name, pid in zip(CONTAINERS, pids)}}


def tables_of_netlab(places: dict[str, str]) -> list[str]:
    out = []
    for name, path in places.items():
        listed = subprocess.run(["nsenter", f"--net={path}", "nft", "list", "tables"], capture_output=True, text=True)
        expect(listed.returncode == 0, f"nft list tables in {name}: {listed.stderr}")
        out += [f"{name}: {line}" for line in listed.stdout.splitlines() if line.split()[-1].startswith("netlab")]
    return out


class Sightings:
    """Counts the looks at the host in which a table of netlab's was there."""

    def __init__(self):
        self.count = 0
        self.stopping = False
        self.thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self.stopping:
            self.count += bool(tables_of_netlab({"host": HOST_NETNS}))
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()


class Runs:
    def __init__(self, daemon: Daemon):
        self.daemon = daemon
        self.choice = random.Random(6)
        self.killed = dict.fromkeys(VICTIMS, 0)
        self.verdicts: dict[str, int] = {}
        self.launcher_since = time.monotonic()

    def question(self) -> list[str]:
        start = self.choice.choice([*CONTAINERS, "host"])
        end = self.choice.choice([end for end in [*CONTAINERS, "host", *OUTSIDE] if end != start])
        return [start, end + self.choice.choice(PORTS), "-W", "0.5", "-j"]

    def start(self, question: list[str]) -> subprocess.Popen:
        return subprocess.Popen([str(BUILD / "cli/netlab"), "why", *question], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, "NETLAB_HOST": f"unix://{self.daemon.socket}"})

    def to_its_end(self) -> None:
        question = self.question()
        with self.start(question) as running:
            out = running.communicate(timeout=90)[0]
        found = re.search(r'"verdict": *"(\w+)"', out)
        expect(running.returncode in (0, 1) and found, f"why {' '.join(question)}: {running.returncode}: {out[-400:]}")
        self.verdicts[found[1]] = self.verdicts.get(found[1], 0) + 1

    def killed_one(self, victim: str) -> None:
        if victim == "launcher":
            time.sleep(max(0.0, self.launcher_since + LIVED - time.monotonic()))
        launcher = self.daemon.child("nl:launcher")
        with self.start(self.question()) as running:
            eventually(lambda: self.worker() or running.poll() is not None, 10, "why has no worker")
            time.sleep(self.choice.random() * 0.4 * self.choice.random())
            pid = {"launcher": launcher, "worker": self.worker(), "cli": running.pid if running.poll() is None else 0}[victim]
            if pid:  # else it had ended before its moment: that is no kill
                os.kill(pid, signal.SIGKILL)
                self.killed[victim] += 1
            running.communicate(timeout=90)
        if victim == "launcher":
            eventually(lambda: self.daemon.child("nl:launcher") not in (0, launcher), 10, "there is no other launcher")
            self.launcher_since = time.monotonic()

    def worker(self) -> int:
        return next((pid for pid in self.daemon.workers() if status_of(pid, "Name") == "nl:why"), 0)


def row(whole: bool) -> str:
    total, kills = (500, 100) if whole else (40, 12)
    places = namespaces()
    expect(not tables_of_netlab(places), f"there are tables already: {tables_of_netlab(places)}")
    before = rules(places)
    with Daemon() as daemon, Sightings() as sightings:
        runs = Runs(daemon)
        done = 0
        while done < total - kills or sum(runs.killed.values()) < kills:
            if sum(runs.killed.values()) * (total - kills) < done * kills or done == total - kills:
                # By turns; one that had ended by itself before its moment is tried again.
                runs.killed_one(VICTIMS[sum(runs.killed.values()) % len(VICTIMS)])
                eventually(lambda: not tables_of_netlab(places), 2, "a table is left behind")
            else:
                runs.to_its_end()
                done += 1
        eventually(lambda: runs.worker() == 0, 5, "a worker of why is left")
    left = tables_of_netlab(places)
    expect(not left, f"tables are left behind: {left}")
    for name, after in rules(places).items():
        expect(before[name] == after, f"the rules of {name} have changed:\n{before[name]}\n---\n{after}")
    expect(sightings.count > 0, "its tables were never seen")
    killed = ", ".join(f"{victim} {count}" for victim, count in runs.killed.items())
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in sorted(runs.verdicts.items()))
    return (f"{done} runs to their end ({verdicts}) and {sum(runs.killed.values())} killed ({killed}); a table was seen in {sightings.count} looks, "
            f"none is left in {len(places)} namespaces, the rules of each are the same")
