"""`GET /metrics` for Prometheus: the ledger of the whole relay and this door's own counters.

The names, kinds and meanings of all metrics are listed here and nowhere else. No label ever holds anything of
a person or anything that a sender can choose freely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from relay.http.operators import Operators
from relay.http.watch import Watch
from relay.rules.drops import DropCause
from relay.rules.judge import DeadReason


@dataclass(frozen=True, eq=False)
class RelayCollector(Collector):
    """Turns the watch's last look into metrics."""

    watch: Watch

    def collect(self) -> Iterator[Metric]:
        """Every metric of the relay."""
        ready = GaugeMetricFamily("relay_ready", "1 if this door can keep its promise now.")
        ready.add_metric([], 0 if self.watch.unready() else 1)
        yield ready
        refused = CounterMetricFamily("relay_refused", "Requests this door refused, by reason.", labels=["reason"])
        for reason, n in sorted(self.watch.refused.items()):
            refused.add_metric([reason], n)
        yield refused
        if self.watch.seen is not None and not self.watch.trouble:
            yield from self._ledger()
            yield from self._delivery()

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


@dataclass(frozen=True)
class Exposed:
    """The endpoint."""

    watch: Watch
    operators: Operators
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.registry.register(RelayCollector(self.watch))

    async def get(self, request: web.Request) -> web.Response:
        """The metrics, at most a quarter of a second old; 401 for everybody but operators."""
        if not self.operators.include(request):
            return self.operators.refusal()
        await self.watch.refresh()
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _from_zero(known: type[StrEnum], counted: Mapping[str, int]) -> dict[str, int]:
    """Every known label from 0 on: Prometheus sees no rise in a series that begins with its first occurrence."""
    return {str(label): 0 for label in known} | dict(counted)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning)
    family.add_metric([], value)
    return family
