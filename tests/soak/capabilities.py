"""One capability is missing. Without one that every operation needs, or that root takes to start the others as another user, netlabd does not start, and says
which; without another of the five it warns of it by
name, and exactly the operations that need it fail, with an error that names it. Which need it is read off the source: Needs of each operation, joined
to the catalogue."""
import re
import subprocess

from daemon import BUILD, ROOT, Daemon, Failure, expect, operations

OF_ALL = ["SYS_ADMIN", "SYS_PTRACE", "SETUID", "SETGID", "SETPCAP", "KILL"]
# The members of Needs (daemon/operations/operation.hpp) that take a capability.
TAKEN_BY = {"DAC_READ_SEARCH": {"processes"}, "NET_ADMIN": {"net_admin"}, "NET_RAW": {"net_raw"}}
CODES = {"operation_failed"}


def row(whole: bool) -> str:
    needs = needs_by_path()
    problems, counts = [], []
    for capability in OF_ALL:
        done = subprocess.run([*prefix(capability), str(BUILD / "daemon/netlabd"), "--config", "/dev/null"], capture_output=True, text=True, timeout=20)
        expect(done.returncode == 4 and f"it lacks CAP_{capability}" in done.stderr, f"without {capability} it ends with {done.returncode}: {done.stderr}")
    for capability in TAKEN_BY:
        try:
            failing = without(capability, needs, problems)
            counts.append(f"{capability} {failing}")
        except Failure as failure:
            problems.append(f"without {capability}: {failure}")
    expect(not problems, f"{len(problems)} problems: " + "; ".join(problems[:12]))
    return f"of {len(needs)} operations fail, and say so, without " + ", ".join(counts) + f"; without {' or '.join(OF_ALL)} it does not start"


def prefix(capability: str) -> list[str]:
    name = capability.lower()
    return ["setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}"]


def needs_by_path() -> dict[str, set[str]]:
    """The flags of Needs that are set, by the operation's path."""
    catalogue = (ROOT / "common/api/catalogue.hpp").read_text()
    paths = dict(re.findall(r'\bRow<(\w+)>\(\s*"\w+",\s*Verb::\w+,\s*"(/v1/[^"]+)"', catalogue))
    flags: dict[str, set[str]] = {}
    for file in (ROOT / "daemon/operations").glob("*.cpp"):
        for request, needs in re.findall(r"Registration<(?:api::)?(\w+)>\s+\w+\{\s*operation<prepare, run>\((.*?)\)\s*\}\s*;", file.read_text(), re.S):
            flags[request] = set(re.findall(r"\.(\w+) = true", needs))
    out = {path: flags[request] for request, path in paths.items() if request in flags}
    asked = {operation.path for operation in operations() if operation.stream}
    expect(asked == set(out), f"the source and docs/openapi.yaml differ: {sorted(asked ^ set(out))}")
    return out


def without(capability: str, needs: dict[str, set[str]], problems: list[str]) -> int:
    failing = 0
    with Daemon(prefix=prefix(capability)) as daemon:
        expect(f"CAP_{capability}" in daemon.log(), f"no warning: {daemon.log()[-500:]}")
        for operation in operations():
            answer = daemon.run(operation, **about(operation))
            lacks = operation.stream and bool(TAKEN_BY[capability] & needs[operation.path])
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
