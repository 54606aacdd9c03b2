"""What is done to processes: ended, or frozen."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from load.chaos.fleet import STOP_WITHIN_S, Role
from load.chaos.scene import Do, Scene

FREEZE_S: Final = 5.0  # longer than a lease
KILL, TERM = signal.SIGKILL, signal.SIGTERM


def ended(role: Role, number: signal.Signals) -> Do:
    """Send a signal that ends it, and wait for that."""

    async def do(scene: Scene) -> bool:
        pid = scene.fleet.pid(role)
        if pid is None or not await scene.fleet.signal(role, number):
            return False
        async with asyncio.timeout(STOP_WITHIN_S):
            while scene.fleet.pid(role) == pid:  # noqa: ASYNC110 - the system tells of no grandchild's end
                await asyncio.sleep(0.005)
        return True

    return do


def frozen(role: Role, for_s: float = FREEZE_S) -> Do:
    """Let it neither answer nor end."""

    async def do(scene: Scene) -> bool:
        if not await scene.fleet.signal(role, signal.SIGSTOP):
            return False
        try:
            await asyncio.sleep(for_s)
        finally:
            await scene.fleet.signal(role, signal.SIGCONT)
        return True

    return do
