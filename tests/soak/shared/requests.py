"""How a request of any operation is made to end soon, to last, or to be about other targets: by the members that its schema has, so that an
operation that is added needs nothing here."""
import functools

from daemon import Operation, document


@functools.cache
def _members(path: str, verb: str) -> frozenset[str]:
    operation = document()["paths"][path][verb.lower()]
    if "requestBody" not in operation:
        return frozenset()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    return frozenset(document()["components"]["schemas"][schema]["properties"])


def members(operation: Operation) -> frozenset[str]:
    return _members(operation.path, operation.verb)


def brief(operation: Operation) -> dict:
    """Members with which it ends within half a second."""
    known = members(operation)
    out = {"wait_ms": 300} if "wait_ms" in known else {}
    if "duration_ms" in known:
        out["duration_ms"] = 150
    elif "count" in known:
        out["count"] = 1
    return out


def lasting(operation: Operation) -> dict:
    """Members with which it goes on until somebody ends it, or as long as it can."""
    known = members(operation)
    out = {"wait_ms": 3000} if "wait_ms" in known else {}
    if "interval_ms" in known:
        out["interval_ms"] = 20
    if "count" in known:
        out["count"] = 0
    return out


def lasts(operation: Operation) -> bool:
    """Whether lasting() makes it one without an end."""
    return "count" in members(operation)


def about(operation: Operation, name: str, other: str | None = None) -> dict:
    """Members that have it run in `name`, and `other` as its other end where it has one."""
    known = members(operation)
    out = {}
    # `from` of an operation that has a target is an address.
    if place := next((member for member in ("target", "from") if member in known), None):
        out[place] = name
    if "points" in known:
        out["points"] = [name]
    if "targets" in known:
        out["targets"] = [name] if other is None else [name, other]
    if other is not None and "to" in known:
        out["to"] = other
    return out
