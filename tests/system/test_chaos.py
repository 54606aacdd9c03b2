"""Short runs of `load/chaos`: real processes under load, done harm to by signals, and an account of every event."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from load.chaos.campaign import Plan, Result, run
from load.chaos.fleet import Fleet, Role
from load.chaos.sink import Sink
from load.chaos.troubles import KILL, TERM, TROUBLES, Trouble, ended, frozen, full_disk, slow_queue

pytestmark = pytest.mark.timeout(240)

KILLS: Final = {trouble.name for trouble in TROUBLES if trouble.kills}
AT_RANDOM: Final = [trouble for trouble in TROUBLES if trouble.kills or trouble.name.startswith(("SIGTERM", "conn"))]
ROLLING: Final = [
    Trouble(f"SIGTERM {role}", ended(role, TERM))
    for role in (Role.DOOR, Role.SECOND_DOOR, Role.WORKER, Role.SECOND_WORKER, Role.SERVER)
]


async def frozen_behind_a_slow_line(fleet: Fleet, sink: Sink) -> bool:
    """Frozen for longer than a lease, yet no call times out; afterwards one worker is slow to write outcomes down."""
    fleet.proxy.delay_s = 0.2
    try:
        done = await frozen(Role.SERVER, 4.5)(fleet, sink)
        await asyncio.sleep(1.0)
    finally:
        fleet.proxy.delay_s = 0.0
    return done


QUEUE: Final = [
    Trouble("frozen behind a slow line", frozen_behind_a_slow_line),
    Trouble("too slow", slow_queue(1.0)),  # for the door behind it, and not for the leases of the worker
    Trouble("disk full", full_disk),
    Trouble("crashed", ended(Role.SERVER, KILL)),
]
ROLLED_WITHIN_S: Final = 30.0
REFUSED_WITHIN_S: Final = 3.0  # two busy cores; the second that is promised is seen in tests/http/test_outages.py


async def each_once(troubles: list[Trouble], folder: Path) -> Result:
    """Do each to a fleet under load, the next one when all is well again."""
    return await run(Plan(seconds=0, kills=0, events=0, visitors=200, rate=250, seed=3, waits=1.0), troubles, folder)


async def test_kills_lose_nothing_and_keep_the_order(tmp_path: Path) -> None:
    """Kills of anything lose, swap and miscount nothing, and repeat at most what a killed worker had under way."""
    plan = Plan(seconds=15, kills=1_000, events=1_000_000, visitors=100, rate=300, seed=11, waits=0.25)
    result = await run(plan, AT_RANDOM, tmp_path)
    assert result.findings.faults == []
    assert {blow.name for blow in result.facts.blows} >= KILLS
    assert result.kills >= len(KILLS)
    assert result.findings.acknowledged > 1_000


async def test_a_rolling_restart_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """SIGTERM for each door, worker and server: it ends in time, what it accepted is answered and delivered once."""
    result = await each_once(ROLLING, tmp_path)
    assert result.findings.faults == []
    assert sorted(blow.name for blow in result.facts.blows) == sorted(trouble.name for trouble in ROLLING)
    assert max(blow.ended_s - blow.began_s for blow in result.facts.blows) < ROLLED_WITHIN_S
    arrived = {arrival.name for arrival in result.facts.arrivals}
    assert len(arrived) == len(result.facts.arrivals)
    assert arrived.isdisjoint(result.senders.unanswered)


async def test_a_queue_in_trouble_is_told_within_a_second_and_heals(tmp_path: Path) -> None:
    """While it is frozen, slow, out of disk or dead: 503 with Retry-After; within 10 s all is well, nothing lost."""
    result = await each_once(QUEUE, tmp_path)
    assert result.findings.faults == []
    assert len(result.facts.blows) == len(QUEUE)
    assert result.senders.refused
    assert max(result.senders.refusal_s) < REFUSED_WITHIN_S
