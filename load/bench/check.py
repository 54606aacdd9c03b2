"""`make load-check`: does an event cost more CPU time than was recorded? Fails on a quarter more.

Machines differ, and one machine by the hour. So before each round an aiohttp door with nothing of ours in it takes
posts from the same sender on the same core: system calls, the event loop, cold caches. What an event costs is told in
multiples of such a post; of all turns the median counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from load.bench import accept, deliver
from load.bench.accept import System
from load.bench.processes import ROOT
from load.bench.rounds import Round
from load.bench.stage import stage

RECORDED: Final = ROOT / "load" / "recorded.json"
ALLOWED: Final = 1.25
TURNS: Final = 7  # fewer say little on a machine that others use, too
PARTS: Final = ("accept", "batch", "deliver")


def measure(turns: int, seconds: float = 1.0, count: int = 4_000) -> dict[str, float]:
    """What an event costs the door, alone and in a batch, and the worker, each with the queue's server: in posts.

    `…_us`: the same in CPU microseconds, and what a post of the yardstick cost.
    """
    costs: dict[str, list[float]] = {}
    with stage() as place:
        yardstick = accept.nostore_door(place, seconds, "--unchecked")
        doors = accept.relay_doors(place, seconds)
        worker = deliver.relay_system(place, "delivering", count)
        systems = dict(zip(PARTS, (doors[accept.RELAY], doors[accept.BATCH], worker), strict=True))
        for turn in range(turns + 1):
            for part, system in systems.items():
                found = _beside(yardstick, system)
                if turn:  # the first warms up
                    for name, value in zip((part, f"{part}_us", "post_us"), found, strict=True):
                        costs.setdefault(name, []).append(value)
    return {name: float(f"{median(values):.4g}") for name, values in costs.items()}


def _beside(yardstick: System, system: System) -> tuple[float, float, float]:
    post_us, event_us = _us(yardstick()), _us(system())
    return event_us / post_us, event_us, post_us


def _us(found: Round) -> float:
    server_s = found.beside.get("valkey", 0.0)
    return 1e6 * (sum(found.cpu_s.values()) + server_s) / found.events


def compare(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    """How many times what was recorded an event costs now."""
    return {part: round(now[part] / then[part], 3) for part in PARTS}


def check(turns: int) -> tuple[dict[str, Any], bool]:
    """Measure and compare; whether all is well."""
    then = json.loads(RECORDED.read_bytes())
    now = measure(turns)
    times = compare(now, then)
    return {"recorded": then, "now": now, "times": times, "allowed": ALLOWED}, max(times.values()) <= ALLOWED


def record(turns: int) -> dict[str, float]:
    """Measure and write it down."""
    now = measure(turns)
    RECORDED.write_text(json.dumps(now, indent=1) + "\n")
    return now
