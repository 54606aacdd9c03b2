"""A long backlog: whether it is drained as fast as a short one, and what it costs in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from load.bench import rounds
from load.bench.board import Field
from load.bench.deliver import clocks_of, read
from load.bench.processes import LOAD_CORE
from load.bench.relay import FILLED_AT_ONCE, Relay, Valkey, stored
from load.bench.rounds import Round
from load.bench.stage import Stage, stage
from load.peers.with_arq import jobs
from relay.queue.connection import connect

SHORT: Final = 4_000
WARM: Final = 24_000  # delivered before the clock starts: by then the worker has read ahead as far as it does
PATIENCE_S: Final = 300.0


def drain_system(place: Stage, name: str, level: int, count: int) -> Callable[[], Round]:
    """A relay with `level` events pending all the time: what is delivered is replaced. A worker only in its rounds."""
    relay = Relay(place.folder / name, place.upstream, queue_core=LOAD_CORE)
    place.keep(relay)
    relay.start(door=False)
    relay.know_workers()
    relay.fill(level)

    def one() -> Round:
        worker = relay.add_worker()
        clock = clocks_of(worker, names=("worker",))
        beside = clocks_of(relay.valkey, place.sink, names=("valkey", "sink"))
        first = place.board[Field.COUNTED]
        _feed(place, relay, first, WARM)
        began_s, at, had, had_beside = time.monotonic(), place.board[Field.COUNTED], read(clock), read(beside)
        _feed(place, relay, at, count)
        ended_s, end, has, has_beside = time.monotonic(), place.board[Field.COUNTED], read(clock), read(beside)
        relay.stop_workers()
        relay.fill(max(0, level - relay.account()["pending"]))
        used = {part: has[part] - had[part] for part in has}
        used_beside = {part: has_beside[part] - had_beside[part] for part in has_beside}
        return Round(end - at, ended_s - began_s, used, used_beside)

    return one


def _feed(place: Stage, relay: Relay, first: int, count: int) -> None:
    """Put in what goes out, until `count` events have gone."""

    async def feed() -> None:
        deadline_s, put = time.monotonic() + PATIENCE_S, 0
        async with relay.committer() as committer:
            while (gone := place.board[Field.COUNTED] - first) < count:
                if time.monotonic() > deadline_s:
                    raise RuntimeError(f"{gone} of {count} events went in {PATIENCE_S:g} s")
                while gone - put >= FILLED_AT_ONCE:
                    await committer.put(stored(range(put, put + FILLED_AT_ONCE)))
                    put += FILLED_AT_ONCE
                await asyncio.sleep(0.002)

    asyncio.run(feed())


def measure_drain(level: int, count: int, turns: int) -> dict[str, Any]:
    """Rounds with `level` events pending and with 4,000."""
    with stage() as place:
        long, short = f"{level:,} pending", f"{SHORT:,} pending"
        systems = {
            long: drain_system(place, "long", level, count),
            short: drain_system(place, "short", SHORT, count),
        }
        found = rounds.interleave(systems, turns, warm=False)
    return {"rounds": rounds.told(found), "ratios": rounds.ratios(found, long)}


def measure_memory(count: int) -> dict[str, Any]:
    """MiB of the queue's server a million pending events: the relay's, and arq's jobs as arq pickles them."""
    with stage() as place:
        relay = Relay(place.folder / "relay", place.upstream)
        place.keep(relay)
        relay.start(door=False)
        relay.know_workers()
        ours = _grown_mib(relay.valkey, lambda: relay.fill(count)) * 1e6 / count
        valkey = Valkey(place.folder / "arq")
        valkey.start()
        place.stack.callback(valkey.server.close)
        fill = jobs.fill(valkey.url, count, 0, tuned=False)
        theirs = _grown_mib(valkey, lambda: asyncio.run(fill)) * 1e6 / count
    told = {"relay_mib": round(ours, 1), "arq_mib": round(theirs, 1), "ratio": round(ours / theirs, 3)}
    return {"pending": count, **told}


def _grown_mib(valkey: Valkey, fill: Callable[[], None]) -> float:
    async def used() -> float:
        redis = connect(valkey.url)
        try:
            return float((await redis.info("memory"))["used_memory"]) / 2**20
        finally:
            await redis.aclose()

    before = asyncio.run(used())
    fill()
    return asyncio.run(used()) - before
