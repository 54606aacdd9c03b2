"""How long after a trouble all is well again, as visitors see it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from load.chaos.senders import Senders
from load.chaos.sink import Sink

PATIENCE_S: Final = 60.0


async def healed(since_s: float, sink: Sink, senders: Senders) -> float:
    """Wait until all is well; returns how long after that moment it was.

    That is, every door acknowledged an event that was posted since, and of every visitor one that was posted since
    has arrived; so every partition is served, and nothing from before waits any longer.
    """
    waiting = dict(senders.posted)
    while time.monotonic() < since_s + PATIENCE_S:
        waiting = {visitor: number for visitor, number in waiting.items() if sink.newest.get(visitor, 0) <= number}
        if not waiting and all(senders.acknowledged_s.get(door, 0.0) > since_s for door in senders.doors):
            break
        await asyncio.sleep(0.01)
    return time.monotonic() - since_s
