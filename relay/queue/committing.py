"""Accepting: `put` returns when Redis has the events on disk.

Self-clocked group commit: all that arrives while one write is in flight becomes the next write, so there
is no timer, and a lonely event waits for nobody. A server that is away fails all who wait, within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import RedisError

from relay.queue import keys
from relay.queue.connection import AWAY, describe
from relay.queue.stored import StoredEvent, pack, partition_of

COMMIT_TIMEOUT_S = 0.9  # a sender is told 503 within a second (docs/promises.md)
EVENTS_A_WRITE = 1_000  # keeps one script call in the low milliseconds, so that workers get their turn
BYTES_A_WRITE = 4_000_000  # a megabyte each is legal: the write has to fit into COMMIT_TIMEOUT_S


class UnavailableError(Exception):
    """The events are not known to be kept: the sender shall try again. The text says why."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """An event as it is written."""

    partition: int
    tally: tuple[str, str]
    form: bytes


@dataclass(slots=True)
class _Waiter:
    """The events of one request, packed, and who waits for them."""

    packed: list[_Packed]
    done: asyncio.Future[None]


@dataclass(slots=True)
class Committer:
    """One ordered connection that writes all accepted events of a door."""

    redis: Redis
    partitions: int
    backlog: dict[int, int] = field(default_factory=dict)
    """Pending events by partition, as far as the last writes and looks showed."""
    written: set[int] = field(default_factory=set)
    """Partitions that got events since somebody cleared this."""
    _waiting: list[_Waiter] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _connection: Connection | None = None
    _put_sha: bytes = b""

    async def put(self, events: Sequence[StoredEvent]) -> None:
        """Keep the events; returns when they are durable, raises UnavailableError when that is not certain."""
        packed = [_Packed(partition_of(event, self.partitions), event.tally, pack(event)) for event in events]
        waiter = _Waiter(packed, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._wake.set()
        await waiter.done

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            while True:
                await self._wake.wait()
                batch = self._next_batch()
                try:
                    async with asyncio.timeout(COMMIT_TIMEOUT_S):
                        await self._write(batch)
                except (*AWAY, RedisError, hiredis.HiredisError) as error:
                    await self._disconnect()
                    batch += self._all_waiting()  # they wait already: another try would take them past the second
                    _fail(batch, f"the queue is not available: {describe(error)}")
                except Exception:
                    await self._disconnect()
                    _fail(batch, "the queue is not available: internal error")
                    raise
        finally:
            _fail(self._waiting, "the relay is stopping")
            await self._disconnect()

    def _next_batch(self) -> list[_Waiter]:
        """Take the waiters of one write, in the order of their arrival; one request is never torn apart."""
        taken = events = size = 0
        for waiter in self._waiting:
            events += len(waiter.packed)
            size += sum(len(event.form) for event in waiter.packed)
            if taken and (events > EVENTS_A_WRITE or size > BYTES_A_WRITE):
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        if not self._waiting:
            self._wake.clear()
        return batch

    def _all_waiting(self) -> list[_Waiter]:
        waiting, self._waiting = self._waiting, []
        self._wake.clear()
        return waiting

    async def _write(self, batch: list[_Waiter]) -> None:
        by_partition: dict[int, list[_Packed]] = {}
        for waiter in batch:
            for event in waiter.packed:
                by_partition.setdefault(event.partition, []).append(event)
        connection = await self._connected()
        await connection.send_packed_command(
            [self._command(partition, events) for partition, events in by_partition.items()],
            check_health=False,
        )
        failed: dict[int, str] = {}
        for partition in by_partition:
            reply = await _reply(connection)
            if isinstance(reply, RedisError):
                failed[partition] = describe(reply)
            else:
                self.backlog[partition] = reply
                self.written.add(partition)
        if failed:  # also an unknown script after a failover: a new connection loads it again
            await self._disconnect()
        _answer(batch, failed)

    def _command(self, partition: int, events: list[_Packed]) -> bytes:
        """One call of PUT, ready to send."""
        tallies = Counter(event.tally for event in events)
        counted = [part for (hour, site), n in tallies.items() for part in (hour, site, n)]
        touched = (keys.events(partition), keys.ledger(partition), keys.tally(partition))
        forms = [event.form for event in events]
        words = (b"EVALSHA", self._put_sha, len(touched), *touched, len(tallies), *counted, *forms)
        packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # its stub knows tuples of one only
        return packed

    async def _connected(self) -> Connection:
        if self._connection is None:
            connection: Connection = self.redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_command("SCRIPT", "LOAD", keys.PUT)
            self._put_sha = await connection.read_response(disable_decoding=True)
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*AWAY, RedisError):
                await connection.disconnect(nowait=True)


async def _reply(connection: Connection) -> Any:
    """One script's answer; an error of that script is a value, as the others' answers still follow."""
    try:
        return await connection.read_response(disable_decoding=True)
    except AWAY:
        raise
    except RedisError as error:
        return error


def _answer(batch: list[_Waiter], failed: dict[int, str]) -> None:
    """Tell each request how its own partitions fared."""
    for waiter in batch:
        reasons = [failed[event.partition] for event in waiter.packed if event.partition in failed]
        if reasons:
            _fail([waiter], f"the queue did not take it: {reasons[0]}")
        elif not waiter.done.done():  # a client that went away cancels its own wait only
            waiter.done.set_result(None)


def _fail(batch: list[_Waiter], reason: str) -> None:
    for waiter in batch:
        if not waiter.done.done():
            waiter.done.set_exception(UnavailableError(reason))
