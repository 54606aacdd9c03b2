"""Writing outcomes down, in groups: all that ended while the previous write was in flight, and soon after, is the next.

Outcomes are facts and are never dropped: while Redis is away they wait here, and deliveries wait with them,
so that a crash repeats no more than what a worker may have in flight. What the server refuses to write for one
partition waits by itself, and that partition's deliveries with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.queue.claiming import Outcome, settle
from relay.queue.connection import AWAY, describe

log = logging.getLogger(__name__)

LINES_A_CALL = 1_000  # keeps one script call in the low milliseconds
QUICK_S = 0.005  # writes that follow one another so soon rest in between, or each would carry an outcome or two
REST_S = 0.003
PAUSE_S = 0.2  # between tries while Redis is away, or refuses a partition's outcomes


class Account(Protocol):
    """A partition, as far as settling goes."""

    number: int
    unfinished: int
    refused: bool


Batch = dict[int, list[tuple[Account, Outcome]]]


@dataclass(slots=True)
class Settler:
    """Collects outcomes and writes them. `on_settled` is called whenever some are safe."""

    redis: Redis
    enough: int = 1
    """So many outcomes are written without a rest."""
    on_settled: Callable[[], None] = lambda: None
    unsettled: int = 0
    _waiting: dict[int, list[tuple[Account, Outcome]]] = field(default_factory=dict)
    _refused: set[int] = field(default_factory=set)
    """Partitions whose last write the server refused."""
    _pausing: set[int] = field(default_factory=set)
    """Those of them that are not tried again yet."""
    _safe: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _are_enough: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, account: Account, outcome: Outcome) -> None:
        """Write this outcome down soon; the account has one unfinished event less when that is done."""
        self._waiting.setdefault(account.number, []).append((account, outcome))
        self.unsettled += 1
        self._wake.set()
        if self.unsettled >= self.enough:
            self._are_enough.set()

    @property
    def pressing(self) -> int:
        """Outcomes that wait, without those of refused partitions: these send nothing, and keep nobody from sending."""
        if not self._refused:
            return self.unsettled
        return self.unsettled - sum(len(self._waiting.get(number, ())) for number in self._refused)

    async def run(self) -> None:
        """Write until cancelled."""
        written_s = 0.0
        while True:
            await self._wake.wait()
            if self.pressing < self.enough and time.monotonic() - written_s < QUICK_S:
                await self._rest()
            batch = self._next_batch()
            refused = await self._write(batch)
            for number, lines in batch.items():
                if number in refused:
                    self._hold_back(number, lines)
                else:
                    self._done(number, lines)
            written_s = time.monotonic()
            self._safe.set()
            self.on_settled()

    async def _rest(self) -> None:
        """Wait a little for more, or until there is enough."""
        self._are_enough.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await self._are_enough.wait()

    def _next_batch(self) -> Batch:
        ready = self._waiting.keys() - self._pausing
        batch = {number: self._waiting[number][:LINES_A_CALL] for number in ready}
        for number in ready:
            self._waiting[number] = self._waiting[number][LINES_A_CALL:]
        self._waiting = {number: rest for number, rest in self._waiting.items() if rest}
        if not self._waiting.keys() - self._pausing:
            self._wake.clear()
        return batch

    async def _write(self, batch: Batch) -> set[int]:
        """Write until it is written. Returns the partitions whose outcomes the server refused.

        An answer that was lost makes the next try a repeat, which counts nothing.
        """
        outcomes = {number: [outcome for _, outcome in lines] for number, lines in batch.items()}
        again = not self._refused.isdisjoint(outcomes)
        told = False
        while True:
            try:
                self._tell_repeats(await settle(self.redis, outcomes, again=again))
            except AWAY as error:
                if not told:
                    log.warning("outcomes wait for the queue: %s", describe(error))
                told = again = True
                await asyncio.sleep(PAUSE_S)
            except RedisError:
                return {n for n, lines in outcomes.items() if not await self._write_one(n, lines)}
            else:
                return set()

    async def _write_one(self, number: int, outcomes: list[Outcome]) -> bool:
        """Write one partition's outcomes, which may have been written just now; False if that can't be done."""
        try:
            await settle(self.redis, {number: outcomes}, again=True)
        except (*AWAY, RedisError) as error:
            if number not in self._refused:
                log.error("outcomes of partition %d wait: %s", number, describe(error))  # noqa: TRY400 - no bug here
            return False
        return True

    @staticmethod
    def _tell_repeats(repeats: int) -> None:
        if repeats:
            log.warning("%d events had been settled by another worker: they were sent twice", repeats)

    def _done(self, number: int, lines: list[tuple[Account, Outcome]]) -> None:
        self._refused.discard(number)
        self.unsettled -= len(lines)
        for account, _ in lines:
            account.unfinished -= 1
            account.refused = False

    def _hold_back(self, number: int, lines: list[tuple[Account, Outcome]]) -> None:
        """Try these again in a while; until they are written nothing more of the partition is sent."""
        self._refused.add(number)
        self._pausing.add(number)
        self._waiting[number] = lines + self._waiting.get(number, [])
        for account, _ in lines:
            account.refused = True
        asyncio.get_running_loop().call_later(PAUSE_S, self._resume, number)

    def _resume(self, number: int) -> None:
        self._pausing.discard(number)
        self._wake.set()

    async def drained(self, within_s: float) -> bool:
        """Wait until all is written; False if it was not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.unsettled:
                    self._safe.clear()
                    await self._safe.wait()
        return not self.unsettled
