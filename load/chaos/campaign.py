"""One run: load, trouble after trouble, then quiet, then the account."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from load.chaos.account import CONCURRENCY, Blow, Facts, Findings, find
from load.chaos.fleet import Fleet, until_ready
from load.chaos.healing import healed
from load.chaos.scene import Scene
from load.chaos.senders import ANSWER_WITHIN_S, Senders
from load.chaos.sink import Sink
from load.chaos.tls import OPENSSL, Certificates
from load.chaos.troubles import Trouble
from load.chaos.watch import Watch
from relay.http.connections import allow_many_connections

QUIET_WITHIN_S: Final = 120.0


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
    scene: Scene
    watch: Watch
    kills: int
    status: dict[str, Any]


async def run(plan: Plan, troubles: Sequence[Trouble], folder: Path, first: Sequence[Trouble] = ()) -> Result:
    """Run the plan in an empty folder: the `first` one after the other, then the others. Nothing is left running."""
    began_s = time.monotonic()
    allow_many_connections()
    sink = Sink(Certificates(folder) if OPENSSL else None)
    await sink.start()
    fleet = Fleet(folder, sink)
    scene = Scene(fleet, sink, Senders(fleet.doors, plan.visitors, plan.rate))
    try:
        await fleet.start()
        watch = Watch(scene)
        watch.before = watch.look()
        tasks = [asyncio.create_task(part) for part in (scene.senders.run(), watch.run())]
        blows, kills = await _strike(plan, troubles, first, scene, watch)
        await watch.audited()
        await _until_poison_is_dead(scene, watch)
        scene.senders.end()
        await tasks[0]
        tasks[1].cancel()
        status = await _quiet(fleet, sink)
        dead = await watch.dead()
        await watch.cut_off()
        await _last_audit(fleet, watch)
    finally:
        scene.strangers.let_go()
        await fleet.stop()
        sink.stop()
    facts = _facts(scene, blows, status["ledger"], dead)
    findings = find(facts, CONCURRENCY)
    findings.faults += _other_faults(scene, watch)
    return Result(plan, time.monotonic() - began_s, findings, facts, scene, watch, kills, status)


def _facts(scene: Scene, blows: list[Blow], ledger: dict[str, int], dead: list[tuple[str, str]]) -> Facts:
    senders, strangers, sink = scene.senders, scene.strangers, scene.sink
    return Facts(
        acknowledged=senders.acknowledged | strangers.acknowledged,
        unsure=senders.refused | senders.unanswered | senders.waited | strangers.unsure,
        arrivals=sink.arrivals,
        left_open=sink.left_open,
        blows=blows,
        ledger=ledger,
        poison=strangers.poison,
        damaged=(strangers.damaged, strangers.perhaps_damaged),
        dead=dead,
    )


def _other_faults(scene: Scene, watch: Watch) -> Iterator[str]:
    """What the account of events cannot say."""
    senders = scene.senders
    if senders.wrong:
        yield f"doors answered neither 202 nor 503 with Retry-After: {dict(senders.wrong)}"
    if senders.waited:
        yield f"{len(senders.waited)} posts to a living door had no answer in {ANSWER_WITHIN_S:g} s"
    if wrong := {status: count for status, count in scene.strangers.answers.items() if "wrong" in status}:
        yield f"doors failed at hostile clients: {wrong}"
    if watch.differences:
        yield f"{len(watch.differences)} differences in {watch.audits} audits: {watch.differences[:5]}"
    yield from watch.grown()


async def _strike(
    plan: Plan, troubles: Sequence[Trouble], first: Sequence[Trouble], scene: Scene, watch: Watch
) -> tuple[list[Blow], int]:
    """Trouble after trouble; what was done, and how many of it were kills."""
    draw = random.Random(plan.seed)
    blows: list[Blow] = []
    kills = 0
    end_s = time.monotonic() + plan.seconds
    once = len(first) + len(troubles)
    for turn, trouble in enumerate(chain(first, _deck(troubles, draw))):
        reached = kills >= plan.kills and scene.senders.count >= plan.events
        if turn >= once and (reached or time.monotonic() > end_s):
            break
        await asyncio.sleep(draw.uniform(0.2, 1.0))
        while (blow := await trouble.strike(scene)) is None:  # noqa: ASYNC110 - its victim is being started
            await asyncio.sleep(0.05)
        kills += trouble.kills
        if turn < len(first) or draw.random() < plan.waits:
            blow = replace(blow, healed_s=await healed(blow.ended_s, scene.sink, scene.senders))
            watch.audit_soon(blow.name)
        blows.append(blow)
    return blows, kills


def _deck(troubles: Sequence[Trouble], draw: random.Random) -> Iterator[Trouble]:
    """Each trouble once, in any order, so that also a short run has them all; then by weight, for ever."""
    yield from draw.sample(troubles, len(troubles))
    while troubles:
        yield from draw.choices(troubles, [trouble.weight for trouble in troubles])


async def _quiet(fleet: Fleet, sink: Sink) -> dict[str, Any]:
    """Wait until nothing is pending and nothing arrives any more; what the relay says then."""
    deadline_s = time.monotonic() + QUIET_WITHIN_S
    for door in fleet.doors:
        await until_ready(door, workers=2)
    while True:
        before = len(sink.arrivals)
        status = await fleet.status()
        if (status["ledger"]["pending"] == 0 and len(sink.arrivals) == before) or time.monotonic() > deadline_s:
            return status
        await asyncio.sleep(0.5)


async def _until_poison_is_dead(scene: Scene, watch: Watch) -> None:
    """Wait while visitors post: an event that fails while nothing else is sent cannot be told from an outage."""
    deadline_s = time.monotonic() + QUIET_WITHIN_S
    acknowledged = {name for name, is_kept in scene.strangers.poison.items() if is_kept}
    while time.monotonic() < deadline_s:
        dead = await watch.dead()
        unreadable = sum(reason == "unreadable" for reason, _ in dead)
        left = (acknowledged | scene.sink.crashed_at).difference(name for _, name in dead)
        if not left and unreadable >= scene.strangers.damaged:
            return
        await asyncio.sleep(0.5)


async def _last_audit(fleet: Fleet, watch: Watch) -> None:
    """Purge what the run itself had damaged; then the command has to say that all agrees."""
    await fleet.command("dead", "purge", "--reason", "unreadable")
    code, said = await fleet.command("audit")
    watch.audits += 1
    if code:
        watch.differences.append(f"at the end: {said}")
