"""What is done to the queue: its server's memory and disk, and the line to it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from typing import Final

from redis.exceptions import RedisError

from load.chaos.fleet import Role
from load.chaos.scene import Do, Scene
from relay.queue.connection import AWAY, connect

AWAY_S: Final = 2.0
STALL_S: Final = 5.0  # longer than a lease


async def full_memory(scene: Scene) -> bool:
    """Let the server have used more than its `maxmemory`."""
    try:
        async with connect(scene.fleet.redis_url, connections=2) as server:
            await server.config_set("maxmemory", "1")
            try:
                await asyncio.sleep(AWAY_S)
            finally:
                await server.config_set("maxmemory", "0")
    except (*AWAY, RedisError):
        return False
    return True


async def full_disk(scene: Scene) -> bool:
    """Let no file of the server grow: it dies of its next write, and so does each one started meanwhile."""
    end_s = time.monotonic() + AWAY_S
    limited: int | None = None
    while time.monotonic() < end_s:
        pid = scene.fleet.pid(Role.SERVER)
        if pid is not None and pid != limited:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
                limited = pid
        await asyncio.sleep(0.005)
    last = scene.fleet.pid(Role.SERVER)
    if last is not None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(last, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return limited is not None


def slow_queue(delay_s: float) -> Do:
    """Let what goes through the proxy be late, each way."""

    async def do(scene: Scene) -> bool:
        scene.fleet.proxy.delay_s = delay_s
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            scene.fleet.proxy.delay_s = 0.0
        return True

    return do


async def stalled_queue(scene: Scene) -> bool:
    """Let nothing through the proxy."""
    scene.fleet.proxy.open.clear()
    try:
        await asyncio.sleep(STALL_S)
    finally:
        scene.fleet.proxy.open.set()
    return True


async def cut_queue(scene: Scene) -> bool:
    """Reset all connections of the proxy."""
    scene.fleet.proxy.cut()
    return True
