"""What each operation may have, read off the source: Needs of its Registration, joined to the catalogue."""
import dataclasses
import functools
import re

from daemon import ROOT, expect, operations

FOLDER = ROOT / "daemon/operations"
# The members of Needs (daemon/operations/operation.hpp) that take a capability.
TAKES = {"net_raw": {"NET_RAW"}, "net_admin": {"NET_ADMIN"}, "processes": {"SYS_PTRACE", "DAC_READ_SEARCH"}}
BITS = {"DAC_READ_SEARCH": 2, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_PTRACE": 19, "SYS_ADMIN": 21}


@dataclasses.dataclass(frozen=True)
class Needs:
    flags: frozenset[str]  # the members that are true
    cpu_seconds: int       # 0: no limit
    address_space: int     # bytes
    descriptors: int

    @property
    def capabilities(self) -> set[str]:
        return set().union(*(TAKES.get(flag, set()) for flag in self.flags))


def mask(capabilities: set[str]) -> int:
    return sum(1 << BITS[name] for name in capabilities)


def value_of(expression: str, constants: dict[str, str]) -> int:
    """Of a C++ expression of integers, and of names of constants."""
    words = re.sub(r"\b(0x[0-9a-fA-F]+|\d[\d']*)(?:ULL|UL|U)?\b", lambda found: found[1].replace("'", ""), expression)
    words = re.sub(r"\b[a-z_]\w*\b", lambda found: f"({value_of(constants[found[0]], constants)})", words)
    expect(re.fullmatch(r"[\d\s()*+<-]+", words), f"an expression that is not known here: {expression}")
    return int(eval(words))  # noqa: S307: digits and operators, as was looked at


def constants_of(text: str) -> dict[str, str]:
    return {found[1]: found[2] for found in re.finditer(r"\bconstexpr std::(?:u?int\d+_t|size_t) (\w+) = ([^;]+);", text)}


@functools.cache
def needs() -> dict[str, Needs]:
    """By the operation's name in the catalogue, the daemon's own ones among them."""
    catalogue = (ROOT / "common/api/catalogue.hpp").read_text()
    names = dict(re.findall(r'\bRow<(\w+)>\(\s*"(\w+)"', catalogue)) | dict(re.findall(r'\bInternalRow<(\w+)>\{\s*"(\w+)"', catalogue))
    shared: dict[str, str] = {}
    for file in FOLDER.glob("*.hpp"):
        shared |= constants_of(file.read_text())
    defaults = dict(re.findall(r"std::uint\d+_t (cpu_seconds|address_space|descriptors) = ([^;]+);", (FOLDER / "operation.hpp").read_text()))
    expect(len(defaults) == 3, f"the defaults of Needs are not understood: {defaults}")
    out: dict[str, Needs] = {}
    for file in FOLDER.glob("*.cpp"):
        text = file.read_text()
        constants = shared | constants_of(text)
        for request, words in re.findall(r"Registration<(?:api::)?(\w+)>\s+\w+\{\s*operation<prepare, run>\((.*?)\)\s*\}\s*;", text, re.S):
            members = defaults | dict(re.findall(r"\.(\w+) = ([^,}]+)", words))
            flags = frozenset(name for name, value in members.items() if value == "true")
            out[names[request]] = Needs(flags, *(value_of(members[name], constants) for name in ("cpu_seconds", "address_space", "descriptors")))
    documented = {operation.name for operation in operations() if operation.stream}
    internal = set(re.findall(r'\bInternalRow<\w+>\{\s*"(\w+)"', catalogue))
    expect(documented | internal == set(out), f"the source and docs/openapi.yaml differ: {sorted((documented | internal) ^ set(out))}")
    return out


@functools.cache
def opens_by_design() -> dict[str, set[str]]:
    """Operation -> which of `others` and `host` the catalogue says that it opens."""
    text = (ROOT / "common/api/catalogue.hpp").read_text()
    out = {}
    for row in re.split(r"\bRow<\w+>\(", text)[1:]:
        name = row.split('"')[1]
        row = row.split("InternalRow<")[0]
        out[name] = {word for word, mark in (("others", ".with_others()"), ("host", ".beside_host()")) if mark in row}
    return out


def beside_limits() -> tuple[int, int, int]:
    """Of a process beside: seconds of the processor, bytes, descriptors."""
    text = (ROOT / "daemon/launcher/sandbox.cpp").read_text()
    body = text[text.index("Result<void> drop_but_net_admin("):]
    seconds = re.search(r"constexpr rlim_t cpu_seconds = (\d+);", body)
    expect(seconds, "the processor time of a process beside is not understood")
    defaults = dict(re.findall(r"std::uint\d+_t (address_space|descriptors) = ([^;]+);", (FOLDER / "operation.hpp").read_text()))
    return int(seconds[1]), value_of(defaults["address_space"], {}), value_of(defaults["descriptors"], {})


def relay_limits() -> tuple[int, int, int]:
    """Of a relay to an engine: Needs{} without a limit of the processor's time (launcher/worker.cpp)."""
    return 0, *beside_limits()[1:]
