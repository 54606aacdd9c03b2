"""Requests gone wrong, for tests and for `load/fuzz.py`: the corpus, mutated by dice, and the laws of the rules.

The same seed makes the same requests. Nothing here connects anywhere.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self

import orjson

from relay.rules.admission import Admitted, admit, parse_sites
from relay.rules.bots import looks_like_bot
from relay.rules.event import Event, Refused, Validation, parse_event
from relay.rules.split import bodies_by_site
from relay.rules.visitor import visitor_of
from tests.http.door import chunks, request

Headers = list[tuple[bytes, bytes]]

CORPUS = Path(__file__).parent.parent / "corpus"
KEYS = [
    *"nudmprhieov$",
    "name",
    "url",
    "domain",
    "meta",
    "props",
    "revenue",
    "hashMode",
    "sd",
    "amount",
    "currency",
    "",
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**63, -(2**63), 2**64 - 1, 1e308, -0.0, 1.5, [], {}, [[]], {"a": {}}),
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "1,299.00",
        "1e9999",
        "EUR",
        "usd",
        "engagement",
        "data:,",
        "about:blank",
        "{}",
        "[",
        "null",
    ),
    *(
        "http://a.com/",
        "http://[::1",
        "//",
        "www.www.a.com",
        "a.com,,b.com",
        ",",
        "é" * 3,
        "\0",
        "\ud7ff\U0001f468\u200d",
    ),
    *("x" * 121, "x" * 301, "x" * 2_001, "9" * 400, '{"amount":1,"currency":"EUR"}', '{"a":1,"a":2}', "\\" * 7),
]
TOKENS = [
    *(
        b"",
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b'"',
        b"\\",
        b"\\u0000",
        b"\\ud800",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[[[[",
        b"0",
        b"9" * 30,
        b"-",
        b"+",
        b"e",
        b"1e999",
        b"NaN",
        b"null",
        b"true",
        b"//",
        b"'",
    ),
    *(b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\x1f\x8b"),
    *(
        b"Content-Length: 7\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
        b"Expect: 100-continue\r\n",
        b"chunked",
    ),
]
NAMES = (
    b"User-Agent X-Forwarded-For Forwarded CF-Connecting-IP X-Plausible-IP B-Forwarded-For X-Plausible-IP-Type TE Via "
    b"Content-Type Content-Encoding Accept X-Debug-Request Origin Cookie Authorization Referer Range If-Match Date"
).split()
HOPS = (
    b'1.2.3.4|1.2.3.4:5|[::1]:2|::ffff:10.1.1.1|fe80::1%x|for=1.1.1.1|for="[::1]"|unknown|, ,|127.0.0.1|999.1.1.1|'
    b'for="\\|1.2.3.4, 127.0.0.1|true|gzip|application/json|text/plain; charset=utf-16|Googlebot/2.1|bytes=0-1|\xff\xfe'
).split(b"|")
PROXIES = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
SERVED = (parse_sites(["*"]), parse_sites(["example.com"]))


@dataclass(frozen=True, slots=True)
class Seed:
    """A recorded request."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def seeds() -> list[Seed]:
    """Every request of the corpus, without the headers that frame it."""
    found = []
    for path in sorted(CORPUS.glob("*.json")):
        recorded = json.loads(path.read_bytes())
        sent = [(name.encode(), value.encode()) for name, value in recorded["headers"]]
        framing = {b"host", b"content-length", b"transfer-encoding", b"connection"}
        kept = tuple((name, value) for name, value in sent if name.lower() not in framing)
        found.append(Seed(recorded["body"].encode(), kept))
    return found


class Mutator:
    """Makes requests out of the corpus and a seed number."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seeds = seeds()
        self.bodies = [fields for fields in map(_fields, self.seeds) if fields]

    def throw_again(self, seed: int) -> Self:
        """Begin anew with this seed; returns itself."""
        self.dice.seed(seed)
        return self

    def body(self) -> bytes:
        """An event with fields changed, or its bytes damaged, or both."""
        content = self.dice.choice(self.seeds).body
        if self.dice.random() < 0.7:
            content = orjson.dumps(self._changed(dict(self.dice.choice(self.bodies))))
        return self.damaged(content) if self.dice.random() < 0.5 else content

    def headers(self) -> Headers:
        """Headers of the corpus and others, with values of any bytes that HTTP allows; none of them frames."""
        found = list(self.dice.choice(self.seeds).headers)
        for _ in range(self.dice.randrange(4)):
            value = self.dice.choice(HOPS) if self.dice.random() < 0.6 else self.damaged(self.dice.choice(HOPS))
            found.append((self.dice.choice(NAMES), bytes(byte for byte in value if byte > 31 and byte != 127).strip()))
        return list({name.lower(): (name, value) for name, value in found}.values())  # twice the same can be no HTTP

    def request(self) -> bytes:
        """A whole request that can be read: its body and headers are the odd thing about it."""
        content, lines = self.body(), [b"%b: %b" % pair for pair in self.headers()]
        if self.dice.random() < 0.3:
            cut = self.dice.randrange(len(content) + 1)
            pieces = [piece for piece in (content[:cut], content[cut:]) if piece]
            return request(chunks(*pieces), b"Transfer-Encoding: chunked", *lines)
        return request(content, *lines)

    def damaged(self, content: bytes, at_most: int = 4) -> bytes:
        """The bytes with a few of them changed, taken out, doubled or moved."""
        changed = bytearray(content)
        for _ in range(self.dice.randint(1, at_most)):
            at, size = self.dice.randrange(len(changed) + 1), self.dice.choice([0, 0, 1, 1, 3, 20])
            end = self.dice.randrange(len(changed) + 1)
            other = (self.dice.choice(TOKENS), self.dice.randbytes(2), bytes(changed[end : end + 30]))
            changed[at : at + size] = self.dice.choice(other)
        return bytes(changed)

    def _changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        for _ in range(self.dice.randint(1, 3)):
            key = self.dice.choice([*fields, *KEYS]) if fields else self.dice.choice(KEYS)
            value = self.dice.choice(VALUES)
            if self.dice.random() < 0.3:
                value = {self.dice.choice(KEYS): value for _ in range(self.dice.choice([1, 2, 31]))}
            fields[key] = value
            if self.dice.random() < 0.3:
                fields.pop(self.dice.choice(list(fields)))
        return fields


def judge(content: bytes, headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Put a request through all rules as a door does, in both modes; the strict status. Their laws are asserted."""
    strict, plausible = (_status(content, validation) for validation in Validation)
    assert plausible <= strict, "plausible mode never refuses what strict mode takes"
    for trusted in ((), PROXIES):
        visitor = visitor_of("127.0.0.1", headers, trusted)
        assert str(ip_address(visitor.ip)) == visitor.ip
        looks_like_bot(visitor.user_agent)
    return strict


def _status(content: bytes, validation: Validation) -> int:
    event = parse_event(content, validation)
    if isinstance(event, Event):
        for sites in SERVED:
            admitted = admit(event, sites, validation)
            if isinstance(admitted, Admitted):
                bodies = bodies_by_site(event)
                assert [site for site, _ in bodies] == list(event.sites)
                assert all(type(orjson.loads(body)) is dict for _, body in bodies)
    if isinstance(event, Refused):
        orjson.dumps(event.errors)
        assert event.errors
        assert all(event.errors.values())
        return event.status
    return 202


def _fields(seed: Seed) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(seed.body)
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None
