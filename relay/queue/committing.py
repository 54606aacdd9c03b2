"""Accepting: `put` returns when Redis has the events on disk.

Self-clocked group commit: all that arrives while one write is in flight, and until nobody else is at the door, becomes
the next write, so there is no timer, and a lonely event waits for nobody. A server that is away fails all who wait,
within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import RedisError, ResponseError

from relay.queue import keys, once
from relay.queue.connection import AWAY, answer_of, describe
from relay.queue.once import Item, PackedItem, Receipt
from relay.queue.packing import packed, packed_apart, places_of
from relay.queue.stored import StoredEvent, partition_of
from relay.queue.waiting import Told, UnavailableError, Waiter, answer, fail

COMMIT_TIMEOUT_S = 0.9  # a sender is told 503 within a second (docs/promises.md)
EVENTS_A_WRITE = 1_000  # keeps one script call in the low milliseconds, so that workers get their turn
_RECEIPTS = frozenset(map(str, Receipt)) - {Receipt.UNAVAILABLE}
GATHERED = 64  # events, a few milliseconds of the door's: with so many a write begins, whoever else is at the door
QUIET_TURNS = 5  # of the event loop in which nobody came: whoever had his answer a moment ago may have written again
BYTES_A_WRITE = 4_000_000  # a megabyte each is legal: the write has to fit into COMMIT_TIMEOUT_S


@dataclass(slots=True)
class Committer:
    """One ordered connection that writes all accepted events of a door."""

    redis: Redis
    partitions: int
    backlog: dict[int, int] = field(default_factory=dict)
    """Pending events by partition: those that the last look found, and what was written since."""
    written: Counter[int] = field(default_factory=Counter)
    """Of these the events that were written since somebody cleared this."""
    keep_ms: int = 86_400_000
    """How long the key of an event is remembered."""
    forms: str = ""
    """The versions of the stored form that all workers read (forms.py)."""
    _waiting: list[Waiter] = field(default_factory=list)
    _events: int = 0
    """How many events wait."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _connection: Connection | None = None
    _put_sha: bytes = b""
    _once_sha: bytes = b""

    async def put(self, events: Sequence[StoredEvent]) -> None:
        """Keep the events; returns when they are durable, raises UnavailableError when that is not certain."""
        await self._kept(events)

    def submit(self, event: StoredEvent, told: Told) -> None:
        """Keep the event, without waiting: `told` hears what `put` would return or raise."""
        self._let_wait(Waiter((event,), (partition_of(event, self.partitions),), len(event.body), told))

    def submit_each(self, events: Sequence[StoredEvent], told: Told) -> None:
        """Keep the events, each for itself, without waiting: `told` hears what `put_each` would return or raise."""
        self._let_wait(self._waiter(events, told, [1] * len(events)))

    async def put_each(self, events: Sequence[StoredEvent]) -> list[Receipt]:
        """Keep the events, each for itself: as `put_items` for items of one event and without a key."""
        return await self._kept(events, [1] * len(events))

    async def put_items(self, items: Sequence[Item]) -> list[Receipt]:
        """Keep the items, each of which may have a key, in their order; one receipt for each when they are durable.

        With a key an item is kept once: ACCEPTED now, DUPLICATE if its first was (of several sites: all of them),
        CONFLICT, and nothing of it kept, if the key came with another body. Items of one call and calls of all doors
        count alike. UNAVAILABLE is one that alone is not known to be kept; raises UnavailableError if none is. Sent
        again with its key, what was kept nevertheless is a DUPLICATE.
        """
        events = [event for item in items for event in item.events]
        keyed = any(item.once is not None and item.events for item in items)
        return await self._kept(events, [len(item.events) for item in items], items if keyed else ())

    async def _kept(
        self, events: Sequence[StoredEvent], sizes: Sequence[int] = (), items: Sequence[Item] = ()
    ) -> list[Receipt]:
        done: asyncio.Future[list[Receipt]] = asyncio.get_running_loop().create_future()

        def told(result: list[Receipt] | UnavailableError) -> None:
            if done.done():  # a client that went away cancels its own wait only
                return
            if isinstance(result, UnavailableError):
                done.set_exception(result)
            else:
                done.set_result(result)

        self._let_wait(self._waiter(events, told, sizes, items))
        return await done

    def _waiter(
        self, events: Sequence[StoredEvent], told: Told, sizes: Sequence[int], items: Sequence[Item] = ()
    ) -> Waiter:
        size = sum([len(event.body) for event in events])
        return Waiter(events, places_of(events, self.partitions), size, told, sizes, items)

    def _let_wait(self, waiter: Waiter) -> None:
        self._waiting.append(waiter)
        self._events += len(waiter.events)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            while True:
                await self._wake.wait()
                await self._gather()
                batch = self._next_batch()
                try:
                    async with asyncio.timeout(COMMIT_TIMEOUT_S):
                        await self._write(batch)
                except (*AWAY, RedisError, hiredis.HiredisError) as error:
                    await self._disconnect()
                    batch += self._all_waiting()  # they wait already: another try would take them past the second
                    fail(batch, f"the queue is not available: {describe(error)}")
                except Exception:
                    await self._disconnect()
                    fail(batch, "the queue is not available: internal error")
                    raise
        finally:
            fail(self._waiting, "the relay is stopping")
            await self._disconnect()

    async def _gather(self) -> None:
        """Let in who is at the door: a write costs the server as much as a dozen events, and all of these share one."""
        events = quiet = 0
        while quiet < QUIET_TURNS and self._events < GATHERED:
            quiet = 0 if self._events > events else quiet + 1
            events = self._events
            await asyncio.sleep(0)

    def _next_batch(self) -> list[Waiter]:
        """Take the waiters of one write, in the order of their arrival; one request is never torn apart."""
        taken = events = size = 0
        for waiter in self._waiting:
            events += len(waiter.events)
            size += waiter.size
            if taken and (events > EVENTS_A_WRITE or size > BYTES_A_WRITE):
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._events -= sum(len(waiter.events) for waiter in batch)
        if not self._waiting:
            self._wake.clear()
        return batch

    def _all_waiting(self) -> list[Waiter]:
        waiting, self._waiting = self._waiting, []
        self._events = 0
        self._wake.clear()
        return waiting

    async def _write(self, batch: list[Waiter]) -> None:
        by_partition: dict[int, list[StoredEvent]] = {}
        for waiter in batch:
            if not waiter.items:
                for event, place in zip(waiter.events, waiter.places, strict=True):
                    by_partition.setdefault(place, []).append(event)
        groups = once.calls([item for waiter in batch for item in self._packed_items(waiter)])
        connection = await self._connected()
        calls = [self._command(by_partition)] if by_partition else []
        calls += [once.command(self._once_sha, items, self.keep_ms) for items in groups]
        await connection.send_packed_command(calls, check_health=False)
        failed = self._failed(by_partition, await answer_of(connection)) if by_partition else {}
        told = [word for items in groups for word in self._told(items, await answer_of(connection))]
        if failed or not all(isinstance(word, Receipt) for word in told):
            await self._disconnect()  # also an unknown script after a failover: a new connection loads it again
        answer(batch, failed, told)

    def _packed_items(self, waiter: Waiter) -> Iterator[PackedItem]:
        """Items any of which has a key, each event in an entry of its own, as one may be kept and the other not."""
        each = iter(zip(waiter.events, waiter.places, strict=True))
        for item in waiter.items:
            some = islice(each, len(item.events))
            entries = [entry for event, place in some for entry in packed_apart(place, [event], self.forms)]
            yield once.packed_item(item, entries)

    def _told(self, items: Sequence[PackedItem], reply: Any) -> list[Receipt | str]:
        """Of each item its receipt, or why it failed."""
        if isinstance(reply, RedisError):
            return [describe(reply)] * len(items)
        for item, word in zip(items, reply, strict=True):
            for event in item.events if word == b"accepted" else ():
                self._written(event.partition, 1)
        return [
            Receipt(word) if word in _RECEIPTS else describe(ResponseError(word)) for word in map(bytes.decode, reply)
        ]

    def _failed(self, by_partition: Mapping[int, list[StoredEvent]], reply: Any) -> dict[int, str]:
        """Of PUT's reply the partitions that failed, and why."""
        if isinstance(reply, RedisError):
            return dict.fromkeys(by_partition, describe(reply))
        failed = {}
        for (partition, events), told in zip(by_partition.items(), reply, strict=True):
            if told:
                failed[partition] = describe(ResponseError(told.decode()))
            else:
                self._written(partition, len(events))
        return failed

    def _written(self, partition: int, events: int) -> None:
        self.backlog[partition] = self.backlog.get(partition, 0) + events
        self.written[partition] += events

    def _command(self, by_partition: Mapping[int, list[StoredEvent]]) -> bytes:
        """The call of PUT, ready to send."""
        touched: list[str] = []
        told: list[str | bytes | int] = []
        for partition, events in by_partition.items():
            entries = packed(partition, events, self.forms)
            touched += (keys.events(partition), keys.ledger(partition), keys.tally(partition), keys.bundles(partition))
            tallies: dict[tuple[str, str], int] = {}
            for entry in entries:
                tallies[entry.tally] = tallies.get(entry.tally, 0) + entry.events
            told += (len(tallies), len(events), len(entries))
            for (hour, site), n in tallies.items():
                told += (hour, site, n)
            told += [entry.form for entry in entries]
        words = (b"EVALSHA", self._put_sha, len(touched), *touched, *told)
        call: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows tuples of one only
        return call

    async def _connected(self) -> Connection:
        if self._connection is None:
            connection: Connection = self.redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            await connection.connect()  # type: ignore[no-untyped-call]
            for script in (keys.PUT, once.PUT_ONCE):
                await connection.send_command("SCRIPT", "LOAD", script)
            self._put_sha = await connection.read_response(disable_decoding=True)
            self._once_sha = await connection.read_response(disable_decoding=True)
            connection.socket_timeout = None  # each write has a limit for all that it does
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*AWAY, RedisError):
                await connection.disconnect(nowait=True)
