"""What the usual batch comes to: a short array of plain items that no key, limit or coding holds up.

As `usual` for a single post: all others are for `batch`, which has a verdict for whatever there may be in one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from relay.http.accepted import in_one_piece, verdicts_bytes
from relay.http.batch import accepted
from relay.http.brought import Post, Poster
from relay.http.framing import Framed
from relay.http.inflating import Budget
from relay.http.intake import Intake, Sender
from relay.http.keeping import plain_verdicts
from relay.http.plain import has_plain_items, plain_events
from relay.http.verdicts import answer, counted
from relay.queue.once import Receipt
from relay.queue.stored import StoredEvent
from relay.queue.waiting import UnavailableError
from relay.rules.batch import Unreadable, items_in

# A batch has no answer to X-Debug-Request, but who asks for it is no usual sender, either.
_ASK_FOR_MORE: Final = frozenset({b"idempotency-key", b"x-debug-request", b"content-encoding"})
# What a type of `batch.NDJSON` has in it, or one in encoded words (RFC 2047), which aiohttp reads.
_LINES: Final = re.compile(rb"ndjson|jsonl|=\?", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Plain:
    """The events of a batch, how many bytes it has, and what its sender is told once they are kept."""

    events: list[StoredEvent]
    size: int
    told: bytes = b""


@dataclass(frozen=True, slots=True)
class UsualBatch:
    """The short way through the parts of the endpoint, of whose budget for bodies it takes its own."""

    intake: Intake
    held: Budget

    def read(self, posts: Sequence[Post], now_ms: int) -> Sequence[Plain | None]:
        """`Way`: the events of each batch that is usual."""
        return [self._read(post, now_ms) for post in posts]

    def _read(self, post: Post, now_ms: int) -> Plain | None:
        body = post.body
        if not body.startswith(b"[") or not _ask_for_an_array(post.head):
            return None
        known = self.intake.sender_at_hand(post.peer, post.head, keyless=False)
        if known is None or not has_plain_items(sender := Sender(*known)):
            return None
        items = items_in(body)
        events = None if isinstance(items, Unreadable) else plain_events(items, sender, now_ms)
        return None if events is None else Plain(events, len(body))

    def keep(self, found: Plain, poster: Poster) -> None:
        """`Way`: write the events, if there is room for them."""
        if not self.held.take(found.size):
            poster.is_unusual(0)
            return

        def told(result: list[Receipt] | UnavailableError) -> None:
            self.held.give_back(found.size)
            try:
                poster.told(self._counted(found, result))
            except Exception:
                poster.has_failed()
                raise

        try:
            self.intake.committer.submit_each(found.events, told)
        except Exception:
            self.held.give_back(found.size)
            raise
        poster.is_usual(self, found)

    def _counted(self, found: Plain, result: list[Receipt] | UnavailableError) -> list[Receipt] | UnavailableError:
        """Count the batch, and put its answer together."""
        if not isinstance(result, UnavailableError):
            verdicts = plain_verdicts(self.intake, found.events, result)
            counts = counted(verdicts)
            self.intake.watch.count_batch(counts)
            found.told = answer(verdicts, counts)
        return result

    def answer(self, found: Plain, error: UnavailableError | None) -> tuple[bytes, bool]:
        """`Way`: the verdicts, or 503."""
        last = self.intake.watch.draining
        if error is None and not last:
            return verdicts_bytes(found.told), last
        return in_one_piece(accepted(found.told) if error is None else self.intake.not_known(error), last=last), last


def _ask_for_an_array(head: Framed) -> bool:
    """Whether the headers ask for nothing that only `batch` has an answer to, and do not name lines of JSON."""
    type_at = _type_at(head.names)
    return type_at is not None and (type_at < 0 or not _LINES.search(head.headers[type_at][1]))


@lru_cache(maxsize=256)
def _type_at(names: bytes) -> int | None:
    """Among headers of these names: where Content-Type is, -1 if there is none; None if one of them asks for more."""
    each = names.lower().split(b"\n")
    if not _ASK_FOR_MORE.isdisjoint(each):
        return None
    return each.index(b"content-type") if b"content-type" in each else -1
