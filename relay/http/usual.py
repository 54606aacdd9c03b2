"""What the usual post of one event comes to: it has no key, one site, and nothing but the queue to wait for.

Such a one needs no request of aiohttp's (`short_way`). All others are for `events`, which decides the same by the same
rules and has an answer for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Final

from relay.http.accepted import accepted_bytes, in_one_piece, plain
from relay.http.brought import Post, Poster
from relay.http.intake import ENGAGEMENT, Intake
from relay.http.plain import may_come
from relay.queue.stored import StoredEvent
from relay.queue.waiting import UnavailableError
from relay.rules.event import Refused, parse_event
from relay.rules.usual_items import read_usual_items
from relay.rules.warnings import of_visitor

_ASK_FOR_MORE: Final = frozenset({b"idempotency-key", b"x-debug-request"})

Found = tuple[StoredEvent, tuple[str, ...]]
"""The event of a post, and what its sender is warned of."""

Told = tuple[str, bool, bool, tuple[str, ...]]
"""Its site, whether it has revenue, whether it is an engagement, and what its sender is warned of."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The short way through the parts of the endpoint."""

    intake: Intake

    def read(self, posts: Sequence[Post], now_ms: int) -> Sequence[Found | None]:
        """`Way`: the event of each post that is usual."""
        found: list[Found | None] = [None] * len(posts)
        places, senders, bodies = [], [], []
        for place, (_, peer, head, body) in enumerate(posts):
            if not _asks_for_more(head.names) and (sender := self.intake.sender_at_hand(peer, head)):
                places.append(place)
                senders.append(sender)
                bodies.append(body)
        items = read_usual_items(bodies) if len(bodies) > 1 else None
        told = [self._told(body) for body in bodies] if items is None else zip(*items, repeat(()), strict=False)
        for place, (source, visitor), body, one in zip(places, senders, bodies, told, strict=True):
            if one is not None and may_come(source, one[0]):
                site, sale, engagement, warnings = one
                stored = StoredEvent(site, visitor.ip, visitor.user_agent, body, now_ms, sale, engagement)
                found[place] = stored, warnings + of_visitor(visitor)
        return found

    def _told(self, body: bytes) -> Told | None:
        """What the body says by itself."""
        event = parse_event(body, self.intake.policy.validation)
        if isinstance(event, Refused) or len(event.sites) != 1:
            return None
        return event.sites[0], event.revenue is not None, event.name == ENGAGEMENT, event.warnings

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
