"""How much one worker delivers ÷ wrk straight to the same sink: the limit of delivery.

The worker has a core of its own; the queue's server and the sink share the other. The queue is filled beforehand; the
worker's start and the last few events are not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from load.bench import rounds, wrk
from load.bench.accept import ratios
from load.bench.board import Field
from load.bench.processes import LOAD_CORE, SERVER_CORE, until
from load.bench.relay import Relay
from load.bench.rounds import Round
from load.bench.stage import Stage, stage

RELAY, WRK = "relay", "wrk straight to the sink"
FROM, TO = 0.1, 0.95  # of the events: in between is measured
PATIENCE_S = 120.0


CpuClocks = Mapping[str, Callable[[], float]]
"""A clock of CPU seconds for each process of a name."""


def between(place: Stage, count: int, parts: CpuClocks, beside: CpuClocks) -> Round:
    """Watch the sink from the tenth of `count` further events to nearly all: events, wall seconds, CPU of the parts.

    Call it before they begin to come.
    """
    first, marks = place.board[Field.COUNTED], []
    for share in (FROM, TO):
        until(f"{share:.0%} of {count} events", _reached(place, first + int(share * count)), PATIENCE_S, 0.002)
        marks.append((place.board[Field.COUNTED], time.monotonic(), read(parts), read(beside)))
    (at, at_s, *had), (end, end_s, *has) = marks
    until(f"all {count} events", _reached(place, first + count), PATIENCE_S)
    used, used_beside = ({name: now[name] - then[name] for name in now} for then, now in zip(had, has, strict=True))
    return Round(end - at, end_s - at_s, used, used_beside)


def read(clocks: CpuClocks) -> dict[str, float]:
    """What each clock says now."""
    return {name: cpu_s() for name, cpu_s in clocks.items()}


def _reached(place: Stage, count: int) -> Callable[[], bool]:
    return lambda: place.board[Field.COUNTED] >= count


def relay_round(place: Stage, relay: Relay, count: int, workers: int = 1) -> Callable[[], Round]:
    """Fill the queue, start workers, watch the sink, end the workers."""

    def one() -> Round:
        relay.fill(count)
        for _ in range(workers):
            relay.add_worker()
        parts = {worker.name: partial(getattr, worker, "cpu_s") for worker in relay.workers}
        beside = {"valkey": lambda: relay.valkey.cpu_s, "sink": lambda: place.sink.cpu_s}
        found = between(place, count, parts, beside)
        relay.stop_workers()
        return found

    return one


def wrk_round(place: Stage, seconds: float) -> Callable[[], Round]:
    """One of wrk in the worker's place, on its core."""

    def one() -> Round:
        before_s = place.sink.cpu_s
        sent = wrk.send(place.sink_port, place.script, seconds, core=SERVER_CORE)
        return Round(sent.done, sent.wall_s, {"wrk": sent.cpu_s}, {"sink": place.sink.cpu_s - before_s})

    return one


def measure(count: int, seconds: float, turns: int) -> dict[str, Any]:
    """Rounds of one worker, and of wrk where it is installed."""
    with stage() as place:
        relay = Relay(place.folder / "relay", place.upstream, queue_core=LOAD_CORE)
        place.keep(relay)
        relay.start(door=False)
        systems = {RELAY: relay_round(place, relay, count)}
        if wrk.is_here():
            systems[WRK] = wrk_round(place, seconds)
        found = rounds.interleave(systems, turns)
    return {"rounds": rounds.told(found), "ratios": ratios(found)}
