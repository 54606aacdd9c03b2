"""How much one worker delivers ÷ wrk straight to the same sink (the limit), ÷ arq with one job an event.

The worker has a core of its own; the queue's server and the sink share the other. A round: the worker waits for
events, the queue gets them all at once, the clock stops when the last one has arrived. Reading, sending and writing
down are all in it; a worker's start is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from load.bench import rounds, wrk
from load.bench.board import Field
from load.bench.processes import LOAD_CORE, SERVER_CORE, Program, until
from load.bench.relay import Relay, Valkey
from load.bench.rounds import Round
from load.bench.stage import PEERS_PYTHON, Stage, has_peers, stage
from load.peers.with_arq import jobs

RELAY, WRK, ARQ, ARQ_DEFAULTS = "relay", "wrk straight to the sink", "arq tuned", "arq with defaults"
PATIENCE_S: Final = 300.0
BACKLOG_AT_ONCE: Final = 1_000  # as large batches are written: with less the workers would wait for what fills
SETTLED_S: Final = 0.1
ARQ_SHARE: Final = 10  # arq gets a tenth of the events, or its rounds would take ten times as long

CpuClocks = Mapping[str, Callable[[], float]]
"""A clock of CPU seconds for each process of a name."""


def read(clocks: CpuClocks) -> dict[str, float]:
    """What each clock says now."""
    return {name: cpu_s() for name, cpu_s in clocks.items()}


def clocks_of(*programs: Program | Valkey, names: tuple[str, ...]) -> CpuClocks:
    """A clock for each of them."""
    return {name: partial(getattr, one, "cpu_s") for name, one in zip(names, programs, strict=True)}


def watched(place: Stage, count: int, begin: Callable[[], object], parts: CpuClocks, beside: CpuClocks) -> Round:
    """From `begin` until `count` further events are at the sink: wall seconds, CPU of the parts."""
    first, began_s, had = place.board[Field.COUNTED], time.monotonic(), (read(parts), read(beside))
    begin()
    until(f"all {count} events", lambda: place.board[Field.COUNTED] >= first + count, PATIENCE_S, 0.002)
    ended_s = time.monotonic()
    time.sleep(SETTLED_S)  # what is delivered has to be written down, too
    has = (read(parts), read(beside))
    used, used_beside = ({name: now[name] - then[name] for name in now} for then, now in zip(had, has, strict=True))
    return Round(place.board[Field.COUNTED] - first, ended_s - began_s, used, used_beside)


def relay_system(place: Stage, name: str, count: int, workers: int = 1) -> Callable[[], Round]:
    """A relay without a door, its workers waiting."""
    relay = Relay(place.folder / name, place.upstream, queue_core=LOAD_CORE)
    place.keep(relay)
    relay.start(door=False, workers=workers)
    relay.until_shared()
    parts = clocks_of(*relay.workers, names=tuple(worker.name for worker in relay.workers))
    beside = clocks_of(relay.valkey, place.sink, names=("valkey", "sink"))
    return lambda: watched(place, count, lambda: relay.fill(count, at_once=BACKLOG_AT_ONCE), parts, beside)


def arq_system(place: Stage, name: str, count: int, *, tuned: bool) -> Callable[[], Round]:
    """A worker of arq, waiting."""
    valkey = Valkey(place.folder / name, LOAD_CORE)
    valkey.start()
    place.stack.callback(valkey.server.close)
    words = ("load.peers.with_arq.worker", "--upstream", place.upstream, "--redis", valkey.url)
    worker = place.peer(f"{name}-worker", *words, *(["--tuned"] if tuned else []), python=PEERS_PYTHON)
    parts = clocks_of(worker, names=("worker",))
    beside = clocks_of(valkey, place.sink, names=("valkey", "sink"))

    def fill() -> None:
        asyncio.run(jobs.fill(valkey.url, count, 0, tuned=tuned))

    return lambda: watched(place, count, fill, parts, beside)


def wrk_system(place: Stage, seconds: float) -> Callable[[], Round]:
    """Of wrk, in the worker's place, on its core."""

    def one() -> Round:
        before_s = place.sink.cpu_s
        sent = wrk.send(place.sink_port, place.script, seconds, core=SERVER_CORE)
        return Round(sent.done, sent.wall_s, {"wrk": sent.cpu_s}, {"sink": place.sink.cpu_s - before_s})

    return one


def measure(count: int, seconds: float, turns: int, *, peers: bool = True) -> dict[str, Any]:
    """Rounds of one worker, and of wrk and arq where they are installed."""
    with stage() as place:
        systems = {RELAY: relay_system(place, "relay", count)}
        if wrk.is_here():
            systems[WRK] = wrk_system(place, seconds)
        if peers and has_peers():
            systems[ARQ] = arq_system(place, "arq", count // ARQ_SHARE, tuned=True)
            systems[ARQ_DEFAULTS] = arq_system(place, "arq-defaults", count // ARQ_SHARE, tuned=False)
        found = rounds.interleave(systems, turns)
    return {"rounds": rounds.told(found), "ratios": rounds.ratios(found, RELAY)}


def measure_workers(count: int, turns: int, many: int = 4) -> dict[str, Any]:
    """Rounds of four workers and of one, on the same single core."""
    with stage() as place:
        names = {f"{many} workers": many, "1 worker": 1}
        systems = {name: relay_system(place, name.replace(" ", "-"), count, n) for name, n in names.items()}
        found = rounds.interleave(systems, turns)
    return {"rounds": rounds.told(found), "ratios": rounds.ratios(found, f"{many} workers")}
