"""The account of a run: as JSON for machines, as a page for people."""

from __future__ import annotations

import os
import platform
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from load.chaos.account import CONCURRENCY, Blow
from load.chaos.campaign import Plan, Result
from load.chaos.evidence import beside, table
from load.chaos.failover import Failover
from load.chaos.watch import WATCHED

COMMAND = ".venv/bin/python -m load.chaos"


def summary(result: Result, failover: Failover) -> dict[str, Any]:
    """The numbers that matter."""
    found, senders, strangers = result.findings, result.scene.senders, result.scene.strangers
    return {
        "seed": result.plan.seed,
        "took_s": round(result.took_s),
        "troubles": len(result.facts.blows),
        "kills": result.kills,
        "acknowledged": found.acknowledged,
        "lost": len(found.lost),
        "out_of_order": len(found.out_of_order),
        "swapped": len(found.swapped),
        "repeated_after_kills": sum(found.repeated_by_kill.values()),
        "most_repeated_by_one_kill": max(found.repeated_by_kill.values(), default=0),
        "repeated_after_withheld_answers": found.repeated_open,
        "repeated_unexplained": len(found.repeated_unexplained),
        "arrived_without_202": found.unacknowledged,
        "refused": len(senders.refused),
        "unanswered": len(senders.unanswered),
        "waited": len(senders.waited),
        "slowest_refusal_s": round(max(senders.refusal_s, default=0.0), 2),
        "poison": {"acknowledged": sum(strangers.poison.values()), "damaged": strangers.damaged},
        "dead": dict(Counter(reason for reason, _ in result.facts.dead)),
        "answers_to_hostile_clients": dict(sorted(strangers.answers.items())),
        "audits": result.watch.audits,
        "audits_differ": len(result.watch.differences),
        "footprints": {
            role: [
                {"mb": round(seen[role].mb, 1), "handles": seen[role].handles} if role in seen else None
                for seen in (result.watch.before, result.watch.most, result.watch.after)
            ]
            for role in WATCHED
        },
        "ledger": result.status["ledger"],
        "known_repeats": result.status["repeated"],
        "failover": asdict(failover),
        "faults": found.faults + failover.faults,
    }


def page(result: Result, failover: Failover) -> str:
    """The page for docs/."""
    told = summary(result, failover)
    faults = "".join(f"- {fault}\n" for fault in told["faults"])
    return f"""{_how(result.plan, told)}
{_account(told)}

## The troubles

*Healed* is the time from a trouble's end until both doors acknowledged again and an event of every visitor, posted
since, was delivered, where the run waited for that; every visitor posts two or three events a second. More than 10 s
would be a fault.

| Trouble | Times | Healed, median | Healed, longest | Repeated, in all | Repeated, most |
|---|---|---|---|---|---|
{_rows(result)}

{_beside(result, failover)}
## Faults

{faults or "None."}
"""


def _how(plan: Plan, told: dict[str, Any]) -> str:
    """How it was run."""
    ended = _ended_early(plan, told["kills"], told["acknowledged"])
    return f"""# What the relay survived

Written by the run that it reports:

```
{COMMAND} --kills {plan.kills} --events {plan.events} --seconds {plan.seconds:g} \\
    --rate {plan.rate:g} --visitors {plan.visitors} --seed {plan.seed} --report docs/chaos.md
```

on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, in \
{told["took_s"] / 60:.0f} minutes.{ended} One `relay up` (its door, worker and embedded server), a second door
and a second worker that reach the queue through a proxy, a server in Plausible's place, and visitors that post
numbered events all the time. One trouble after the other, one in five before the last has healed. Whatever ends is
started again.

`make test` does the same in small, for a minute (`tests/system/test_chaos.py`): hostile clients, poison, a SIGTERM for
each door and worker and for the server, a server that freezes, is too slow, has a full disk and is killed, and then
kills at random.
"""


def _beside(result: Result, failover: Failover) -> str:
    """What else was looked at."""
    return f"""## Memory and handles

Resident memory and open handles: at the start, the most of any process that played the role, and at the end, when the
doors had ended what hostile clients had left to them.

| Process | Start | Most | End |
|---|---|---|---|
{_footprints(result)}

## A failover

{_failover(failover)}

## What shows what

The troubles of this run, by the beginning of their names, and the tests that show the same or what no run can
(`make test`, in `tests`).

| Promise | In the run | Tests |
|---|---|---|
{table()}
"""


def _ended_early(plan: Plan, kills: int, acknowledged: int) -> str:
    """What was asked for and did not happen in the time that was given, as a sentence; empty if all did."""
    asked = (("kills", kills, plan.kills), ("events with a 202", acknowledged, plan.events))
    short = [f"{came:,} of {wanted:,} {what}" for what, came, wanted in asked if came < wanted]
    return f" **The run ended by its time limit**, after {' and '.join(short)}." if short else ""


def _account(told: dict[str, Any]) -> str:
    ledger = told["ledger"]
    return f"""| | |
|---|---|
| troubles, of these kills by SIGKILL | {told["troubles"]}, {told["kills"]} |
| events acknowledged with 202 | {told["acknowledged"]:,} |
| **acknowledged and lost** | **{told["lost"]}** |
| **a visitor's events out of order** (repeats aside) | **{told["out_of_order"]}** |
| passed by the visitor's next one as Plausible's 500 or reset allows (docs/promises.md) | {told["swapped"]} |
| **repeated without a reason** | **{told["repeated_unexplained"]}** |
| repeated after a kill or a pause of a worker, in all | {told["repeated_after_kills"]} |
| the most by a single one; allowed are the {CONCURRENCY} that a worker may have under way \
| {told["most_repeated_by_one_kill"]} |
| repeated because Plausible's place took them and withheld its answer (`RELAY_AMBIGUOUS=retry`) \
| {told["repeated_after_withheld_answers"]} |
| posts refused with 503 | {told["refused"]:,} |
| posts whose answer never came: their door was killed or not yet back | {told["unanswered"]:,} |
| of those two, arrived all the same | {told["arrived_without_202"]} |
| the slowest 503, on a machine as busy as this | {told["slowest_refusal_s"]} s |
| audits, one after the other while troubles came and went, and the differences that they found \
| {told["audits"]}, {told["audits_differ"]} |
| poison events acknowledged, and dead `exhausted` \
| {told["poison"]["acknowledged"]}, {told["dead"].get("exhausted", 0)} |
| entries without sense written into the queue, and dead `unreadable` \
| {told["poison"]["damaged"]}, {told["dead"].get("unreadable", 0)} |
| answers to hostile clients, by status; no 5xx but 503 with `Retry-After` | {_answers(told)} |
| the ledger at the end | accepted {ledger["accepted"]:,} = delivered {ledger["delivered"]:,} \
+ dropped {ledger["dropped"]} + dead {ledger["dead"]} + pending {ledger["pending"]} |"""


def _rows(result: Result) -> str:
    by_name: dict[str, list[tuple[int, Blow]]] = defaultdict(list)
    for place, blow in enumerate(result.facts.blows):
        by_name[blow.name].append((place, blow))
    rows = []
    for name, blows in sorted(by_name.items()):
        healed = sorted(blow.healed_s for _, blow in blows if blow.healed_s is not None)
        repeated = [result.findings.repeated_by_kill.get(place, 0) for place, _ in blows]
        middle = f"{healed[len(healed) // 2]:.1f} s" if healed else ""
        longest = f"{healed[-1]:.1f} s" if healed else ""
        rows.append(f"| {name} | {len(blows)} | {middle} | {longest} | {sum(repeated)} | {max(repeated)} |")
    return "\n".join(rows)


def _answers(told: dict[str, Any]) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in told["answers_to_hostile_clients"].items())


def _footprints(result: Result) -> str:
    rows = []
    for role in WATCHED:
        seen = (times.get(role) for times in (result.watch.before, result.watch.most, result.watch.after))
        cells = [f"{one.mb:.0f} MB, {one.handles}" if one else "" for one in seen]
        rows.append(f"| {role} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _failover(told: Failover) -> str:
    return f"""Afterwards, a relay of its own with a master, a replica and a Sentinel; the master is killed under load.
Sentinel had elected the replica after {told.elected_s:.1f} s, and {told.healed_s:.1f} s later all was well. Of \
{told.acknowledged:,} acknowledged
events {told.lost} were lost, which a replica [may]({beside("docs/promises.md")}#a-202-is-kept) if they are from the
last instant, and {told.repeated} were repeated."""
