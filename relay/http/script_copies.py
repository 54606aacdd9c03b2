"""The scripts that a door keeps in memory, each for as long as Plausible says, and beyond while it cannot be had anew.

Whatever is asked for, in whatever numbers: only so many names are kept, and so few fetches made that neither events nor
Plausible notice. A name is fetched by one task at a time, which goes on if whoever asked first leaves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from relay.http.script_fetch import Absent, Failed, Script

log = logging.getLogger(__name__)

COPIES: Final = 64  # of 256 KiB at the most; a site uses one or two
LACKING: Final = 256  # names that are known to be no script, or not to be had
AT_ONCE: Final = 4
BURST: Final = 20.0  # fetches of a door after a pause; then one a second
ABSENT_S: Final = 60.0
RETRY_S: Final = 10.0
STALE_WAIT_S: Final = 0.4  # for a new copy, before the old one is passed on; django-plausible-proxy waits for 1 s
BUSY: Final = Failed("is not asked for more scripts now, as many are asked for at once", answered=False)

Value = TypeVar("Value")
Fetch = Callable[[str], Awaitable[Script | Absent | Failed]]


@dataclass(frozen=True, slots=True)
class Copy:
    """A script as it is kept; `left_s` until it has to be fetched anew, 0 if that is overdue."""

    script: Script
    left_s: float


@dataclass(slots=True)
class _Allowance:
    """Fetches that may begin now."""

    left: float = BURST
    at_s: float = 0.0

    def take(self, now_s: float) -> bool:
        self.left = min(BURST, self.left + now_s - self.at_s)
        self.at_s = now_s
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(eq=False)
class Copies:
    """`fetch` gets a script by its name; `clock` gives seconds and never goes back."""

    fetch: Fetch
    clock: Callable[[], float] = time.monotonic
    _copies: OrderedDict[str, tuple[Script, float]] = field(default_factory=OrderedDict)
    _lacking: OrderedDict[str, tuple[Absent | Failed, float]] = field(default_factory=OrderedDict)
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _allowance: _Allowance = field(default_factory=_Allowance)
    _failing: bool = False

    async def find(self, name: str) -> Copy | Absent | Failed:
        """Give what is kept under the name, fetched anew if it is time; an old copy rather than none."""
        now_s = self.clock()
        kept, lacks = self._copies.get(name), self._lacking.get(name)
        if not any(each is not None and each[1] > now_s for each in (kept, lacks)):
            await self._renew(name, now_s, STALE_WAIT_S if kept else None)
            kept, lacks = self._copies.get(name), self._lacking.get(name)
        if kept is not None:
            self._copies.move_to_end(name)
            return Copy(kept[0], max(0.0, kept[1] - self.clock()))
        return lacks[0] if lacks is not None else BUSY

    async def end(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _renew(self, name: str, now_s: float, within_s: float | None) -> None:
        """Fetch it, or join the task that does; if too many others are fetched now, not at all."""
        task = self._under_way.get(name)
        if task is None:
            if len(self._under_way) >= AT_ONCE or not self._allowance.take(now_s):
                return
            task = self._under_way[name] = asyncio.create_task(self._fetch(name))
        await asyncio.wait({task}, timeout=within_s)

    async def _fetch(self, name: str) -> None:
        try:
            found = await self.fetch(name)
        finally:
            del self._under_way[name]
        now_s = self.clock()
        match found:
            case Script():
                _put(self._copies, name, (found, now_s + found.fresh_s), COPIES)
                self._lacking.pop(name, None)
            case Absent():
                self._copies.pop(name, None)
                _put(self._lacking, name, (found, now_s + ABSENT_S), LACKING)
            case Failed():
                _put(self._lacking, name, (found, now_s + RETRY_S), LACKING)
        self._tell(found)

    def _tell(self, found: Script | Absent | Failed) -> None:
        """Log the first failure of a row, and its end; names come from strangers and are not logged."""
        if isinstance(found, Failed) and not self._failing:
            log.warning("scripts cannot be had: Plausible %s", found.why)
        elif self._failing and not isinstance(found, Failed):
            log.info("scripts can be had again")
        self._failing = isinstance(found, Failed)


def _put(kept: OrderedDict[str, Value], name: str, value: Value, most: int) -> None:
    """Put it in as the youngest; the oldest goes if there are more."""
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)
