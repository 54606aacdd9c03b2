"""Writing outcomes down, in groups: all that ended while the previous write was in flight is the next one.

Outcomes are facts and are never dropped: while Redis is away they wait here, and deliveries wait with them,
so that a crash repeats no more than what a worker may have in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue.claiming import Outcome, settle
from relay.queue.connection import AWAY, describe

log = logging.getLogger(__name__)

LINES_A_CALL = 1_000  # keeps one script call in the low milliseconds
PAUSE_S = 0.2  # between tries while Redis is away


class Account(Protocol):
    """A partition, as far as settling goes."""

    number: int
    unfinished: int


@dataclass(slots=True)
class Settler:
    """Collects outcomes and writes them. `on_settled` is called whenever some are safe."""

    redis: Redis
    on_settled: Callable[[], None] = lambda: None
    unsettled: int = 0
    _waiting: dict[int, list[tuple[Account, Outcome]]] = field(default_factory=dict)
    _safe: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, account: Account, outcome: Outcome) -> None:
        """Write this outcome down soon; the account has one unfinished event less when that is done."""
        self._waiting.setdefault(account.number, []).append((account, outcome))
        self.unsettled += 1
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            await self._write(batch)
            for lines in batch.values():
                self.unsettled -= len(lines)
                for account, _ in lines:
                    account.unfinished -= 1
            self._safe.set()
            self.on_settled()

    def _next_batch(self) -> dict[int, list[tuple[Account, Outcome]]]:
        batch = {partition: lines[:LINES_A_CALL] for partition, lines in self._waiting.items()}
        self._waiting = {p: rest for p, lines in self._waiting.items() if (rest := lines[LINES_A_CALL:])}
        if not self._waiting:
            self._wake.clear()
        return batch

    async def _write(self, batch: dict[int, list[tuple[Account, Outcome]]]) -> None:
        """Write until it is written; an answer that was lost makes the next try a repeat, which counts nothing."""
        outcomes = {number: [outcome for _, outcome in lines] for number, lines in batch.items()}
        again = False
        while True:
            try:
                repeats = await settle(self.redis, outcomes, again=again)
            except (*AWAY, RedisError) as error:
                if not again:
                    log.warning("outcomes wait for the queue: %s", describe(error))
                again = True
                await asyncio.sleep(PAUSE_S)
            else:
                if repeats:
                    log.warning("%d events had been settled by another worker: they were sent twice", repeats)
                return

    async def drained(self, within_s: float) -> bool:
        """Wait until all is written; False if it was not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.unsettled:
                    self._safe.clear()
                    await self._safe.wait()
        return not self.unsettled
