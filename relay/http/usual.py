"""What the usual post of one event comes to, decided at once: it has no key, and nothing but the queue to wait for.

Such a one needs no request of aiohttp's (`short_way`). All others are for `events`, which decides the same by the same
rules and has an answer for each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from aiohttp import web

from relay.http.accepted import accepted_bytes, in_one_piece, plain
from relay.http.intake import Intake, Posted, Sender, stored
from relay.queue.committing import UnavailableError
from relay.queue.once import Receipt
from relay.rules.event import Refused, parse_event
from relay.rules.source import Denied
from relay.rules.speaking import spoken_for
from relay.rules.visitor import RawHeaders


class Head(Protocol):
    """The headers of a request, as aiohttp's parser has them: by name, and as they came."""

    headers: Mapping[str, str]
    raw_headers: RawHeaders


class Keeping(NamedTuple):
    """An event that is being kept. `done` when it is on disk, or fails with UnavailableError."""

    done: asyncio.Future[list[Receipt]]
    warnings: tuple[str, ...]


_ASKS_FOR_MORE: Final = ("Idempotency-Key", "X-Debug-Request", "Expect")


@dataclass(frozen=True, slots=True)
class Usual:
    """The short way through the parts of the endpoint."""

    intake: Intake

    def begin(self, peer: str, head: Head, body: bytes) -> Keeping | None:
        """Begin to keep the event of a request. None if it is not usual: then nothing was done, and nothing counted."""
        now_ms = time.time_ns() // 1_000_000
        if self.intake.watch.draining or self.intake.watch.over:
            return None
        for name in _ASKS_FOR_MORE:
            if name in head.headers:
                return None
        posted = self._read(peer, head.raw_headers, body)
        if posted is None:
            return None
        return Keeping(self.intake.committer.submit(stored(posted, now_ms)), posted.warnings)

    def _read(self, peer: str, headers: RawHeaders, body: bytes) -> Posted | None:
        source = self.intake.senders.known(headers)
        if source is None or isinstance(source, Denied):
            return None
        visitor = spoken_for(source, peer, headers, self.intake.policy.trusted)
        if visitor is None:
            return None
        event = parse_event(body, self.intake.policy.validation)
        if isinstance(event, Refused):
            return None
        found = self.intake.admitted(event, Sender(source, visitor))
        if isinstance(found, (Denied, Refused)):
            return None
        source, admitted = found
        if admitted.unknown or not admitted.sites or source.rate is not None or source.address_rate is not None:
            return None  # to ask for a limit is to wait
        return Posted(event, admitted, Sender(source, visitor), None)

    def answer(self, kept: Keeping) -> tuple[bytes, bool]:
        """What to tell the sender, all bytes of it, and whether it is the last on his connection."""
        last = self.intake.watch.draining
        error = kept.done.exception()
        if error is None and not last and not kept.warnings:
            return accepted_bytes(), last
        answer = plain(kept.warnings) if error is None else self._failed(error)
        return in_one_piece(answer, last=last), last

    def _failed(self, error: BaseException) -> web.Response:
        if not isinstance(error, UnavailableError):
            raise error
        return self.intake.unavailable("not known to be kept", str(error))
