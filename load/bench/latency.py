"""How long an event takes from its 202 to Plausible's door while little happens, and what an idle relay costs."""

from __future__ import annotations

import time
from typing import Any

from load.bench.deliver import clocks_of, read
from load.bench.relay import Relay
from load.bench.senders import Senders, percentiles
from load.bench.stage import Stage, stage

RATE = 50.0


def measure(seconds: float, idle_s: float, turns: int) -> dict[str, Any]:
    """Runs at 50 events a second; then nothing, for `idle_s`. Door, server and worker share one core."""
    with stage() as place:
        place.mood(record=True)
        relay = Relay(place.folder / "relay", place.upstream)
        place.keep(relay)
        relay.start(workers=1)
        relay.until_shared()
        _run(place, relay, 2.0, 0)
        runs = [_run(place, relay, seconds, 1_000_000 * (n + 1)) for n in range(turns)]
        parts = clocks_of(relay.door, relay.valkey, relay.workers[0], names=("door", "valkey", "worker"))
        had = read(parts)
        time.sleep(idle_s)
        idle = {name: round(100 * (used - had[name]) / idle_s, 2) for name, used in read(parts).items()}
    return {
        **{kind: percentiles([one for run in runs for one in run[kind]]) for kind in runs[0]},
        "202_to_arrival_of_each_run": [percentiles(run["202_to_arrival"]) for run in runs],
        "idle_cpu_percent": idle,
    }


def _run(place: Stage, relay: Relay, seconds: float, first: int) -> dict[str, list[float]]:
    """One run: the seconds of each event. An arrival can be seen before its 202, which has another way to go."""
    senders = Senders(place.folder, relay.port)
    senders.start([(seconds, RATE, RATE)], first)
    told = senders.wait()
    time.sleep(1)
    arrived_s = dict(place.arrivals())
    accepted = told.accepted
    missing = accepted.keys() - arrived_s.keys()
    if missing:
        raise RuntimeError(f"{len(missing)} events have not arrived within a second")
    return {
        "due_to_202": told.took_s(),
        "202_to_arrival": [max(0.0, arrived_s[number] - fate.answered_s) for number, fate in accepted.items()],
        "due_to_arrival": [arrived_s[number] - fate.due_s for number, fate in accepted.items()],
    }
