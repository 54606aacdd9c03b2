"""The jobs that arq runs: upkeep that may come late or twice without harm, never events.

Losing any of these may delay something and can lose nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from relay.queue import dead, leases
from relay.queue.ledger import look
from workers.runtime import Runtime

log = logging.getLogger(__name__)

LAG_WARNING_S = 60.0
DAY_S = 86_400.0


async def tend(ctx: dict[Any, Any]) -> None:
    """Keep dead letters within their limits, forget workers that are gone, say when events wait for long."""
    runtime: Runtime = ctx["runtime"]
    settings, redis = runtime.settings, runtime.redis
    gone = await dead.retain(
        redis,
        settings.partitions,
        keep_s=settings.dead_keep_days * DAY_S,
        keep_count=settings.dead_keep_count,
    )
    if gone:
        log.warning("%d dead letters went past what is kept (dead_keep_days, dead_keep_count)", gone)
    await leases.forget_gone(redis)
    seen = await look(redis, settings.partitions)
    if seen.owned < settings.partitions:
        log.warning("%d of %d partitions have no worker", settings.partitions - seen.owned, settings.partitions)
    if seen.lag_s > LAG_WARNING_S:
        log.warning("%d events wait, the oldest for %.0f s", seen.pending, seen.lag_s)
