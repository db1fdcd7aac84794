"""One capability is missing. Without one that every operation needs, or that root takes to start the others as another user, netlabd does not start, and says
which; without another of the five it warns of it by
name, and exactly the operations that need it fail, with an error that names it. Which need it is read off the source: Needs of each operation, joined
to the catalogue; and the table of docs/security.md says the same."""
import re
import subprocess

from daemon import BUILD, ROOT, Daemon, Failure, expect, operations
from shared.needs import Needs, needs

OF_ALL = ["SYS_ADMIN", "SYS_PTRACE", "SETUID", "SETGID", "SETPCAP", "KILL"]
OF_SOME = ["DAC_READ_SEARCH", "NET_ADMIN", "NET_RAW"]
CODES = {"operation_failed"}


def row(whole: bool) -> str:
    problems, counts = table_problems(), []
    for capability in OF_ALL:
        done = subprocess.run([*prefix(capability), str(BUILD / "daemon/netlabd"), "--config", "/dev/null"], capture_output=True, text=True, timeout=20)
        expect(done.returncode == 4 and f"it lacks CAP_{capability}" in done.stderr, f"without {capability} it ends with {done.returncode}: {done.stderr}")
    for capability in OF_SOME:
        try:
            failing = without(capability, problems)
            counts.append(f"{capability} {failing}")
        except Failure as failure:
            problems.append(f"without {capability}: {failure}")
    expect(not problems, f"{len(problems)} problems: " + "; ".join(problems[:12]))
    return (f"of {len(needs())} operations fail, and say so, without " + ", ".join(counts) + f"; without {' or '.join(OF_ALL)} it does not start; "
            "docs/security.md's table is the source's")


def prefix(capability: str) -> list[str]:
    name = capability.lower()
    return ["setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}"]


def told(operation: str, words: list[str]) -> Needs | None:
    """What a row of the table says of one of its operations: capabilities, engine, what `run` may; with the source's limits, which it does not say."""
    capabilities, engine, run = words
    own = needs()[operation]
    flags = own.flags - {"net_raw", "net_admin", "processes", "engines", "ip_sockets", "threads"}
    of_capabilities = {"NET_RAW": "net_raw", "NET_ADMIN": "net_admin", "SYS_PTRACE": "processes", "DAC_READ_SEARCH": "processes"}
    flags |= {of_capabilities[word] for word in re.findall(r"[A-Z_]{4,}", capabilities)}
    flags |= {flag for flag, said in (("engines", engine == "yes"), ("ip_sockets", "IP sockets" in run), ("threads", "threads" in run)) if said}
    return Needs(flags, own.cpu_seconds, own.address_space, own.descriptors)


def table_problems() -> list[str]:
    """Where `What an operation needs` of docs/security.md is not what the source says."""
    text = (ROOT / "docs/security.md").read_text()
    lines = re.search(r"\| operation \| in `prepare`.*?\n\|[-|]+\n((?:\|.*\n)+)", text)
    expect(lines, "docs/security.md has no table of what an operation needs")
    problems, seen = [], []
    for line in lines[1].splitlines():
        names, *words = (word.strip() for word in line.strip("|").split("|"))
        for operation in re.split(r"[,;] ", names):
            seen.append(operation)
            said = told(operation, words) if operation in needs() else None
            capabilities = set(re.findall(r"[A-Z_]{4,}", words[0]))
            if said != needs().get(operation) or (said and capabilities != said.capabilities):
                problems.append(f"docs/security.md says of {operation} {words}, the source {said and needs()[operation]}")
    if sorted(seen) != sorted(needs()):
        problems.append(f"docs/security.md's table has not each operation once: {sorted(set(seen) ^ set(needs()))}")
    return problems


def without(capability: str, problems: list[str]) -> int:
    failing = 0
    with Daemon(prefix=prefix(capability)) as daemon:
        expect(f"CAP_{capability}" in daemon.log(), f"no warning: {daemon.log()[-500:]}")
        for operation in operations():
            answer = daemon.run(operation, **about(operation))
            lacks = operation.stream and capability in needs()[operation.name].capabilities
            failing += lacks
            last = answer.lines()[-1] if "pcapng" not in answer.kind else {}
            error = last.get("error", {}) if isinstance(last, dict) else {}
            what = f"without {capability}: {operation.name}: {answer.status} {error or answer.body[-200:]}"
            if lacks and not (error.get("code") in CODES and f"CAP_{capability}" in error.get("message", "") + error.get("hint", "")):
                problems.append(what)
            if not lacks and (answer.status != 200 or error):
                problems.append(what)
    return failing


def about(operation) -> dict:
    """Members that have each need what it may need, and end."""
    members: dict = {"duration_ms": 50} if operation.role == "capture" or operation.name == "conntrack_events" else {}
    if operation.name.startswith("conntrack"):
        members["target"] = "co1"
    if operation.name in ("ping", "connect"):
        members["count"] = 1
    return members
