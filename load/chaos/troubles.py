"""All that is done to the relay, one name each. Every trouble ends by itself within seconds."""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError

from load.chaos.account import Blow
from load.chaos.fleet import STOP_WITHIN_S, Fleet, Role
from load.chaos.sink import Mood, Sink
from relay.queue.connection import AWAY, connect

FREEZE_S: Final = 5.0  # longer than a lease
AWAY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble: what it is, how to do it, and how often it is drawn. `kills` processes by SIGKILL."""

    name: str
    do: Callable[[Fleet, Sink], Awaitable[bool]]
    weight: int = 1
    kills: bool = False
    may_repeat: bool = False
    """Whether what a worker had under way may be sent again."""

    async def strike(self, fleet: Fleet, sink: Sink) -> Blow | None:
        """Do it. None if there was nothing to do it to."""
        began_s = time.monotonic()
        done = await self.do(fleet, sink)
        return Blow(self.name, began_s, time.monotonic(), self.may_repeat) if done else None


def _ended(role: Role, number: signal.Signals) -> Callable[[Fleet, Sink], Awaitable[bool]]:
    async def do(fleet: Fleet, _: Sink) -> bool:
        pid = fleet.pid(role)
        if pid is None or not await fleet.signal(role, number):
            return False
        async with asyncio.timeout(STOP_WITHIN_S):
            while fleet.pid(role) == pid:  # noqa: ASYNC110 - the system tells of no grandchild's end
                await asyncio.sleep(0.005)
        return True

    return do


def _frozen(role: Role) -> Callable[[Fleet, Sink], Awaitable[bool]]:
    async def do(fleet: Fleet, _: Sink) -> bool:
        if not await fleet.signal(role, signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(FREEZE_S)
        finally:
            await fleet.signal(role, signal.SIGCONT)
        return True

    return do


def _moody(mood: Mood) -> Callable[[Fleet, Sink], Awaitable[bool]]:
    async def do(_: Fleet, sink: Sink) -> bool:
        sink.mood = mood
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            sink.mood = Mood.FINE
        return True

    return do


async def _full_memory(fleet: Fleet, _: Sink) -> bool:
    try:
        async with connect(fleet.redis_url, connections=2) as server:
            await server.config_set("maxmemory", "1")
            try:
                await asyncio.sleep(AWAY_S)
            finally:
                await server.config_set("maxmemory", "0")
    except (*AWAY, RedisError):
        return False
    return True


async def _full_disk(fleet: Fleet, _: Sink) -> bool:
    """The server may write no file any longer: the one that runs dies of it; the one after it may again."""
    pid = fleet.pid(Role.SERVER)
    if pid is None:
        return False
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    except ProcessLookupError:
        return False
    await asyncio.sleep(AWAY_S)
    return True


async def _slow_queue(fleet: Fleet, _: Sink) -> bool:
    fleet.proxy.delay_s = 0.2
    try:
        await asyncio.sleep(AWAY_S)
    finally:
        fleet.proxy.delay_s = 0.0
    return True


async def _stalled_queue(fleet: Fleet, _: Sink) -> bool:
    fleet.proxy.open.clear()
    try:
        await asyncio.sleep(FREEZE_S)
    finally:
        fleet.proxy.open.set()
    return True


async def _cut_queue(fleet: Fleet, _: Sink) -> bool:
    fleet.proxy.cut()
    return True


KILL, TERM = signal.SIGKILL, signal.SIGTERM

TROUBLES: Final = (
    Trouble("SIGKILL door", _ended(Role.DOOR, KILL), 6, kills=True),
    Trouble("SIGKILL second door", _ended(Role.SECOND_DOOR, KILL), 6, kills=True),
    Trouble("SIGKILL worker", _ended(Role.WORKER, KILL), 8, kills=True, may_repeat=True),
    Trouble("SIGKILL second worker", _ended(Role.SECOND_WORKER, KILL), 8, kills=True, may_repeat=True),
    Trouble("SIGKILL queue's server", _ended(Role.SERVER, KILL), 8, kills=True),
    Trouble("SIGKILL supervisor", _ended(Role.SUPERVISOR, KILL), 4, kills=True, may_repeat=True),
    Trouble("SIGTERM second door", _ended(Role.SECOND_DOOR, TERM), 2),
    Trouble("SIGTERM second worker", _ended(Role.SECOND_WORKER, TERM), 2),
    Trouble("SIGTERM supervisor", _ended(Role.SUPERVISOR, TERM), 1),
    Trouble("SIGTERM queue's server", _ended(Role.SERVER, TERM), 2),
    Trouble("worker frozen", _frozen(Role.SECOND_WORKER), 1, may_repeat=True),
    Trouble("queue's server frozen", _frozen(Role.SERVER)),
    Trouble("queue's memory full", _full_memory),
    Trouble("queue's disk full", _full_disk),
    Trouble("queue slow", _slow_queue),
    Trouble("queue stalled", _stalled_queue, may_repeat=True),
    Trouble("connections to the queue cut", _cut_queue),
    *(Trouble(f"Plausible: {mood}", _moody(mood)) for mood in Mood if mood is not Mood.FINE),
)
