"""All that is done to the relay, one name each. Every trouble ends by itself within seconds."""

from __future__ import annotations

import asyncio
import contextlib
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

Do = Callable[[Fleet, Sink], Awaitable[bool]]
"""Do it; False if there was nothing to do it to."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble: what it is, how to do it, and how often it is drawn. `kills` processes by SIGKILL."""

    name: str
    do: Do
    weight: int = 1
    kills: bool = False
    may_repeat: bool = False
    """Whether what a worker had under way may be sent again."""
    may_swap: bool = False
    """Whether an event may be tried, and pass, before the one that it waits for."""

    async def strike(self, fleet: Fleet, sink: Sink) -> Blow | None:
        """Do it. None if there was nothing to do it to."""
        began_s = time.monotonic()
        done = await self.do(fleet, sink)
        return Blow(self.name, began_s, time.monotonic(), self.may_repeat, self.may_swap) if done else None


def ended(role: Role, number: signal.Signals) -> Do:
    """Send a signal that ends it, and wait for that."""

    async def do(fleet: Fleet, _: Sink) -> bool:
        pid = fleet.pid(role)
        if pid is None or not await fleet.signal(role, number):
            return False
        async with asyncio.timeout(STOP_WITHIN_S):
            while fleet.pid(role) == pid:  # noqa: ASYNC110 - the system tells of no grandchild's end
                await asyncio.sleep(0.005)
        return True

    return do


def frozen(role: Role, for_s: float = FREEZE_S) -> Do:
    """Let it neither answer nor end."""

    async def do(fleet: Fleet, _: Sink) -> bool:
        if not await fleet.signal(role, signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(for_s)
        finally:
            await fleet.signal(role, signal.SIGCONT)
        return True

    return do


def moody(mood: Mood) -> Do:
    """Let Plausible's place fail in this way."""

    async def do(_: Fleet, sink: Sink) -> bool:
        sink.mood = mood
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            sink.mood = Mood.FINE
        return True

    return do


async def full_memory(fleet: Fleet, _: Sink) -> bool:
    """Let the server have used more than its `maxmemory`."""
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


async def full_disk(fleet: Fleet, _: Sink) -> bool:
    """Let no file of the server grow: it dies of its next write, and so does each one started meanwhile."""
    end_s = time.monotonic() + AWAY_S
    limited: int | None = None
    while time.monotonic() < end_s:
        pid = fleet.pid(Role.SERVER)
        if pid is not None and pid != limited:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
                limited = pid
        await asyncio.sleep(0.005)
    last = fleet.pid(Role.SERVER)
    if last is not None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(last, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return limited is not None


def slow_queue(delay_s: float) -> Do:
    """Let what goes through the proxy be late, each way."""

    async def do(fleet: Fleet, _: Sink) -> bool:
        fleet.proxy.delay_s = delay_s
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            fleet.proxy.delay_s = 0.0
        return True

    return do


async def stalled_queue(fleet: Fleet, _: Sink) -> bool:
    """Let nothing through the proxy."""
    fleet.proxy.open.clear()
    try:
        await asyncio.sleep(FREEZE_S)
    finally:
        fleet.proxy.open.set()
    return True


async def cut_queue(fleet: Fleet, _: Sink) -> bool:
    """Reset all connections of the proxy."""
    fleet.proxy.cut()
    return True


KILL, TERM = signal.SIGKILL, signal.SIGTERM

TROUBLES: Final = (
    Trouble("SIGKILL door", ended(Role.DOOR, KILL), 6, kills=True),
    Trouble("SIGKILL second door", ended(Role.SECOND_DOOR, KILL), 6, kills=True),
    Trouble("SIGKILL worker", ended(Role.WORKER, KILL), 8, kills=True, may_repeat=True),
    Trouble("SIGKILL second worker", ended(Role.SECOND_WORKER, KILL), 8, kills=True, may_repeat=True),
    Trouble("SIGKILL queue's server", ended(Role.SERVER, KILL), 8, kills=True),
    Trouble("SIGKILL supervisor", ended(Role.SUPERVISOR, KILL), 4, kills=True, may_repeat=True),
    Trouble("SIGTERM second door", ended(Role.SECOND_DOOR, TERM), 2),
    Trouble("SIGTERM second worker", ended(Role.SECOND_WORKER, TERM), 2),
    Trouble("SIGTERM supervisor", ended(Role.SUPERVISOR, TERM), 1),
    Trouble("SIGTERM queue's server", ended(Role.SERVER, TERM), 2),
    Trouble("worker frozen", frozen(Role.SECOND_WORKER), 1, may_repeat=True),
    Trouble("queue's server frozen", frozen(Role.SERVER)),
    Trouble("queue's memory full", full_memory),
    Trouble("queue's disk full", full_disk),
    Trouble("queue slow", slow_queue(0.2)),
    Trouble("queue too slow", slow_queue(1.5), may_repeat=True),
    Trouble("queue stalled", stalled_queue, may_repeat=True),
    Trouble("connections to the queue cut", cut_queue),
    *(
        Trouble(f"Plausible: {mood}", moody(mood), may_swap=mood is Mood.CRASHING)
        for mood in Mood
        if mood is not Mood.FINE
    ),
)
