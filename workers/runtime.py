"""A worker put together: client, upstream, settler, dispatcher and ownership, started and stopped as one.

It outlives the arq Worker that hosts it: when Redis goes away arq ends, but what Plausible answered
meanwhile is still known here, and is settled when Redis returns.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from relay.queue.connection import connect, settle_form
from relay.queue.stored import READS
from relay.rules.judge import OnAmbiguous, RetryPolicy, TryAgain
from relay.settings import Settings
from workers.client import Client
from workers.dispatch import DeliveryPolicy, Dispatcher
from workers.ownership import Ownership
from workers.partition import Partition
from workers.settling import Settler
from workers.tails import Tails
from workers.upstream import Fell, Upstream

log = logging.getLogger(__name__)

# Of a worker that is told to end, in seconds from then on. With what comes after, it is gone within 25 s: what waits
# 30 s before it kills, as Kubernetes and compose.yaml do, sees a clean end.
ANSWERS_WITHIN_S = 20.0
SETTLED_WITHIN_S = 22.0
GIVEN_BACK_WITHIN_S = 2.0  # after that
LOOK_EVERY_S = 1.0
ENOUGH = 4  # this part of what may be under way, waiting to be written down, keeps others from being sent


@dataclass(slots=True)
class Runtime:
    """The running parts of one worker."""

    name: str
    settings: Settings
    redis: Redis
    client: Client
    upstream: Upstream
    settler: Settler
    dispatcher: Dispatcher
    tails: Tails = field(init=False)
    ownership: Ownership = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settler.on_settled = self.dispatcher.turns.pump
        self.tails = Tails(self.redis)
        self.ownership = Ownership(
            redis=self.redis,
            worker=self.name,
            partitions=self.settings.partitions,
            open_partition=lambda number: Partition(
                number, self.redis, self.tails, self.dispatcher.turns.offer, self.settler.add
            ),
            forget=self.dispatcher.turns.forget,
            on_renewed=self.dispatcher.turns.renewed,
            state=self.describe,
        )

    async def start(self) -> None:
        """Begin to own and deliver; a second call does nothing. Raises what Redis raises, and PartitionsDifferError."""
        if not self._tasks:
            await settle_form(self.redis, self.settings.partitions)
            parts = (self.settler.run(), self.ownership.run(), self._look_upstream())
            self._tasks = [asyncio.create_task(part) for part in parts]

    async def failed(self) -> None:
        """Wait until a part fails, which only a bug makes it do, and raise its exception."""
        while True:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(LOOK_EVERY_S)

    async def stop(self, told_s: float) -> None:
        """Finish what is in flight, write it down, give the partitions back. `told_s`: when it was told to."""
        finished = await self.dispatcher.close(max(0.0, told_s + ANSWERS_WITHIN_S - time.monotonic()))
        settled = await self.settler.drained(max(0.0, told_s + SETTLED_WITHIN_S - time.monotonic()))
        if not (finished and settled):
            log.error("stopped with %d events in flight or unsettled: they will be sent again", self.unfinished)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            async with asyncio.timeout(GIVEN_BACK_WITHIN_S):
                await self.ownership.close()
        finally:
            self.tails.close()
            self.client.close()
            await self.redis.aclose()

    @property
    def unfinished(self) -> int:
        """Events in flight, and outcomes not yet written down."""
        return self.dispatcher.in_flight + self.settler.unsettled

    def describe(self) -> dict[str, Any]:
        """What the heartbeat tells to `relay status`."""
        return {
            "upstream": self.upstream.describe(time.monotonic()) | {"url": self.settings.upstream},
            "partitions": sorted(self.ownership.owned),
            "in_flight": self.dispatcher.in_flight,
            "reads": READS,
        }

    async def _look_upstream(self) -> None:
        """See at the start, and while nothing waits that could show it, whether a connection can be made."""
        while True:
            now_s = time.monotonic()
            never_tried = self.upstream.passed + self.upstream.failed == 0
            due = never_tried or (self.upstream.down and now_s >= self.upstream.circuit.next_s)
            if self.dispatcher.idle and due:
                trouble = await self.client.reach()
                nobody = self.upstream.site("")
                if trouble is not None:
                    stumble = TryAgain(0.0, trouble.trouble, aside=False, detail=trouble.detail)
                    draw = random.random()  # noqa: S311 - jitter
                    if self.upstream.stumbled(nobody, stumble, time.monotonic(), draw) is Fell.UPSTREAM:
                        log.error("the upstream is down: %s (%s)", trouble.trouble, trouble.detail)
                elif never_tried or self.upstream.circuit.reason.startswith("unreachable"):
                    self.upstream.answered(nobody)
            await asyncio.sleep(LOOK_EVERY_S)


def build_runtime(name: str, settings: Settings) -> Runtime:
    """The parts, from the settings; nothing is started. `settings.upstream` and `.redis_url` must be set."""
    assert settings.upstream is not None  # noqa: S101 - `relay work` refuses to start without
    assert settings.redis_url is not None  # noqa: S101 - the same
    redis = connect(settings.redis_url, connections=settings.partitions + 16)
    client = Client(settings.upstream, settings.connect_timeout_s, settings.answer_timeout_s)
    upstream = Upstream(settings.retry_base_s, settings.retry_cap_s, settings.concurrency)
    settler = Settler(redis, enough=max(1, settings.concurrency // ENOUGH))
    policy = DeliveryPolicy(
        retry=RetryPolicy(settings.retry_base_s, settings.retry_cap_s, settings.retry_for_s),
        concurrency=settings.concurrency,
        max_age_s=settings.max_age_s,
        on_ambiguous=OnAmbiguous(settings.ambiguous),
        on_ambiguous_revenue=OnAmbiguous(settings.ambiguous_revenue),
    )
    return Runtime(name, settings, redis, client, upstream, settler, Dispatcher(client, upstream, settler, policy))
