"""What the usual post of one event comes to: it has no key, one site, and nothing but the queue to wait for.

Such a one needs no request of aiohttp's (`short_way`). All others are for `events`, which decides the same by the same
rules and has an answer for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from relay.http.accepted import accepted_bytes, in_one_piece, plain
from relay.http.brought import Poster
from relay.http.intake import ENGAGEMENT, Intake
from relay.http.plain import may_come
from relay.queue.stored import StoredEvent
from relay.queue.waiting import UnavailableError
from relay.rules.event import Refused, parse_event
from relay.rules.visitor import USUAL_NAMES, RawHeaders, names_of
from relay.rules.warnings import of_visitor

PATH: Final = "/api/event"
_ASK_FOR_MORE: Final = frozenset({b"idempotency-key", b"x-debug-request", b"expect"})

Found = tuple[StoredEvent, tuple[str, ...]]
"""The event of a post, and what its sender is warned of."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The short way through the parts of the endpoint."""

    intake: Intake

    def read(self, peer: str, headers: RawHeaders, body: bytes, now_ms: int) -> Found | None:
        """`Way`: the event of the post, if it is usual."""
        names = names_of(headers)
        if len(names) > USUAL_NAMES or _asks_for_more(names):
            return None
        sender = self.intake.sender_at_hand(peer, headers)
        if sender is None:
            return None
        source, visitor = sender
        event = parse_event(body, self.intake.policy.validation)
        if isinstance(event, Refused) or len(event.sites) != 1 or not may_come(source, event.sites[0]):
            return None
        sale, engagement = event.revenue is not None, event.name == ENGAGEMENT
        stored = StoredEvent(event.sites[0], visitor.ip, visitor.user_agent, body, now_ms, sale, engagement)
        return stored, event.warnings + of_visitor(visitor)

    def keep(self, found: Found, poster: Poster) -> None:
        """`Way`: write the event."""
        self.intake.committer.submit(found[0], poster.told)
        poster.is_usual(self, found)

    def answer(self, found: Found, error: UnavailableError | None) -> tuple[bytes, bool]:
        """`Way`: 202 with what the sender is warned of, or 503."""
        warnings, last = found[1], self.intake.watch.draining
        if error is None and not last and not warnings:
            return accepted_bytes(), last
        answer = plain(warnings) if error is None else self.intake.not_known(error)
        return in_one_piece(answer, last=last), last


@lru_cache(maxsize=256)
def _asks_for_more(names: bytes) -> bool:
    """Whether one of the headers asks for what only `events` has an answer to."""
    return not _ASK_FOR_MORE.isdisjoint(names.lower().split(b"\n"))
