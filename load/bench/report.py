"""The report, docs/performance.md: written from the results of the last run; no figure in it that is not in them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from load.bench import plots, targets
from load.bench.campaign import LATEST, RESULTS
from load.bench.processes import ROOT
from load.bench.stage import PEERS_PYTHON, has_peers

PAGE: Final = ROOT / "docs/performance.md"
PARTS: Final = {
    "accept": (
        "Accepting",
        "wrk posts over 32 connections (batches: 4) from the other core. Door and queue share one; nobody delivers.",
    ),
    "deliver": (
        "Delivering",
        "The worker has one core, queue and sink the other. From when the queue is filled to the last arrival.",
    ),
    "whole": ("End to end", "Door, queue and worker share one core. From the first post to the last arrival."),
    "workers": ("More workers", "On the same single core, so that only what they cost each other shows."),
    "drain": (
        "A long backlog",
        """What is delivered is replaced, so that the backlog stays as long as it is. A worker starts before each round,
and what it reads through on taking over a long backlog (looking for sites behind the one that has filled its share
of the read-ahead) is in the round, as far as it takes longer than the first 24,000 deliveries.""",
    ),
}


def write(results: Path = LATEST, page: Path = PAGE) -> None:
    """Draw the plots where matplotlib is installed, and write the page."""
    found = json.loads(results.read_bytes())
    if has_peers():
        subprocess.run([PEERS_PYTHON, "-m", "load.bench.plots", str(results)], check=True, cwd=ROOT)
    page.write_text("\n".join(lines(found)) + "\n")


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The page."""
    yield from _head(found["about"])
    yield from _targets(found)
    for name, (title, says) in PARTS.items():
        yield from _part(name, title, says, found.get(name))
    yield from _latency(found.get("latency"))
    yield from _memory(found.get("memory"))
    yield from _scenarios(found.get("scenarios"))


HEAD: Final = """\
# How fast it is

This page is written by the measurement itself (`load/bench/report.py`), from `load/results/latest.json`. To make it
anew:

```
make load                                # the short form; installs the peers the first time
.venv/bin/python -m load.bench --full    # the long form
.venv/bin/python -m load.bench report    # this page and its plots, from the last run
```

The run: **{form} form**, {date}, version {commit}, {cores} cores ({machine}), Python {python}, {rounds} rounds of each
system in turn (A B A B …) after one that only warms up.

**How to read it.** The machine is shared with other programs, seen and unseen: each part says the load average. So
events a second of wall time say little by themselves, and no absolute figure here is a promise. A ratio is taken within
each turn, between rounds that ran one after the other; what stands is the median of the turns, with the lowest and the
highest. Two ratios are told: by wall time, and by CPU time of the busier of the two cores
(`/proc/<pid>/task/*/schedstat`), which is what two idle cores would give. The second is the one that is held against
floor and goal. Busy neighbours make CPU time dearer, too (caches, and cores that are halves of one), for what switches
often more than for what does not: nginx and wrk notice less of them than Python does.

Every peer does the same work: the relay's own rules check the event, a Valkey with the relay's own configuration
(`appendfsync always`) keeps it, and the request that leaves has the visitor's headers. What leaves something out says
so by its name: nginx checks and keeps nothing, aiohttp keeps nothing, wrk straight to the sink is no queue at all."""


def _head(about: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD.format(**about)
    if about.get("missing"):
        yield f"\nNot installed on that machine, so left out: {'; '.join(about['missing'])}."


def _targets(found: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Targets\n\n| | floor | goal | by wall time | by CPU time | reached |\n|---|---|---|---|---|---|"
    for met in targets.meet(found):
        one = met.target
        most = "≤ " if one.most else ""
        yield (
            f"| {one.name} | {most}{one.floor:g} | {most}{one.goal:g} | {met.wall or '-'} | {met.cpu or '-'} "
            f"| {met.verdict} |"
        )
    yield f"\n![Ratios, floors and goals]({_picture('targets')})"
    open_ones = [met for met in targets.meet(found) if met.target.why and met.verdict != "goal"]
    if open_ones:
        yield "\nWhat stands in the way, as profiles show it:\n"
    for met in open_ones:
        yield f"- *{met.target.name}* ({met.verdict}): {met.target.why}"


def _picture(name: str) -> str:
    return f"../{(RESULTS / f'{name}.svg').relative_to(ROOT)}"


def _spread(told: Mapping[str, float]) -> str:
    return f"{told['median']:,.4g} [{told['low']:,.4g}-{told['high']:,.4g}]"


def _part(name: str, title: str, says: str, part: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"\n## {title}\n\n{says}"
    if part is None or "error" in part:
        yield f"\nNot measured: {part['error'] if part else 'left out'}."
        return
    load = " to ".join(map(str, part["load_average"]))
    yield f"Load average {load}.\n\n    .venv/bin/python -m load.bench {name}\n"
    yield "| | events/s of wall time | CPU µs an event | on the other core |\n|---|---|---|---|"
    for system, told in part["rounds"].items():
        cpu, beside = (
            "<br>".join(f"{one} {_spread(us)}" for one, us in told[kind].items())
            for kind in ("cpu_us_an_event", "beside_us_an_event")
        )
        yield f"| {system} | {_spread(told['rate'])} | {cpu} | {beside} |"
    yield f"\n![CPU time of an event]({_picture(name)})"
    yield "\n| | by wall time | by CPU time |\n|---|---|---|"
    for ratio, told in part["ratios"].items():
        yield f"| {ratio} | {_spread(told['wall'])} | {_spread(told['cpu'])} |"


def _latency(part: Mapping[str, Any] | None) -> Iterator[str]:
    yield "\n## A quiet relay\n\n50 events a second, sent when they are due, whatever the answers take (open loop)."
    if part is None or "error" in part:
        yield f"\nNot measured: {part['error'] if part else 'left out'}."
        return
    yield f"Load average {' to '.join(map(str, part['load_average']))}.\n\n    .venv/bin/python -m load.bench latency\n"
    yield "| ms | p50 | p90 | p99 | p99.9 | most |\n|---|---|---|---|---|---|"
    names = {"due_to_202": "due to 202", "202_to_arrival": "202 to arrival", "due_to_arrival": "due to arrival"}
    for kind, name in names.items():
        yield f"| {name} | {_percentiles(part[kind])} |"
    idle = ", ".join(f"{name} {percent:g} %" for name, percent in part["idle_cpu_percent"].items())
    yield f"\nWhile nothing happens: {idle} of one core. An arrival that was seen before its 202 counts as 0."


def _percentiles(told: Mapping[str, float]) -> str:
    return " | ".join(f"{told.get(name, 0):g}" for name in ("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"))


def _memory(part: Mapping[str, Any] | None) -> Iterator[str]:
    yield "\n## Memory of what is pending\n"
    if part is None or "error" in part:
        yield f"Not measured: {part['error'] if part else 'left out'}."
        return
    yield (
        f"    .venv/bin/python -m load.bench memory\n\n{part['pending']:,} pending events: the relay's take "
        f"{part['relay_mib']:g} MiB of Valkey's memory a million, the same as arq's jobs, pickled, "
        f"{part['arq_mib']:g} MiB (ratio {part['ratio']:g})."
    )


def _scenarios(part: Mapping[str, Any] | None) -> Iterator[str]:
    yield "\n## Scenarios\n"
    if part is None or "error" in part:
        yield f"Not measured: {part['error'] if part else 'left out'}."
        return
    yield (
        "Open-loop senders; door, queue and worker on one core. At the end both ends of the account are compared: "
        "sent = accepted + refused, accepted = arrived + pending + dead + dropped.\n\n"
        "    .venv/bin/python -m load.bench scenarios\n\n"
        "| | | sent | accepted | refused | arrived | repeats | due to 202, p50 / p99 ms | 202 to arrival, p50 / p99 ms "
        "| empty after, s | account |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for name, told in part["scenarios"].items():
        balance, due, way = told["balance"], told["due_to_202"], told["202_to_arrival"]
        backlog = f" (+ {told['backlog']:,})" if told["backlog"] else ""
        yield (
            f"| {name} | {told['says']} | {balance['sent']:,}{backlog} | {balance['accepted']:,} "
            f"| {balance['refused']:,} | {balance['arrived']:,} | {balance['repeats']:,} "
            f"| {due['p50_ms']:g} / {due['p99_ms']:g} | {way['p50_ms']:g} / {way['p99_ms']:g} "
            f"| {told['drained_after_s']:g} | {'; '.join(balance['faults']) or 'closed'} |"
        )
    yield f"\n![Pending events over time]({_picture(plots.PENDING)})"
