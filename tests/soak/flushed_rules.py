"""What `why` suggests where the engine's rules have been flushed, done: the engine started again writes them anew.

FORWARD drops, and Docker's chains are gone, as after `iptables -F` of somebody else's: a container does not reach the outside, and a published
port is not reached from there. `systemctl restart docker`, which is the lab's own here, ends the containers; once they are started again both
arrive."""
import json
import subprocess

from daemon import INSTANCE, Daemon, docker, eventually, expect
from shared.lab import on_host

CONTAINERS = ["co1", "co2", "co3", "co4", "py-server1", "py-server2"]  # as the lab started them: each has its address again
OUTSIDE = f"{INSTANCE}inet"
QUESTIONS = [["co1", "203.0.113.8:80"], [f"netns:{OUTSIDE}", "198.51.100.2:8080"]]


def why(daemon: Daemon, question: list[str]) -> dict:
    done = daemon.netlab("why", "-j", *question)
    expect(done.returncode in (0, 1), f"why {' '.join(question)}: {done.stderr!r}")
    return json.loads(done.stdout.splitlines()[-1])


def outside_gets_page() -> bool:
    return subprocess.run(["ip", "netns", "exec", OUTSIDE, "curl", "-sf", "-m", "2", "-o", "/dev/null", "http://198.51.100.2:8080/"]).returncode == 0


def row(whole: bool) -> str:
    times = 5 if whole else 1
    with Daemon() as daemon:
        for question in QUESTIONS:
            eventually(lambda: why(daemon, question)["verdict"] == "delivered", 10, f"{question} is not delivered before anything is done")
        for _ in range(times):
            on_host("iptables -w -F && iptables -w -X && iptables -w -P FORWARD DROP")
            expect(not outside_gets_page(), "a published port is reached without rules")
            for question in QUESTIONS:
                report = why(daemon, question)
                expect(report["verdict"] == "dropped" and report["rule"]["chain"] == "FORWARD", f"{question}: {report}")
                expect("something has flushed them" in report["explanation"], f"{question}: {report}")
            on_host(report["suggestion"])
            for container in CONTAINERS:
                docker("start", container)
            for question in QUESTIONS:
                eventually(lambda: why(daemon, question)["verdict"] == "delivered", 10, f"{question} is not delivered, though '{report['suggestion']}' was done")
            expect(outside_gets_page(), "a published port is not reached")
    return f"{times} times flushed, '{report['suggestion']}' done as it is said, and all delivered"
