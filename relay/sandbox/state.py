"""All that a running sandbox remembers, in one value that hangs on its application.

Nothing here is done with it: `app.py` takes events, `control.py` shows and clears.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from aiohttp import web

from relay.sandbox.faults import Faults
from relay.sandbox.ingest import Sessions
from relay.sandbox.record import Book

KEEP_EVENTS: Final = 10_000


@dataclass(slots=True)
class Sandbox:
    """The record, the visitors' sessions, the faults, the sites that exist (None: all) and the clock (Unix s).

    `key` opens the sandbox's own pages to other machines.
    """

    book: Book
    sites: frozenset[str] | None
    clock: Callable[[], float]
    key: str | None = None
    faults: Faults = field(default_factory=Faults)
    sessions: Sessions = field(default_factory=Sessions)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, *, keep: int, sites: Iterable[str] | None, clock: Callable[[], float], key: str | None = None) -> Self:
        """Return an empty sandbox that keeps the newest `keep` events in detail."""
        return cls(Book(keep), None if sites is None else frozenset(sites), clock, key)

    def forget(self) -> None:
        """Forget all events and sessions; the faults stay."""
        self.book.clear()
        self.sessions.clear()


SANDBOX: Final = web.AppKey("sandbox", Sandbox)
