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


def is_docker_exec(words: list[str]) -> bool:
    return words[0] == "docker" and "exec" in words


def runtimes() -> set[int]:
    """The processes that the lab's engine starts to run a command in a container, and to clear away after it."""
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
        except OSError:
            continue  # it has just ended
        if name in ("runc", "crun") or name.startswith("runc:"):
            found.add(int(process.name))
    return found


def ticks() -> tuple[int, int]:
    """Of all processors since the start: not idle, and all. Waiting for a disk is idle."""
    numbers = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


def wait_for_cleared() -> None:
    """Until what a `docker exec` leaves behind is cleared away, so that it runs into nobody's time: no runc is there any more, and for a tenth
    of a second the machine does next to nothing (containerd's shim and dockerd tell each other of the end for a while)."""
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        busy, every = ticks()
        time.sleep(0.1)
        busy_now, every_now = ticks()
        if not runtimes() and busy_now - busy <= 0.05 * (every_now - every):
            return
    say("  (the machine has not become quiet within five seconds after docker exec)")


def timed(words: list[str]) -> float:
    took = once(words)
    if is_docker_exec(words):
        wait_for_cleared()
    return took


def side_by_side(title: str, commands: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Runs the commands in turn, A B C A B C …, and prints medians and the ratio of the first to each other. After a `docker exec` the next
    one waits until it is cleared away. Returns the seconds of each run, by name."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for words in commands.values():
        timed(words)
    for _ in range(runs):
        for name, words in commands.items():
            times[name].append(timed(words))
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
    return times


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
