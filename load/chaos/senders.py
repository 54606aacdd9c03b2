"""Visitors that post numbered events, each one after the other, and note which were acknowledged.

Every fourth is an app that posts its events in batches. An event's name is `<visitor>:<number>`. What was refused or
not answered is not sent again: whether it arrives all the same shows what a refusal is worth.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import aiohttp

ANSWER_WITHIN_S: Final = 5.0
BATCHES_EVERY: Final = 4  # visitors
BATCH: Final = 4  # events: with more, a visitor would post too seldom to show soon that all is well again
RATE_AFTER_TROUBLE_S: Final = 0.05  # a sender that was refused does not try more often than this


@dataclass(slots=True)
class Senders:
    """`visitors` together post some `rate` events a second to the doors in turn."""

    doors: list[str]
    visitors: int
    rate: float
    acknowledged: dict[int, list[int]] = field(default_factory=dict)
    posted: dict[int, int] = field(default_factory=dict)
    """Visitor → the number posted last."""
    unanswered: set[str] = field(default_factory=set)
    """Posted, and the connection broke: they may be kept or not."""
    waited: set[str] = field(default_factory=set)
    """Posted over a connection that stayed, and not answered in 5 s: that must not be, no door is ever frozen."""
    refused: set[str] = field(default_factory=set)
    """Answered 503: not known to be kept."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Answers that should not be: everything but 202, and 503 with Retry-After."""
    refusal_s: list[float] = field(default_factory=list)
    """How long each 503 took."""
    acknowledged_s: dict[str, float] = field(default_factory=dict)
    """Door → when the last event that it acknowledged was posted."""
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def count(self) -> int:
        """How many events were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    def end(self) -> None:
        """Let everybody finish the event in hand."""
        self._ended.set()

    async def run(self) -> None:
        """Post until `end`."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            await asyncio.gather(*(self._visit(session, visitor) for visitor in range(self.visitors)))

    async def _visit(self, session: aiohttp.ClientSession, visitor: int) -> None:
        mine = self.acknowledged.setdefault(visitor, [])
        size = BATCH if visitor % BATCHES_EVERY == BATCHES_EVERY - 1 else 1
        a_post = (BATCHES_EVERY - 1 + BATCH) / BATCHES_EVERY  # events, on the average
        period_s = a_post * self.visitors / self.rate
        headers = {
            "User-Agent": f"Mozilla/5.0 (visitor {visitor})",
            "X-Forwarded-For": f"203.0.{visitor // 250}.{visitor % 250 + 1}",
        }
        due_s = time.monotonic() + period_s * visitor / self.visitors
        turn = number = 0
        while not self._ended.is_set():
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            numbers = range(number + 1, number + 1 + size)
            turn, number = turn + 1, number + size
            self.posted[visitor] = number
            due_s = max(due_s + period_s, time.monotonic() - period_s)
            door = self.doors[(visitor + turn) % len(self.doors)]
            if await self._post(session, door, [f"{visitor}:{one}" for one in numbers], headers):
                mine.extend(numbers)
            else:
                await asyncio.sleep(RATE_AFTER_TROUBLE_S)

    async def _post(self, session: aiohttp.ClientSession, door: str, names: list[str], headers: dict[str, str]) -> bool:
        """Post one event, or a batch of several; whether all of it was acknowledged."""
        events = [
            {"name": name, "domain": "example.com", "url": f"https://example.com/{name.partition(':')[2]}"}
            for name in names
        ]
        path, body = ("/api/event", events[0]) if len(events) == 1 else ("/api/events", events)
        began_s = time.monotonic()
        try:
            async with session.post(f"{door}{path}", json=body, headers=headers) as answer:
                status, again = answer.status, "Retry-After" in answer.headers
                kept = await _kept(answer, len(names))
        except TimeoutError:
            self.waited.update(names)
            return False
        except (aiohttp.ClientError, ConnectionError):
            self.unanswered.update(names)
            return False
        if status == 202 and kept:  # noqa: PLR2004 - the promise
            self.acknowledged_s[door] = max(began_s, self.acknowledged_s.get(door, 0.0))
            return True
        if (status == 503 and again) or status == 202:  # noqa: PLR2004 - not known to be kept, all or some of it
            self.refused.update(names)
            self.refusal_s.append(time.monotonic() - began_s)
        else:
            self.wrong[str(status)] += 1
        return False


async def _kept(answer: aiohttp.ClientResponse, count: int) -> bool:
    """Whether everything that was posted is kept, as far as the body of a 202 says."""
    if count == 1 or answer.status != 202:  # noqa: PLR2004
        return True
    accepted: int = (await answer.json())["accepted"]
    return accepted == count
