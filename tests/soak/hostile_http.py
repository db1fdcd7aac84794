"""Row 2, second half: what is no request, or one that is wrong, from a seeded generator. Each is answered with a 4xx, or the connection is closed where
no request can be made out; never a 200 for something malformed, never a 5xx. Front and launcher stay the same processes, and a good request works."""
import dataclasses
import json
import random
import re
import socket
import threading
import time

from daemon import ROOT, Answer, Daemon, expect, operations, request

import yaml

SEED = 0x6E65746C
PATIENCE = 15  # the daemon's own is ten seconds for one request
GOOD = b"GET /v1/version HTTP/1.1\r\nHost: netlab\r\n\r\n"
LAST = b"GET /v1/version HTTP/1.1\r\nHost: netlab\r\nConnection: close\r\n\r\n"


@dataclasses.dataclass
class Case:
    """What a client sends. `cut`: then it shuts down its sending side, as more is waited for; `gone`: it closes and reads nothing."""
    name: str
    data: bytes
    cut: bool = False
    gone: bool = False
    good_first: int = 0  # so many good requests before, which are answered with 200
    any_4xx_or_200: bool = False  # chance may have left it whole


def row(whole: bool) -> str:
    wanted = 10_000 if whole else 1_000
    rng = random.Random(SEED)
    counts: dict[int, int] = {}
    with Daemon() as daemon:
        before = (daemon.child("nl:front"), daemon.child("nl:launcher"))
        problems: list[str] = []
        slow = [threading.Thread(target=slow_client, args=(daemon, words, piece, problems)) for words, piece in slow_ones()]
        for thread in slow:
            thread.start()
        for number, case in enumerate(cases(rng, wanted)):
            told = problem(daemon, case, counts)
            if told:
                problems.append(f"#{number} {told}")
            expect(len(problems) < 20, "; ".join(problems))
        for thread in slow:
            thread.join()
        expect(not problems, "; ".join(problems))
        expect(before == (daemon.child("nl:front"), daemon.child("nl:launcher")), f"front and launcher were {before}: {daemon.log()[-3000:]}")
        expect(all(daemon.run(operation, **ending(operation)).status == 200 for operation in operations()), "afterwards a good request fails")
    shown = ", ".join(f"{status or 'closed'} {count}" for status, count in sorted(counts.items()))
    return f"{wanted + len(slow)} hostile requests (seed {SEED:#x}): {shown}"


def ending(operation) -> dict:
    """A member that has a capture end."""
    return {"duration_ms": 50} if operation.role == "capture" or operation.name == "conntrack_events" else {}


def problem(daemon: Daemon, case: Case, counts: dict[int, int]) -> str | None:
    raw = talk(daemon, case)
    if raw is None:
        return f"{case.name}: no answer and no end within {PATIENCE} s: {case.data[:200]!r}"
    statuses = [int(word) for word in re.findall(rb"(?:^|\n)HTTP/1\.[01] (\d{3}) ", raw)]
    first, rest = statuses[:case.good_first], statuses[case.good_first:]
    for status in rest or [0]:
        counts[status] = counts.get(status, 0) + 1
    if case.gone:
        return None
    if len(first) < case.good_first or any(status != 200 for status in first):
        return f"{case.name}: the good requests before it were answered {statuses}"
    chunked = b"transfer-encoding" in case.data.lower()  # RFC 9112, 6.1: what is not understood is answered with 501
    fine = [status for status in rest if 400 <= status < 500 or (status == 501 and chunked) or (status == 200 and case.any_4xx_or_200)]
    if len(fine) == len(rest) and len(rest) <= 1 + case.any_4xx_or_200:
        return None
    return f"{case.name}: {statuses} for {case.data[:300]!r}: {raw[-300:]!r}"


def talk(daemon: Daemon, case: Case) -> bytes | None:
    """What the daemon says until it closes."""
    out = b""
    with daemon.connect(PATIENCE) as connection:
        try:
            connection.sendall(case.data)
            if case.gone:
                return b""
            if case.cut:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had enough: what it said is still there
        try:
            while piece := connection.recv(65536):
                out += piece
        except ConnectionResetError:
            pass
        except TimeoutError:
            # A flipped byte may have taken `Connection: close`: then it waits for more, rightly.
            return out if b"connection: close" not in case.data.lower() and Answer(out).whole else None
    return out


def cases(rng: random.Random, count: int):
    """The kinds by turns; of the kind of members, which has the most, two of three."""
    members = list(member_cases())
    rng.shuffle(members)
    kinds = [bad_framing, bad_header, bad_line, bad_path, bad_json, other_protocol, pipelined, broken_off, flipped]
    made = 0
    while made < count:
        for kind in kinds:
            yield kind(rng)
            for _ in range(2):
                yield members[made % len(members)]
                made += 1
            made += 1
            if made >= count:
                return


def head(line: bytes = b"POST /v1/addresses HTTP/1.1", *fields: bytes) -> bytes:
    return b"\r\n".join([line, b"Host: netlab", b"Connection: close", *fields, b"", b""])


def post(path: str, body: bytes, *fields: bytes) -> bytes:
    return head(b"POST %s HTTP/1.1" % path.encode(), b"Content-Length: %d" % len(body), *fields) + body


BODY = b'{"targets":["co1"]}'


def bad_framing(rng: random.Random) -> Case:
    size = len(BODY)
    length = b"Content-Length: %d" % size
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (size, BODY)
    chunked = b"Transfer-Encoding: chunked"
    number = rng.choice([b"-1", b"+19", b"0x13", b"19,19", b"19, 20", b"1e1", b"19.0", b"\xb2", b"9" * 40, b"18446744073709551616",
                         b"18446744073709551597", b"9223372036854775808", b"", b"19 19", b"nineteen", b"1_9", b"\x0019"])
    return rng.choice([
        Case("Content-Length and Transfer-Encoding", head(b"POST /v1/addresses HTTP/1.1", length, chunked) + chunk, cut=True),
        Case("Transfer-Encoding and Content-Length", head(b"POST /v1/addresses HTTP/1.1", chunked, length) + chunk, cut=True),
        Case("two Content-Lengths", head(b"POST /v1/addresses HTTP/1.1", length, b"Content-Length: %d" % (size + rng.randint(1, 9))) + BODY,
             cut=True),
        Case("two Content-Lengths", head(b"POST /v1/addresses HTTP/1.1", b"Content-Length: %d" % rng.randint(0, size - 1), length) + BODY,
             cut=True),
        Case(f"Content-Length {number!r}", head(b"POST /v1/addresses HTTP/1.1", b"Content-Length: " + number) + BODY, cut=True),
        Case("chunked", head(b"POST /v1/addresses HTTP/1.1", chunked) + chunk),
        Case("bad chunking", head(b"POST /v1/addresses HTTP/1.1", chunked) + rng.choice([b"zz\r\n", b"-1\r\n", b"f" * 40 + b"\r\n",
             b"5\r\nab", b"5;" + b"e" * 70_000, b"\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"5\nhello\n0\n\n"]), cut=True),
        Case("other codings", head(b"POST /v1/addresses HTTP/1.1", rng.choice([
            b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding:",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"]), length) + BODY, cut=True),
        Case("a body over the limit", post("/v1/addresses", b" " * rng.choice([65_537, 70_000, 1_048_577]))),
        Case("a Content-Length over the limit", head(b"POST /v1/addresses HTTP/1.1", b"Content-Length: 1048577"), cut=True),
        Case("a body that is too short", head(b"POST /v1/addresses HTTP/1.1", b"Content-Length: %d" % (size + 5)) + BODY, cut=True),
        Case("no Content-Length", head() + BODY),
        Case("a GET with a body", head(b"GET /v1/version HTTP/1.1", length) + BODY)])


def bad_header(rng: random.Random) -> Case:
    field = rng.choice([
        b"no colon", b": no name", b"Sp ace: x", b"Tab\t: x", b"Name : x", b"N\x00me: x", b"Name: \x00", b"N\xe4me: x", b"Name: a\x01b", b"Name: a\x7fb",
        b"Name: a\rb", b"Name: a\nb", b"\nName: x", b"(comment): x", b"Na/me: x", b"Name: x\n\nGET / HTTP/1.1", b"Name: a\r\r\nb: c",
        b"Content-Length : 0"])
    folded = rng.choice([b" folded: first", b"Name: x\r\n folded", b"Name: x\r\n\tfolded", b"Name: x\r\n \r\n more"])
    if rng.random() < 0.2:  # RFC 9112, 5.2: refused, or taken for one line
        return Case(f"folded {folded!r}", head(b"GET /v1/version HTTP/1.1", folded), cut=True, any_4xx_or_200=True)
    if rng.random() < 0.75:
        return Case(f"header {field!r}", head(b"GET /v1/version HTTP/1.1", field), cut=True)
    size = rng.choice([8_192, 9_000, 16_385, 65_536, 1_048_577])
    return rng.choice([
        Case("a value over the limit", head(b"GET /v1/version HTTP/1.1", b"X: " + b"a" * size)),
        Case("a name over the limit", head(b"GET /v1/version HTTP/1.1", b"X" * size + b": a")),
        Case("fields over the limit", head(b"GET /v1/version HTTP/1.1", *[b"X%d: %d" % (i, i) for i in range(size // 8)])),
        Case("a header without end", b"GET /v1/version HTTP/1.1\r\n" + b"X: y\r\n" * (size // 6), cut=True),
        Case("a line without end", b"A" * size, cut=True),
        Case("white space without end", b"\r\n" * size, cut=True)])


def bad_line(rng: random.Random) -> Case:
    line = rng.choice([
        b"GET /v1/version", b"GET /v1/version ", b"GET  /v1/version HTTP/1.1", b"GET /v1/version  HTTP/1.1", b" GET /v1/version HTTP/1.1",
        b"GET\t/v1/version\tHTTP/1.1", b"GET /v1/version HTTP/1.1 ", b"GET /v1/version HTTP/1.2", b"GET /v1/version HTTP/2.0",
        b"GET /v1/version HTTP/3", b"GET /v1/version HTTP/0.9", b"GET /v1/version HTTP/11", b"GET /v1/version http/1.1", b"GET /v1/version HTTP/1,1",
        b"GET /v1/version HTTP/-1.1", b"GET /v1/version HTTP/1.1.1", b"GET /v1/version HTTPS/1.1", b"get /v1/version HTTP/1.1",
        b"GET HTTP/1.1", b"/v1/version HTTP/1.1", b"G\x00T /v1/version HTTP/1.1", b"G(T /v1/version HTTP/1.1", b"G\xc3\x84T /v1/version HTTP/1.1",
        b"%s /v1/version HTTP/1.1" % (b"M" * rng.choice([33, 1000, 20_000])), b"GET /v1/version HTTP/1.1\n", b"CONNECT netlab:80 HTTP/1.1",
        b"TRACE /v1/version HTTP/1.1", b"GET /v1/version HTTP/1." + b"1" * 100, b"GET\x0b/v1/version HTTP/1.1", b"\xef\xbb\xbfGET /v1/version HTTP/1.1"])
    return Case(f"request line {line[:60]!r}", head(line), cut=True)


def bad_path(rng: random.Random) -> Case:
    path = rng.choice([
        b"http://netlab/v1/version", b"https://netlab/v1/version", b"http://[::1]:80/v1/version", b"//netlab/v1/version", b"/v1/../v1/version",
        b"/v1/./version", b"/../../../../etc/passwd", b"/v1//version", b"/v1/version/", b"/v1/version/.", b"/v1/version/..", b"/v1/%76ersion",
        b"/v1/version%00", b"/v1/version%2f", b"/%2e%2e/v1/version", b"/v1/version%", b"/v1/version%zz", b"/v1/version?", b"/v1/version?a=b",
        b"/v1/version??", b"/v1/version#", b"/v1/version#a", b"/v1/version;a", b"/V1/version", b"/v1/version\x00", b"/v1/version\x01",
        b"/v1/version\x7f", b"/v1/version\xff", b"/v1/version\xc2\x9b31m", b"/v1/\xe2\x80\xaeversion", b"/v1/version\r", b"/v1/version\\", b"\\v1\\version",
        b"*", b"/", b"v1/version", b"", b"netlab:80", b"/v1/" + b"a" * rng.choice([1_000, 8_100, 100_000]), b"/v1" + b"/.." * 1_000,
        b"/v1/version\x1b]0;x\x07", b"/v1/" + bytes(rng.randrange(0x21, 0x7F) for _ in range(rng.randint(1, 40)))])
    return Case(f"path {path[:60]!r}", head(b"GET %s HTTP/1.1" % path), cut=True)


def bad_json(rng: random.Random) -> Case:
    """Bodies that are no JSON, or not one object."""
    depth = rng.choice([33, 100, 10_000, 60_000, 100_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'{"targets":', b"}")])
    nested = opening * min(depth, 63_000 // len(opening)) if depth < 100_000 else opening * depth
    body = rng.choice([
        nested, nested + b"1" + closing * min(depth, 1_000), b"", b" ", b"\x00", b"null", b"1", b'"x"', b"[]", b"true", b"{", b"}", b"{]", b'{"targets"}',
        b'{"targets":}', b'{"targets":["co1"],}', b"{'targets':['co1']}", b'{targets:["co1"]}', b'{"targets":["co1"]} x', b'{"targets":["co1"]}{}',
        b'{"targets":["co1"]}\x00', b'\xef\xbb\xbf{"targets":["co1"]}', b'{"targets":["co1"]}//', b'/**/{"targets":["co1"]}', b'{"targets":["co\xff"]}',
        b'{"targets":["co\xc0\xaf"]}', b'{"targets":["co\xed\xa0\x80"]}', b'{"targets":["co\xf4\x90\x80\x80"]}', b'{"targets":["\\ud800"]}',
        b'{"targets":["\\udc00\\ud800"]}', b'{"targets":["\\u00"]}', b'{"targets":["\\x41"]}', b'{"targets":["co1\x00"]}', b'{"targets":["co1\n"]}',
        b'{"targets":["co1]}', b'{"targets":["co1\\u0000"]}', b'{"targets":[NaN]}', b'{"targets":[Infinity]}', b'{"targets":["co1"],"all":TRUE}',
        b'{"targets":["co1"],"targets":["co2"]}', b'{"targets":["co1"],"all":false,"all":false}', b'{"targets":["co1"],"\\u0061ll":false,"all":false}',
        b'{"targets":["co1"],"":1}', b'{"targets":["co1"],"family\\u0000":"ipv4"}', b'{"targets":["co1"],"targetz":[]}', b'{"Targets":["co1"]}',
        b'{"targets ":["co1"]}', b'{"targets":["co1"],"all":' + b"9" * 10_000 + b"}", b'{"targets":["co1"],"all":1e' + b"9" * 400 + b"}",
        b'{"targets":["co1"],"family":"' + b"v" * 60_000 + b'"}', b'{"targets":[' + b'"x",' * 15_000 + b'"x"]}', b"\xff\xfe{\x00}\x00",
        bytes(rng.randrange(256) for _ in range(rng.randint(1, 200)))])
    return Case(f"body {body[:60]!r}", post("/v1/addresses", body))


def other_protocol(rng: random.Random) -> Case:
    data = rng.choice([
        b"GET /v1/version\r\n", b"GET /v1/version\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x12\x04" + b"\x00" * 23,
        bytes.fromhex("16030100c8010000c40303") + rng.randbytes(194), b"SSH-2.0-OpenSSH_9.6\r\n", b"EHLO netlab\r\n", b"\x00" * 100, b"\r\n", b"\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", rng.randbytes(rng.randint(1, 5_000)), b"\x1b[2J\x1b]0;x\x07\r\n\r\n", b"GET /v1/version HTTP/1.1\n\n",
        b"\r\n\r\n\r\n\r\n", b"CONNECT x HTTP/1.1\r\n\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x80\x00\x00\x28" + b"\x00" * 40])
    return Case(f"protocol {data[:40]!r}", data, cut=True)


def pipelined(rng: random.Random) -> Case:
    """Good requests, then one that is not; what follows that one is not taken for a request."""
    good = rng.randint(1, 20)
    bad = rng.choice([b"GET /v1/versio HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"nonsense\r\n\r\n", post("/v1/addresses", b"{"),
                      head(b"POST /v1/addresses HTTP/1.1", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
                      head(b"POST /v1/addresses HTTP/1.1", b"Content-Length: 1", b"Content-Length: 2") + b"{}", post("/v1/addresses", b" " * 65_537)])
    return Case(f"{good} good ones and {bad[:40]!r}", GOOD * good + bad + LAST * rng.randint(0, 3), good_first=good, cut=True)


def broken_off(rng: random.Random) -> Case:
    """Somewhere in a good request the client stops, or is gone."""
    whole = post("/v1/addresses", BODY)
    end = rng.randint(1, len(whole) - 1)
    return Case(f"the first {end} bytes of a good one", whole[:end], cut=True, gone=rng.random() < 0.5)


def flipped(rng: random.Random) -> Case:
    """A few bytes of a good request are others: it may still be one."""
    data = bytearray(post("/v1/addresses", BODY) if rng.random() < 0.5 else LAST)
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.choice([0, 9, 10, 13, 32, 0x22, 0x3A, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return Case("flipped bytes", bytes(data), cut=True, any_4xx_or_200=True)


WRONG = {"string": [1, True, [], {}, None, 1.5], "integer": ["1", True, [], {}, None, 1.5, -1, 2**64, -2**63, 1e30, 10**400, "x"],
         "number": ["1", True, [], {}, None, -1, 1e300], "boolean": ["true", 0, 1, [], {}, None],
         "array": ["co1", {}, None, 1, True, [1], [None], [[]], [{}], [True]]}


# What is sent as it is, or asked of a resolver, whose answer it is that there is no such name.
ANY_TEXT = {("connect", "data"), ("connect", "to"), ("why", "to"), ("dns", "name"), ("ping", "to")}


def member_cases():
    """Each member of each operation's schema with what it cannot be, and members that there are not."""
    document = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
    for operation in operations():
        if operation.body is None:
            continue
        schema = document["paths"][operation.path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        properties = document["components"]["schemas"][schema]["properties"]
        whole = {**operation.body, **ending(operation)}
        for name, member in properties.items():
            for wrong in WRONG["string"] if (operation.name, name) in ANY_TEXT else wrong_values(member):
                yield Case(f"{operation.name} {name}={str(wrong)[:40]!r}", request("POST", operation.path, {**whole, name: wrong}))
            text = json.dumps({**whole, name: member["example"]})
            twice = f'{text[:-1]}, "{name}": {json.dumps(member["example"])}}}'.encode()
            yield Case(f"{operation.name} {name} twice", post(operation.path, twice))
            for other in (name + "_", name.upper(), name + "\0", " " + name):
                yield Case(f"{operation.name} {other!r}", request("POST", operation.path, {**whole, other: member["example"]}))
        for name in operation.body:
            if name == "targets":
                continue  # some have all of them, or a network, instead
            less = {key: value for key, value in whole.items() if key != name}
            yield Case(f"{operation.name} without {name}", request("POST", operation.path, less))


def wrong_values(member: dict) -> list:
    out = list(WRONG[member["type"]])
    if "enum" in member:
        out += ["", "x", member["enum"][0] + "_", member["enum"][0] + "\0", member["enum"][0] + "\0x", member["enum"][0].upper() + "X", " " + member["enum"][0]]
    elif member["type"] == "string" and member["example"]:
        out.append(member["example"] + "\0x")
    return out


def slow_ones():
    """A byte at a time, for longer than the daemon waits for one request."""
    for whole in (LAST, post("/v1/addresses", BODY), b"GET /v1/version HTTP/1.1\r\n" + b"X: y\r\n" * 100):
        for piece in (1, 2):
            yield whole, piece


def slow_client(daemon: Daemon, data: bytes, piece: int, problems: list[str]) -> None:
    """Sends nothing that is whole within the daemon's time, and is closed after it."""
    begin = time.monotonic()
    answer = b""
    with daemon.connect(PATIENCE) as connection:
        try:
            for at in range(0, len(data), piece):
                connection.sendall(data[at:at + piece])
                time.sleep(1.25 * 10 * piece / len(data))
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except TimeoutError:
            problems.append(f"a client with {piece} bytes at a time is still connected")
    took = time.monotonic() - begin
    if answer.startswith(b"HTTP/1.1 2") or not 5 < took < PATIENCE:
        problems.append(f"a client with {piece} bytes at a time got {answer[:100]!r} after {took:.1f} s")
