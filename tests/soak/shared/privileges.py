"""What a process may do and what it holds, as the kernel says it."""
import os
import pathlib
import re

from daemon import NOBODY, SANITIZED

FIVE_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
FOUR_IDS = "\t".join([str(NOBODY)] * 4)
UNLIMITED = "unlimited"


def status(folder: str) -> dict[str, str]:
    """Of /proc/PID or /proc/PID/task/TID; {} where it has ended."""
    try:
        text = pathlib.Path(folder, "status").read_text()
    except OSError:
        return {}
    seen = dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", text, re.M))
    return {} if seen["State"].startswith(("Z", "X")) else seen


def faults(seen: dict[str, str], capabilities: int) -> list[str]:
    """Of a status: what it has and should not have, where nothing but these capabilities is to be left."""
    wanted = {name: capabilities if name in ("CapPrm", "CapEff") else 0 for name in FIVE_SETS}
    out = [f"{name} {seen[name]}" for name, value in wanted.items() if int(seen[name], 16) != value]
    exact = {"NoNewPrivs": "1", "Uid": FOUR_IDS, "Gid": FOUR_IDS, "Groups": ""}
    return out + [f"{name} '{seen[name]}'" for name, value in exact.items() if seen[name] != value]


def limits(pid: int) -> dict[str, tuple[str, str]]:
    """Soft and hard, by the kernel's names; {} where it has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return {}
    return {found[1]: (found[2], found[3]) for found in re.finditer(r"^(Max [a-z ]+?) {2,}(\w+) +(\w+)", text, re.M)}


def limit_faults(pid: int, cpu_seconds: int, address_space: int, descriptors: int) -> list[str]:
    """Where its limits are others than these; cpu_seconds 0: none of the processor's time."""
    seen = limits(pid)
    cpu = (str(cpu_seconds), str(cpu_seconds + 1)) if cpu_seconds else (UNLIMITED, UNLIMITED)
    wanted = {"Max cpu time": cpu, "Max open files": (str(descriptors),) * 2, "Max core file size": ("0", "0")}
    if not SANITIZED:  # whose shadow memory is larger than any limit
        wanted["Max address space"] = (str(address_space),) * 2
    return [f"{name} {seen[name]}, not {value}" for name, value in wanted.items() if seen and seen[name] != value]


def descriptors(pid: int) -> dict[int, str]:
    """What each is, as readlink(2) has it: `socket:[INODE]`, a path, ...; those that were closed meanwhile are left out."""
    out = {}
    try:
        for one in os.scandir(f"/proc/{pid}/fd"):
            try:
                out[int(one.name)] = os.readlink(one.path)
            except FileNotFoundError:
                continue
    except OSError:
        pass
    return out


def private(held: dict[int, str]) -> set[str]:
    """Of descriptors: sockets and pipes, which are one's own or somebody's."""
    return {link for link in held.values() if link.startswith(("socket:", "pipe:"))}


def descriptor_faults(held: dict[int, str], log: str = "", networks: bool = False) -> list[str]:
    """Standard streams that lead somewhere, but for a sanitizer's reports to `log`; and ways into a namespace, network namespaces with `networks`
    excepted."""
    out = [f"{number} is {held.get(number)}" for number in (0, 1, 2)
           if held.get(number) != "/dev/null" and not (SANITIZED and number == 2 and held.get(number) == log)]
    kinds = "mnt|pid|user|cgroup|ipc|uts|time" + ("" if networks else "|net")
    return out + [f"{number} is {link}" for number, link in held.items() if re.match(rf"(?:{kinds})\w*:\[", link)]
