"""What the benchmarks share: a lab and a netlabd of their own, and commands that are run in turn with their peers."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NETLAB = str(ROOT / "build/release/cli/netlab")
NETLABD = str(ROOT / "build/release/daemon/netlabd")
LAB = str(ROOT / "tests/lab/lab")
NAME = "bench"
STATE = pathlib.Path("/run/netlab-bench")
DOCKER = f"unix:///run/netlab-lab/{NAME}/docker.sock"

environment = dict(os.environ, NETLAB_LAB=NAME, NETLAB_HOST=f"unix://{STATE}/netlabd.sock", DOCKER_HOST=DOCKER)


def say(text: str) -> None:
    print(text, flush=True)


def once(words: list[str]) -> float:
    """Seconds from start to end of a whole process; it must end with 0."""
    before = time.perf_counter()
    done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, close_fds=False)
    took = time.perf_counter() - before
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.decode()}")
    return took


def side_by_side(title: str, commands: dict[str, list[str]], runs: int) -> None:
    """Runs the commands in turn, A B C A B C …, and prints medians and the ratio of the first to each other."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for words in commands.values():
        once(words)
    for _ in range(runs):
        for name, words in commands.items():
            times[name].append(once(words))
    say(f"\n{title} ({runs} runs each, in turn)")
    first = next(iter(commands))
    for name in commands:
        ordered = sorted(times[name])
        ratio = ""
        if name != first:
            pairs = statistics.median(a / b for a, b in zip(times[first], times[name]))
            ratio = f"   {first} / {name} = {pairs:.2f}"
        say(f"  {name:14} median {statistics.median(ordered) * 1e3:8.2f} ms   min {ordered[0] * 1e3:8.2f}"
            f"   max {ordered[-1] * 1e3:8.2f}{ratio}")


def output(words: list[str]) -> str:
    return subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout


def inspect(container: str, template: str) -> str:
    return output(["docker", "-H", DOCKER, "inspect", "-f", template, container]).strip()


def children(pid: int) -> dict[str, int]:
    found = {}
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[pathlib.Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
    return found


def private_kib(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(match) for match in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", text, re.M))


def start_daemon() -> subprocess.Popen:
    STATE.mkdir(exist_ok=True)
    (STATE / "netlabd.toml").write_text(f'''[listen]
socket = "{STATE}/netlabd.sock"
group = "root"
[engines]
docker = ["{DOCKER}"]
podman = []
[process]
user = "nobody"
[log]
level = "warn"
''')
    daemon = subprocess.Popen(["nsenter", f"--net=/run/netns/{NAME}host", NETLABD, "--config", f"{STATE}/netlabd.toml"],
                              stderr=open(STATE / "netlabd.log", "w"))
    for _ in range(200):
        if subprocess.run([NETLAB, "ls"], env=environment, capture_output=True).returncode == 0:
            return daemon
        time.sleep(0.05)
    daemon.terminate()
    sys.exit(f"netlabd does not start: {(STATE / 'netlabd.log').read_text()}")


def need_release() -> None:
    if not os.access(NETLABD, os.X_OK):
        sys.exit("build the release preset first: cmake --preset release && cmake --build --preset release")
