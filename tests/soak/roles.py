"""Row 2, first half: every route, verb and role. A client that is not root and has exactly the groups of some roles gets what docs/openapi.yaml says
(x-role) every time: its answer where it has the role, 403 that names the role where not, 405 with Allow for another verb, 404 for no path."""
import itertools
import json
import os
import re
import traceback

from daemon import Daemon, Failure, NOBODY, docker, eventually, expect, operations

ROLES = ["observe", "probe", "trace", "capture", "host"]
FIRST_GID = 61_700  # of groups that are in the daemon's own view of /etc/group and nowhere else
CLIENT_UID = 61_799
ALIAS = "soak-on-host"  # a container that is in the host's network namespace
VERBS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
NO_PATHS = ["/", "/v1", "/v1/", "/v2/ping", "/v1/ping/", "/v1/PING", "//v1/ping", "/v1/ping/pairs/more", "/v1/identify", "/v1/watch_engine", "*"]

# Members that make of an operation's example one for which its own role is enough (see check_finer_rules), and which ends.
PLAIN = {"why": {"probe": False, "address": True}, "conntrack": {"target": "co1"}, "conntrack_events": {"target": "co1", "duration_ms": 50},
         "capture": {"duration_ms": 50}, "packets": {"duration_ms": 50}}


def row(whole: bool) -> str:
    answers = 0
    access = "[access]\n" + "".join(f'{role} = ["soak-{role}"]\n' for role in ROLES)
    sets = role_sets(whole)
    docker("rm", "-f", ALIAS, check=False)
    docker("run", "-d", "--name", ALIAS, "--network", "host", "lab/busybox", "sleep", "1000")
    try:
        with Daemon(access, prefix=own_groups(), mode="0666") as daemon:
            eventually(lambda: daemon.ask("POST", "/v1/addresses", {"targets": [ALIAS]}).status == 200, 10, f"{ALIAS} is not known")
            for roles in sets:
                answers += as_client(roles, lambda held: ask_everything(daemon, held))
    finally:
        docker("rm", "-f", ALIAS, check=False)
    return f"{answers} answers to {len(sets)} sets of roles, {len(operations())} operations, {len(VERBS)} verbs: each what x-role says"


def role_sets(whole: bool) -> list[set[str]]:
    """None, each alone, all; as a whole every set there is: having one role is no reason to have another."""
    sizes = range(len(ROLES) + 1) if whole else [0, 1, len(ROLES)]
    return [set(chosen) for size in sizes for chosen in itertools.combinations(ROLES, size)]


def own_groups() -> list[str]:
    """Words that start a command with the machine's groups and one for each role: in a mount namespace, so that nobody else sees them."""
    lines = "".join(f"soak-{role}:x:{FIRST_GID + number}:\\n" for number, role in enumerate(ROLES))
    script = (f'set -e; f=$(mktemp); chmod 644 "$f"; (cat /etc/group; printf "{lines}") > "$f"; mount --bind "$f" /etc/group; rm "$f"; '
              'exec "$@"')
    return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"]


def as_client(roles: set[str], work) -> int:
    """What `work` returns in a process that is not root and has the groups of these roles and no other."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([FIRST_GID + ROLES.index(role) for role in roles])
            os.setgid(NOBODY)
            os.setuid(CLIENT_UID)
            told = {"done": work(roles)}
        except Failure as failure:
            told = {"failure": f"as {sorted(roles) or 'nobody'}: {failure}"}
        except BaseException:  # the child must not go on as the parent
            told = {"failure": traceback.format_exc()}
        os.write(writing, json.dumps(told).encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = json.loads(pipe.read())
    os.waitpid(pid, 0)
    expect("failure" not in told, told.get("failure"))
    return told["done"]


def ask_everything(daemon: Daemon, held: set[str]) -> int:
    count = 0
    every = operations()
    for operation in every:
        for verb in VERBS:
            documented = [other.verb for other in every if other.path == operation.path]
            check_verb(daemon, operation, verb, documented, held)
            count += 1
    for path, verb in itertools.product(NO_PATHS, VERBS):
        answer = daemon.ask(verb, path)
        expect((answer.status, answer.error()) == (404, "not_found"), f"{verb} {path}: {answer.status} {answer.body[:200]}")
        count += 1
    return count + check_finer_rules(daemon, held)


def check_verb(daemon: Daemon, operation, verb: str, documented: list[str], held: set[str]) -> None:
    body = None if operation.body is None or verb in ("GET", "HEAD") else {**operation.body, **PLAIN.get(operation.name, {})}
    answer = daemon.ask(verb, operation.path, body)
    what = f"{verb} {operation.path}: {answer.status} {answer.body[:200]}"
    if verb not in documented:
        expect((answer.status, answer.error()) == (405, "method_not_allowed"), what)
        allow = re.search(rb"(?im)^allow: *([^\r]+)", answer.raw)
        expect(allow and sorted(allow[1].decode().split(", ")) == sorted(documented), f"{what}: Allow says {allow and allow[1]}")
    elif verb == operation.verb:
        expect_role(answer, operation.role, held, what)


def expect_role(answer, role: str, held: set[str], what: str) -> None:
    """Allowed by `held`, or refused by the name of the role."""
    if role in held:
        expect(answer.status == 200, what)
        return
    expect((answer.status, answer.error()) == (403, "permission_denied"), what)
    error = answer.lines()[0]["error"]
    expect(f"needs the {role} role" in error["message"], f"{what}: the role {role} is not named")
    expect(f"soak-{role}" in error.get("hint", ""), f"{what}: the group is not named")


def check_finer_rules(daemon: Daemon, held: set[str]) -> int:
    """What the text of docs/openapi.yaml says beyond x-role. The operation's own role comes first."""
    by_name = {operation.name: operation for operation in operations()}
    cases = [("why", {"probe": True}, ["probe"]), ("why", {"probe": False}, ["probe"]), ("conntrack", {"target": "host"}, ["capture"]),
             ("conntrack_events", {"target": "host", "duration_ms": 50}, ["capture"]),
             ("conntrack", {"target": "co1", "inside": True}, [])]
    for name, members, more in cases:
        operation = by_name[name]
        answer = daemon.run(operation, **members)
        missing = next((role for role in [operation.role, *more] if role not in held), None)
        what = f"{name} with {members}: {answer.status} {answer.body[:300]}"
        expect(answer.status == (403 if missing else 200), what)
        if missing:
            expect(answer.error() == "permission_denied" and missing in answer.lines()[0]["error"]["message"], f"{what}: {missing} is not named")
    limits = [("ping", {"flood": True, "count": 3}), ("ping", {"interval_ms": 1, "count": 3}), ("connect", {"interval_ms": 1, "count": 3}),
              ("capture", {"points": ["co1"], "filter": "", "duration_ms": 50, "buffer_kib": 70_000})]
    for name, members in limits:
        operation = by_name[name]
        answer = daemon.run(operation, **members)
        wanted = 403 if operation.role not in held else 200 if "host" in held else 429
        told = answer.status if answer.status != 403 or operation.role not in held else 429  # `flood` is refused as a permission
        expect(told == wanted, f"{name} with {members}: {answer.status} {answer.body[:300]}")
    check_what_is_shown(daemon, by_name, held)
    return len(cases) + len(limits)


def check_what_is_shown(daemon: Daemon, by_name: dict, held: set[str]) -> None:
    """Command lines, the host's processes and the owners of the host's sockets are for the role host; a trace is for the role trace."""
    if "observe" not in held:
        return
    rows = daemon.run(by_name["processes"], targets=["co1", "host"]).lines()
    processes = [one for one in rows if one["type"] == "process"]
    expect(any(one["target"] == "co1" for one in processes), f"processes: none of co1's: {rows[:3]}")
    expect(any("command" in one for one in processes) == ("host" in held), f"processes: command lines for {held}")
    expect(any(one["target"] == "host" for one in processes) == ("host" in held), f"processes: the host's for {held}")
    rows = daemon.run(by_name["sockets"], targets=["host"], show="all").lines()
    expect(any(one.get("processes") for one in rows) == ("host" in held), f"sockets: the owners of the host's for {held}")
    # By whichever name the host's namespace is asked for.
    rows = daemon.run(by_name["sockets"], targets=[ALIAS], show="all").lines()
    expect(any(one["type"] == "socket" for one in rows), f"sockets: none of {ALIAS}'s: {rows[:3]}")
    expect(any(one.get("processes") for one in rows) == ("host" in held), f"sockets: the owners of the host's by {ALIAS} for {held}")
    answer = daemon.run(by_name["conntrack"], target=ALIAS)
    expect(answer.status == (200 if "capture" in held else 403), f"conntrack of {ALIAS}: {answer.status} {answer.body[:300]} for {held}")
    answer = daemon.run(by_name["processes"], targets=[ALIAS])
    expect(answer.status == (200 if "host" in held else 403), f"processes of {ALIAS}: {answer.status} {answer.body[:300]} for {held}")
    if "probe" in held:
        report = daemon.run(by_name["why"], to="co2", probe=True, trace=True).lines()[-1]
        expect(report.get("type") == "report" and report.get("traced", False) == bool({"trace", "host"} & held), f"why: {report} for {held}")
