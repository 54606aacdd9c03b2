"""The account of a run: as JSON for machines, as a page for people."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from load.chaos.account import Blow
from load.chaos.campaign import CONCURRENCY, Plan, Result

COMMAND = ".venv/bin/python -m load.chaos"


def summary(result: Result) -> dict[str, Any]:
    """The numbers that matter."""
    found, senders = result.findings, result.senders
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
        "ledger": result.status["ledger"],
        "known_repeats": result.status["repeated"],
        "faults": found.faults,
    }


def page(result: Result) -> str:
    """The page for docs/."""
    told, plan = summary(result), result.plan
    ended = _ended_early(plan, told["kills"], told["acknowledged"])
    faults = "".join(f"- {fault}\n" for fault in told["faults"])
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

`make test` does the same in small (`tests/system/test_chaos.py`): kills, SIGTERMs and cut connections for 15 seconds,
or until each came once; a SIGTERM for each door and worker and for the server, one after the other; and a server that
freezes, is too slow, has a full disk, and is killed.

{_account(told)}

## The troubles

*Healed* is the time from a trouble's end until both doors acknowledged again and an event of every visitor, posted
since, was delivered, where the run waited for that; every visitor posts two or three events a second. More than 10 s
would be a fault.

| Trouble | Times | Healed, median | Healed, longest | Repeated, in all | Repeated, most |
|---|---|---|---|---|---|
{_rows(result)}

## Faults

{faults or "None."}
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
| passed by the visitor's next one while Plausible answered 500 (docs/promises.md, on the order) | {told["swapped"]} |
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
