"""What happens to a relay in use, in short: open-loop senders, a sink with moods, and the account after it.

One core has the door, the queue's server and the worker, the other the senders and the sink.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis import Redis

from load.bench import events
from load.bench.balance import balance
from load.bench.board import Field
from load.bench.processes import until
from load.bench.relay import PARTITIONS, Relay
from load.bench.senders import Plan, Senders, percentiles
from load.bench.stage import Stage, stage
from relay.queue import keys, looks

SAMPLE_S: Final = 0.25
DRAINED_WITHIN_S: Final = 300.0
APART: Final = 10_000_000  # numbers of one sender's events
BACKLOG_FIRST: Final = 900_000_000


@dataclass(frozen=True, slots=True)
class Turn:
    """At `at` of the whole length the sink changes its mood."""

    at: float
    mood: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Senders (kind, plan with seconds of the long form), the sink's moods, events that are there beforehand."""

    name: str
    says: str
    senders: Sequence[tuple[str, Plan]]
    turns: Sequence[Turn] = ()
    backlog: bool = False


SCENARIOS: Final = (
    Scenario("steady", "200 events a second", [("tracker", [(20, 200, 200)])]),
    Scenario(
        "burst",
        "50 a second, 600 a second for 5 s, 50 a second",
        [("tracker", [(5, 50, 50), (5, 600, 600), (10, 50, 50)])],
    ),
    Scenario("ramp", "from 10 to 800 a second", [("tracker", [(20, 10, 800)])]),
    Scenario(
        "slow upstream",
        "150 a second, answers after half a second in the middle third",
        [("tracker", [(20, 150, 150)])],
        [Turn(0.33, {"delay_s": 0.5}), Turn(0.66, {})],
    ),
    Scenario(
        "outage",
        "150 a second, 503 to everything in the middle third",
        [("tracker", [(20, 150, 150)])],
        [Turn(0.33, {"fail": 1.0}), Turn(0.66, {})],
    ),
    Scenario("backlog", "100 a second on top of a backlog", [("tracker", [(20, 100, 100)])], backlog=True),
    Scenario("batch", "4 batches of 100 events a second", [("batch", [(20, 4, 4)])]),
    Scenario(
        "mixed",
        "trackers, servers, readers, batches, and some whose events are wrong",
        [
            ("tracker", [(20, 60, 60)]),
            ("server", [(20, 40, 40)]),
            ("engagement", [(20, 30, 30)]),
            ("wrong", [(20, 10, 10)]),
            ("batch", [(20, 1, 1)]),
        ],
    ),
)


@dataclass(slots=True)
class Watch:
    """What was pending and what had arrived, every quarter of a second."""

    place: Stage
    redis: Redis
    began_s: float = field(default_factory=time.monotonic)
    samples: list[tuple[float, int, int]] = field(default_factory=list)

    def pending(self) -> int:
        """Look, note, tell."""
        with self.redis.pipeline(transaction=False) as pipe:
            for partition in range(PARTITIONS):
                pipe.eval(looks.PENDING, 2, keys.events(partition), keys.bundles(partition))
            pending = sum(map(int, pipe.execute()))
        passed_s = round(time.monotonic() - self.began_s, 2)
        self.samples.append((passed_s, pending, self.place.board[Field.COUNTED]))
        return pending


def measure(length: float, backlog: int) -> dict[str, Any]:
    """Every scenario, its seconds multiplied by `length`; `backlog` events for the one that has them."""
    told = {}
    with stage() as place:
        for number, scenario in enumerate(SCENARIOS):
            place.mood(record=True)
            relay = Relay(place.folder / f"relay{number}", place.upstream)
            try:
                told[scenario.name] = run(place, relay, scenario, length, backlog if scenario.backlog else 0)
            finally:
                relay.stop()
    return {"scenarios": told}


def run(place: Stage, relay: Relay, scenario: Scenario, length: float, backlog: int) -> dict[str, Any]:
    """One scenario against a relay that is not started yet, until nothing is pending any more."""
    relay.start()
    if backlog:
        relay.fill(backlog, BACKLOG_FIRST)
    place.arrivals()  # of the one before: forgotten
    relay.add_worker()
    relay.until_shared()
    with Redis.from_url(relay.valkey.url) as redis:
        watch, senders = Watch(place, redis), Senders(place.folder, relay.port)
        for number, (kind, plan) in enumerate(scenario.senders):
            first = (number + 1) * APART // (events.BATCH if kind == "batch" else 1)
            senders.start([(length * s, low, high) for s, low, high in plan], first, kind)
        whole_s = length * max(sum(stretch[0] for stretch in plan) for _, plan in scenario.senders)
        _conduct(place, scenario, watch, senders, whole_s)
        told = senders.wait()
        ended_s = time.monotonic()
        until("an empty queue", lambda: watch.pending() == 0, DRAINED_WITHIN_S, SAMPLE_S)
        drained_s = time.monotonic() - ended_s
    arrivals = place.arrivals()
    accepted = told.accepted
    arrived_s = dict(reversed(arrivals))  # the first arrival of each
    way_s = [max(0.0, arrived_s[number] - fate.answered_s) for number, fate in accepted.items() if number in arrived_s]
    return {
        "says": scenario.says,
        "seconds": round(whole_s, 1),
        "backlog": backlog,
        "due_to_202": percentiles(told.took_s()),
        "202_to_arrival": percentiles(way_s),
        "drained_after_s": round(drained_s, 2),
        "balance": balance(told, [number for number, _ in arrivals], relay.account(), backlog),
        "samples": watch.samples,
    }


def _conduct(place: Stage, scenario: Scenario, watch: Watch, senders: Senders, whole_s: float) -> None:
    """Turn the sink's mood when it is time, and watch, until the senders end."""
    left = list(scenario.turns)
    while not senders.are_done:
        if left and time.monotonic() - watch.began_s >= left[0].at * whole_s:
            place.mood(record=True, **left.pop(0).mood)
        watch.pending()
        time.sleep(SAMPLE_S)
    for turn in left:
        place.mood(record=True, **turn.mood)
