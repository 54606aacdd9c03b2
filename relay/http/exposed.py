"""`GET /metrics` for Prometheus: the ledger of the whole relay and this door's own counters.

The names, kinds and meanings of all metrics are listed here and nowhere else. No label ever holds anything of
a person or anything that a sender can choose freely: sites are told apart only if RELAY_SITES or a source names them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from relay.http.operators import Operators
from relay.http.scripts import Result
from relay.http.verdicts import Status
from relay.http.watch import LOOK_TIMEOUT_S, Watch
from relay.queue.connection import AWAY
from relay.queue.tallies import DAY_S, NOTHING, Tally, first_hour, summed
from relay.rules.drops import DropCause
from relay.rules.judge import DeadReason

OUTCOMES: Final = ("delivered", "dropped", "dead", "pending")


@dataclass(eq=False)
class RelayCollector(Collector):
    """Turns the watch's last look, and the account of the last day by site, into metrics."""

    watch: Watch
    by_site: Mapping[str, Tally] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        """Every metric of the relay."""
        ready = GaugeMetricFamily("relay_ready", "1 if this door can keep its promise now.")
        ready.add_metric([], 0 if self.watch.unready() else 1)
        yield ready
        refused = CounterMetricFamily("relay_refused", "Requests this door refused, by reason.", labels=["reason"])
        for reason, n in sorted(self.watch.refused.items()):
            refused.add_metric([reason], n)
        yield refused
        yield from self._batches()
        yield self._scripts()
        if self.watch.seen is not None and not self.watch.trouble:
            yield from self._ledger()
            yield from self._delivery()
            yield self._sites()

    def _batches(self) -> Iterator[Metric]:
        batches = CounterMetricFamily("relay_batches", "Batches that this door answered with verdicts.")
        batches.add_metric([], self.watch.batches)
        yield batches
        items = CounterMetricFamily("relay_batch_items", "Items of these, by what became of them.", labels=["status"])
        for status, n in _from_zero(Status, self.watch.items).items():
            items.add_metric([status], n)
        yield items

    def _scripts(self) -> Metric:
        scripts = CounterMetricFamily(
            "relay_scripts", "Requests for Plausible's script, by what became of them.", labels=["result"]
        )
        for result, n in _from_zero(Result, self.watch.scripts).items():
            scripts.add_metric([result], n)
        return scripts

    def _ledger(self) -> Iterator[Metric]:
        seen = self.watch.seen
        assert seen is not None  # noqa: S101 - collect() has looked
        numbers = seen.ledger
        accepted = CounterMetricFamily("relay_accepted", "Events accepted by all doors.")
        accepted.add_metric([], numbers["accepted"])
        yield accepted
        delivered = CounterMetricFamily("relay_delivered", "Events that Plausible took.")
        delivered.add_metric([], numbers["delivered"])
        yield delivered
        dropped = CounterMetricFamily(
            "relay_dropped", "Events that Plausible dropped, by probable cause.", labels=["cause"]
        )
        for cause, n in _from_zero(DropCause, seen.reasons("dropped")).items():
            dropped.add_metric([cause], n)
        yield dropped
        dead = GaugeMetricFamily(
            "relay_dead", "Events given up and not sent again since, by reason.", labels=["reason"]
        )
        for reason, n in _from_zero(DeadReason, seen.reasons("dead")).items():
            dead.add_metric([reason], n)
        yield dead
        repeated = CounterMetricFamily("relay_repeated", "Events that are known to have been sent twice.")
        repeated.add_metric([], seen.counters.get("repeated", 0))
        yield repeated
        duplicates = CounterMetricFamily(
            "relay_duplicates", "Events that a sender repeated with their Idempotency-Key; not accepted again."
        )
        duplicates.add_metric([], seen.counters.get("duplicates", 0))
        yield duplicates
        yield _gauge("relay_pending", "Accepted events without an outcome.", seen.pending)
        yield _gauge("relay_failing", "Pending events that failed at least once.", seen.failing)
        yield _gauge("relay_dead_letters", "Dead letters that are kept.", seen.letters)
        yield _gauge("relay_lag_seconds", "Age of the oldest pending event.", seen.lag_s)

    def _delivery(self) -> Iterator[Metric]:
        seen = self.watch.seen
        assert seen is not None  # noqa: S101 - collect() has looked
        yield _gauge("relay_workers", "Workers with a heartbeat.", len(seen.workers))
        yield _gauge("relay_partitions_owned", "Partitions that have a worker.", seen.owned)
        down = sum(1 for state in self.watch.upstreams() if state.get("state") == "down")
        yield _gauge("relay_upstream_down", "Workers that see the upstream down.", down)

    def _sites(self) -> Metric:
        events = GaugeMetricFamily(
            "relay_site_events",
            "Events accepted within the last 24 hours, whole hours, by site and what became of them.",
            labels=["site", "outcome"],
        )
        for site, tally in sorted(self.by_site.items()):
            for outcome in OUTCOMES:
                events.add_metric([site, outcome], getattr(tally, outcome))
        return events


@dataclass(eq=False)
class Exposed:
    """The endpoint. `named_sites` gives those that are told apart: named by the operator, never by a sender."""

    watch: Watch
    operators: Operators
    named_sites: Callable[[], frozenset[str]]
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    collector: RelayCollector = field(init=False)

    def __post_init__(self) -> None:
        self.collector = RelayCollector(self.watch)
        self.registry.register(self.collector)

    async def get(self, request: web.Request) -> web.Response:
        """The metrics, at most a quarter of a second old; 401 for everybody but operators."""
        if not self.operators.include(request):
            return self.operators.refusal()
        await self.watch.refresh()
        self.collector.by_site = await self._by_site()
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _by_site(self) -> Mapping[str, Tally]:
        """The last day of each named site, from 0 on; nothing while the queue can't be asked."""
        sites = self.named_sites()
        if not sites or self.watch.trouble:
            return {}
        redis = self.watch.redis
        with contextlib.suppress(*AWAY, RedisError):
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                since_hour = await first_hour(redis, DAY_S)
                found = await summed(redis, self.watch.partitions, since_hour, lambda place: place[1])
            return {site: found.get(site, NOTHING) for site in sites}
        return {}


def _from_zero(known: type[StrEnum], counted: Mapping[str, int]) -> dict[str, int]:
    """Every known label from 0 on: Prometheus sees no rise in a series that begins with its first occurrence."""
    return {str(label): 0 for label in known} | dict(counted)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning)
    family.add_metric([], value)
    return family
