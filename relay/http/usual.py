"""What the usual post of one event comes to: it has no key, one site, and nothing but the queue to wait for.

Such a one needs no request of aiohttp's (`short_way`). All others are for `events`, which decides the same by the same
rules and has an answer for each. What came at once is judged together, one after the other, which takes the machine
half the time that it takes between two readings of a connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from aiohttp import web

from relay.http.accepted import accepted_bytes, in_one_piece, plain
from relay.http.intake import ENGAGEMENT, Intake
from relay.http.plain import may_come
from relay.queue.once import Receipt
from relay.queue.stored import StoredEvent
from relay.queue.waiting import UnavailableError
from relay.rules.event import Refused, parse_event
from relay.rules.source import Denied
from relay.rules.speaking import spoken_for
from relay.rules.visitor import USUAL_NAMES, RawHeaders, names_of
from relay.rules.warnings import of_visitor

log = logging.getLogger(__name__)


class Poster(Protocol):
    """Whose post is whole, and may be usual. `peer`: the address of its connection."""

    peer: str

    def told(self, result: list[Receipt] | UnavailableError) -> None:
        """It is on disk, or may not be."""

    def is_usual(self, warnings: tuple[str, ...]) -> None:
        """It is being kept."""

    def is_unusual(self) -> None:
        """Nothing of it was kept or counted: somebody else decides."""

    def has_failed(self) -> None:
        """Nobody will tell: its sender shall not wait."""


Found = tuple[StoredEvent, tuple[str, ...]]
"""The event of a post, and what its sender is warned of."""

_ASK_FOR_MORE: Final = frozenset({b"idempotency-key", b"x-debug-request", b"expect"})


@dataclass(slots=True)
class Usual:
    """The short way through the parts of the endpoint."""

    intake: Intake
    _came: list[tuple[Poster, RawHeaders, bytes]] = field(default_factory=list)

    def bring(self, poster: Poster, headers: RawHeaders, body: bytes) -> None:
        """Judge the post soon: when all that can be read now has been read."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._judge)
        self._came.append((poster, headers, body))

    def _judge(self) -> None:
        came, self._came = self._came, []
        now_ms = time.time_ns() // 1_000_000
        closed = self.intake.watch.draining or self.intake.watch.over
        judged: list[tuple[Poster, Found | None]] = []
        for poster, headers, body in came:
            try:
                judged.append((poster, None if closed else self._read(poster.peer, headers, body, now_ms)))
            except Exception:
                log.exception("a post was not judged")  # the others are, and this one once more
                judged.append((poster, None))
        for poster, found in judged:
            try:
                self._go_on(poster, found)
            except Exception:
                log.exception("a post was not kept")
                poster.has_failed()

    def _go_on(self, poster: Poster, found: Found | None) -> None:
        if found is None:
            poster.is_unusual()
        else:
            event, warnings = found
            self.intake.committer.submit(event, poster.told)
            poster.is_usual(warnings)

    def _read(self, peer: str, headers: RawHeaders, body: bytes, now_ms: int) -> Found | None:
        names, policy = names_of(headers), self.intake.policy
        if len(names) > USUAL_NAMES or _asks_for_more(names):
            return None
        source = self.intake.senders.known(headers)
        if source is None or isinstance(source, Denied):
            return None
        visitor = spoken_for(source, peer, headers, policy.trusted)
        if visitor is None:
            return None
        event = parse_event(body, policy.validation)
        if isinstance(event, Refused) or len(event.sites) != 1 or not may_come(source, event.sites[0]):
            return None
        sale, engagement = event.revenue is not None, event.name == ENGAGEMENT
        stored = StoredEvent(event.sites[0], visitor.ip, visitor.user_agent, body, now_ms, sale, engagement)
        return stored, event.warnings + of_visitor(visitor)

    def answer(self, error: UnavailableError | None, warnings: tuple[str, ...]) -> tuple[bytes, bool]:
        """What to tell the sender, all bytes of it, and whether it is the last on his connection."""
        last = self.intake.watch.draining
        if error is None and not last and not warnings:
            return accepted_bytes(), last
        answer = plain(warnings) if error is None else self._failed(error)
        return in_one_piece(answer, last=last), last

    def _failed(self, error: UnavailableError) -> web.Response:
        return self.intake.unavailable("not known to be kept", str(error))


@lru_cache(maxsize=256)
def _asks_for_more(names: bytes) -> bool:
    """Whether one of the headers asks for what only `events` has an answer to."""
    return not _ASK_FOR_MORE.isdisjoint(names.lower().split(b"\n"))
