"""What arrived at the sandbox and what became of it, kept in memory within bounds.

An entry is one outcome of one request for one site, and every request that reached `POST /api/event` has at least one.
The bytes are kept as they came; they become text only when somebody looks.
"""

import base64
import secrets
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from relay.rules.event import Event

RawHeaders = tuple[tuple[bytes, bytes], ...]

KEEP_BYTES: Final = 64 * 1024 * 1024
"""Bodies kept in all: 10,000 events of the largest size would be 10 GB otherwise."""


class Outcome(StrEnum):
    """What became of a request, for one site. `failed` is a request wasted on an injected fault."""

    RECORDED = "recorded"
    DROPPED = "dropped"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as the wire brought it. `at_s` is Unix time; `request` numbers the requests from 1."""

    request: int
    at_s: float
    headers: RawHeaders
    content_type: str
    user_agent: bytes | None
    ip: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record. `status` is None where no answer was given."""

    seq: int
    arrival: Arrival
    body: bytes
    event: Event | None
    sites: tuple[str, ...]
    outcome: Outcome
    cause: str | None
    status: int | None

    def as_json(self) -> dict[str, Any]:
        """Everything about this entry as plain JSON values.

        `headers` are Latin-1 text, so encoding them as Latin-1 gives the bytes of the wire. `user_agent` and `body` are
        UTF-8, with a backslash form for bytes that are not; such a body is also given as `body_base64`.
        """
        arrival, event = self.arrival, self.event
        shown: dict[str, Any] = {
            "seq": self.seq,
            "request": arrival.request,
            "at": _rfc3339_ms(arrival.at_s),
            "name": event.name if event else None,
            "sites": list(self.sites),
            "url": event.url if event else None,
            "props": dict(event.props) if event else {},
            "revenue": _revenue(event),
            "interactive": event.interactive if event else None,
            "user_agent": None if arrival.user_agent is None else _text(arrival.user_agent),
            "ip": arrival.ip,
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in arrival.headers],
            "content_type": arrival.content_type,
            "body": _text(self.body),
            "outcome": self.outcome.value,
            "cause": self.cause,
            "status": self.status,
        }
        if not _is_utf8(self.body):
            shown["body_base64"] = base64.b64encode(self.body).decode("ascii")
        return shown


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries to show: those after `since`, of this name and outcome, and of them the newest `limit`."""

    since: int = 0
    limit: int | None = None
    name: str | None = None
    outcome: Outcome | None = None

    def wants(self, entry: Entry) -> bool:
        """Whether the entry is of the name and the outcome asked for."""
        if self.outcome is not None and entry.outcome is not self.outcome:
            return False
        return self.name is None or (entry.event is not None and entry.event.name == self.name)


@dataclass(slots=True)
class Book:
    """The newest `keep` entries in detail, and counters of all of them since the last clearing.

    `run` changes with every start and clearing, so that a reader who polls notices that the numbers began anew.
    """

    keep: int
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    requests: int = 0
    counts: Counter[Outcome] = field(default_factory=Counter)
    _entries: deque[Entry] = field(default_factory=deque)
    _bytes: int = 0
    _seq: int = 0

    def number_request(self) -> int:
        """Count one more request and return its number."""
        self.requests += 1
        return self.requests

    def add(
        self,
        arrival: Arrival,
        body: bytes,
        event: Event | None,
        sites: tuple[str, ...],
        verdict: tuple[Outcome, str | None, int | None],
    ) -> None:
        """Write one entry; `verdict` is its outcome, its cause and the status answered. The oldest make room."""
        self._seq += 1
        self.counts[verdict[0]] += 1
        self._entries.append(Entry(self._seq, arrival, body, event, sites, *verdict))
        self._bytes += len(body)
        while len(self._entries) > self.keep or self._bytes > KEEP_BYTES:
            self._bytes -= len(self._entries.popleft().body)

    def select(self, query: Query) -> list[Entry]:
        """Return the entries that the query asks for, newest last."""
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entry.seq <= query.since or (query.limit is not None and len(found) >= query.limit):
                break
            if query.wants(entry):
                found.append(entry)
        found.reverse()
        return found

    def clear(self) -> None:
        """Forget all entries and counters. The sequence goes on, so that no `since` ever skips a new entry."""
        self._entries.clear()
        self.counts.clear()
        self._bytes = 0
        self.requests = 0
        self.run = secrets.token_hex(4)


def _rfc3339_ms(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _revenue(event: Event | None) -> dict[str, str] | None:
    """Return what Plausible would book: amount as decimal text, and the currency."""
    if event is None or event.revenue is None:
        return None
    return {"amount": event.revenue.amount, "currency": event.revenue.currency}
