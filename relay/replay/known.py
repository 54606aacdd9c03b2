"""Which logs were replayed before, and up to where: a log is known by its text's beginning, not by its name.

So it is known again after it grew, was renamed, copied or compressed. A log of less than 4 KB has too little text for
that: it is known by its file as well. Marks move with the events (relay.queue.marked); here they are found.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from relay.queue.marked import REPLAYS, Marks, marks_key
from relay.replay.source import HEAD_BYTES, Log

KEPT_S: Final = 400 * 86_400  # after which a log is forgotten


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a log: the digest of its first `size` bytes, and its file."""

    log: str
    size: int
    digest: str
    file: tuple[int, int] | None
    seen_s: int
    partitions: int

    def is_of(self, log: Log) -> bool:
        """Whether it is this one."""
        if self.size > len(log.head) or _digest(log.head[: self.size]) != self.digest:
            return False
        return self.size == HEAD_BYTES or (self.file is not None and self.file == _file(log))


class PartitionsChangedError(Exception):
    """The log was replayed in part with another number of partitions."""


async def find(redis: Redis, partitions: int, log: Log, keep_ms: int) -> Marks | None:
    """The marks of a log that was replayed before; None if it was not. Raises PartitionsChangedError.

    Logs that were not seen for long are forgotten.
    """
    every = await _all(redis)
    for one in every:
        if one.seen_s < time.time() - KEPT_S:
            await _forget(redis, one)
    known = max((one for one in every if one.is_of(log)), key=lambda one: one.size, default=None)
    if known is None:
        return None
    at = await _marks(redis, known)
    if known.partitions != partitions:
        if min(at) != max(at):
            raise PartitionsChangedError
        at = at[:1] * partitions
        for partition in range(partitions):
            await redis.hset(marks_key(partition), known.log, str(at[0]))  # type: ignore[misc]
    marks = Marks(redis, known.log, at, keep_ms)
    await keep(marks, log)  # it may have grown
    return marks


def new(redis: Redis, partitions: int, log: Log, keep_ms: int) -> Marks:
    """Marks at the beginning of a log that is not known yet; `keep` makes it known."""
    name = hashlib.sha256(log.head + repr((_file(log), time.time_ns())).encode()).hexdigest()[:20]
    return Marks(redis, name, [0] * partitions, keep_ms, is_new=True)


async def keep(marks: Marks, log: Log) -> None:
    """Know this log again by what it begins with now."""
    form = {
        "size": len(log.head),
        "digest": _digest(log.head),
        "file": _file(log),
        "seen_s": int(time.time()),
        "partitions": len(marks.at),
    }
    await marks.redis.hset(REPLAYS, marks.log, orjson.dumps(form).decode())  # type: ignore[misc]


async def forget(redis: Redis, log: Log) -> bool:
    """Forget all that is kept of a log; whether anything was."""
    found = [one for one in await _all(redis) if one.is_of(log)]
    for one in found:
        await _forget(redis, one)
    return bool(found)


async def _all(redis: Redis) -> list[_Known]:
    kept: dict[bytes, bytes] = await redis.hgetall(REPLAYS)  # type: ignore[misc]
    return [_read(_text(name), orjson.loads(form)) for name, form in kept.items()]


def _read(name: str, form: dict[str, Any]) -> _Known:
    file = form["file"]
    where = None if file is None else (file[0], file[1])
    return _Known(name, form["size"], form["digest"], where, form["seen_s"], form["partitions"])


async def _marks(redis: Redis, known: _Known) -> list[int]:
    pipe = redis.pipeline(transaction=False)
    for partition in range(known.partitions):
        pipe.hget(marks_key(partition), known.log)
    return [int(mark or 0) for mark in await pipe.execute()]


async def _forget(redis: Redis, known: _Known) -> None:
    await redis.hdel(REPLAYS, known.log)  # type: ignore[misc]
    for partition in range(known.partitions):
        await redis.hdel(marks_key(partition), known.log)  # type: ignore[misc]


def _file(log: Log) -> tuple[int, int] | None:
    return None if log.device is None or log.inode is None else (log.device, log.inode)


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()


def _text(name: bytes | str) -> str:
    return name if isinstance(name, str) else name.decode()
