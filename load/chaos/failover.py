"""A small relay of its own whose queue has a replica: the master is killed under load, and Sentinel elects the other.

A replica has what its master sent it, so the last writes may be missing there (docs/promises.md). They are counted;
what was acknowledged a second before must not be among them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from load.chaos.account import CONCURRENCY, Blow, Facts, find
from load.chaos.fleet import Kept, command, relay_environ, until_ready
from load.chaos.healing import healed
from load.chaos.pair import Pair
from load.chaos.ports import free_port
from load.chaos.senders import Senders
from load.chaos.sink import Sink

LOAD_S: Final = 5.0
SURE_S: Final = 1.0  # before the kill: by then the replica has it
ELECTED_WITHIN_S: Final = 30.0
STILL_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Failover:
    """What became of it. Times are seconds; `healed_s` counts from the election."""

    acknowledged: int
    elected_s: float
    healed_s: float
    lost: int
    """Acknowledged in the last second before the kill, and not at the replica."""
    repeated: int
    faults: list[str]


async def fail_over(folder: Path) -> Failover:
    """Run it in a folder; nothing is left running."""
    folder.mkdir()  # noqa: ASYNC240 - before anything runs
    sink = Sink()
    await sink.start()
    pair = Pair(folder)
    door = f"127.0.0.1:{free_port()}"
    own = {"RELAY_REDIS_URL": pair.url, "RELAY_DATA": str(folder / "data"), "RELAY_LISTEN": door}
    kept = Kept(("up",), relay_environ(sink) | own, folder / "relay.log")
    relay = None
    try:
        pair.start()
        relay = asyncio.create_task(kept.run())
        senders = Senders([f"http://{door}"], visitors=50, rate=100)
        await until_ready(senders.doors[0])
        return await _under_load(pair, sink, senders, kept.env)
    finally:
        if relay is not None:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
        pair.close()
        sink.stop()


async def _under_load(pair: Pair, sink: Sink, senders: Senders, env: dict[str, str]) -> Failover:
    sending = asyncio.create_task(senders.run())
    await asyncio.sleep(LOAD_S)
    sure = {f"{visitor}:{number}" for visitor, numbers in senders.acknowledged.items() for number in numbers}
    await asyncio.sleep(SURE_S)
    killed_s = time.monotonic()
    pair.kill_master()
    while not pair.has_elected():
        if time.monotonic() > killed_s + ELECTED_WITHIN_S:
            raise TimeoutError("Sentinel elected nobody")
        await asyncio.sleep(0.02)
    elected_s = time.monotonic()
    healed_s = await healed(elected_s, sink, senders)
    blow = Blow("failover", killed_s, time.monotonic(), may_repeat=True, healed_s=healed_s)
    await asyncio.sleep(SURE_S)
    senders.end()
    await sending
    unsure = senders.refused | senders.unanswered | senders.waited
    facts = Facts(senders.acknowledged, unsure, sink.arrivals, sink.left_open, [blow], await _still(env))
    at_the_master = set(find(facts, CONCURRENCY).lost) - sure
    found = find(replace(facts, acknowledged=_without(at_the_master, facts.acknowledged)), CONCURRENCY)
    repeated = sum(found.repeated_by_kill.values())
    count = found.acknowledged + len(at_the_master)
    return Failover(count, elected_s - killed_s, healed_s, len(at_the_master), repeated, found.faults)


async def _still(env: dict[str, str]) -> dict[str, int]:
    """The ledger once nothing is pending any more."""
    deadline_s = time.monotonic() + STILL_WITHIN_S
    while True:
        _, said = await command(env, "status", "--json")
        ledger: dict[str, int] = json.loads(said)["ledger"]
        if ledger["pending"] == 0 or time.monotonic() > deadline_s:
            return ledger


def _without(names: set[str], acknowledged: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    return {
        visitor: [number for number in numbers if f"{visitor}:{number}" not in names]
        for visitor, numbers in acknowledged.items()
    }
