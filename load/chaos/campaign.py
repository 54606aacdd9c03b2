"""One run: load, trouble after trouble, then quiet, then the account."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from load.chaos.account import Blow, Facts, Findings, find
from load.chaos.fleet import Fleet
from load.chaos.senders import ANSWER_WITHIN_S, Senders
from load.chaos.sink import Sink
from load.chaos.troubles import Trouble

PATIENCE_S: Final = 60.0
QUIET_WITHIN_S: Final = 120.0
CONCURRENCY: Final = 128  # the setting's default: what one worker may have under way


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard.

    Each trouble comes once; then the run ends when `kills` and `events` are reached, at the latest after `seconds`.
    After `waits` of the troubles it is waited until all is well again; the next one comes into the last's at others.
    """

    seconds: float
    kills: int
    events: int
    visitors: int
    rate: float
    seed: int
    waits: float = 0.8


@dataclass(frozen=True, slots=True)
class Result:
    """A run and its account."""

    plan: Plan
    took_s: float
    findings: Findings
    facts: Facts
    senders: Senders
    kills: int
    status: dict[str, Any]


async def run(plan: Plan, troubles: Sequence[Trouble], folder: Path) -> Result:
    """Run the plan in an empty folder; nothing of it is left running."""
    began_s = time.monotonic()
    sink = Sink()
    await sink.start()
    fleet = Fleet(folder, sink.url)
    try:
        await fleet.start()
        senders = Senders(fleet.doors, plan.visitors, plan.rate)
        sending = asyncio.create_task(senders.run())
        blows, kills = await _strike(plan, troubles, fleet, sink, senders)
        senders.end()
        await sending
        status = await _quiet(fleet, sink)
    finally:
        await fleet.stop()
        sink.stop()
    unsure = senders.refused | senders.unanswered | senders.waited
    facts = Facts(senders.acknowledged, unsure, sink.arrivals, sink.left_open, blows, status["ledger"])
    findings = find(facts, CONCURRENCY)
    if senders.wrong:
        findings.faults.append(f"doors answered neither 202 nor 503 with Retry-After: {dict(senders.wrong)}")
    if senders.waited:
        findings.faults.append(f"{len(senders.waited)} posts to a living door had no answer in {ANSWER_WITHIN_S:g} s")
    return Result(plan, time.monotonic() - began_s, findings, facts, senders, kills, status)


async def _strike(
    plan: Plan, troubles: Sequence[Trouble], fleet: Fleet, sink: Sink, senders: Senders
) -> tuple[list[Blow], int]:
    """Trouble after trouble; what was done, and how many of it were kills."""
    draw = random.Random(plan.seed)
    blows: list[Blow] = []
    kills = 0
    end_s = time.monotonic() + plan.seconds
    for turn, trouble in enumerate(_deck(troubles, draw)):
        reached = kills >= plan.kills and senders.count >= plan.events
        if turn >= len(troubles) and (reached or time.monotonic() > end_s):
            break
        await asyncio.sleep(draw.uniform(0.2, 1.0))
        while (blow := await trouble.strike(fleet, sink)) is None:  # noqa: ASYNC110 - its victim is being started
            await asyncio.sleep(0.05)
        kills += trouble.kills
        if draw.random() < plan.waits:
            blow = replace(blow, healed_s=await _healed(blow.ended_s, sink, senders))
        blows.append(blow)
    return blows, kills


def _deck(troubles: Sequence[Trouble], draw: random.Random) -> Iterator[Trouble]:
    """Each trouble once, in any order, so that also a short run has them all; then by weight, for ever."""
    yield from draw.sample(troubles, len(troubles))
    while True:
        yield from draw.choices(troubles, [trouble.weight for trouble in troubles])


async def _healed(since_s: float, sink: Sink, senders: Senders) -> float:
    """Wait until all is well; returns how long after that moment it was.

    That is, every door acknowledged an event that was posted since, and of every visitor one that was posted since
    has arrived; so every partition is served, and nothing from before waits any longer.
    """
    waiting = dict(senders.posted)
    while time.monotonic() < since_s + PATIENCE_S:
        waiting = {visitor: number for visitor, number in waiting.items() if sink.newest.get(visitor, 0) <= number}
        if not waiting and all(senders.acknowledged_s.get(door, 0.0) > since_s for door in senders.doors):
            break
        await asyncio.sleep(0.01)
    return time.monotonic() - since_s


async def _quiet(fleet: Fleet, sink: Sink) -> dict[str, Any]:
    """Wait until nothing is pending and nothing arrives any more; what the relay says then."""
    deadline_s = time.monotonic() + QUIET_WITHIN_S
    for door in fleet.doors:
        await fleet.until_ready(door, workers=2)
    while True:
        before = len(sink.arrivals)
        status = await fleet.status()
        if (status["ledger"]["pending"] == 0 and len(sink.arrivals) == before) or time.monotonic() > deadline_s:
            return status
        await asyncio.sleep(0.5)
