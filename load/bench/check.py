"""`make load-check`: does an event cost more CPU time than was recorded? Fails on a quarter more.

Machines differ, so a fixed loop of Python runs beside each round and everything is told in multiples of it. The least
of the rounds counts: noise only ever adds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import orjson

from load.bench import accept, deliver
from load.bench.processes import ROOT, SERVER_CORE, pinned
from load.bench.rounds import Round
from load.bench.stage import stage

RECORDED: Final = ROOT / "load" / "recorded.json"
ALLOWED: Final = 1.25
PARTS: Final = ("accept_us", "batch_us", "deliver_us")
LOOPS: Final = 20_000
SAMPLE: Final = {"name": "pageview", "url": "https://example.com/", "props": {str(n): "value" * 3 for n in range(20)}}


def calibrate() -> float:
    """CPU microseconds of one loop on the servers' core: JSON, a dictionary, bytes: what an event is made of, too."""
    with pinned(SERVER_CORE):
        began_s = time.process_time()
        for _ in range(LOOPS):
            told = orjson.loads(orjson.dumps(SAMPLE))
            b"".join(f"{name}:{value}".encode() for name, value in told["props"].items())
        return 1e6 * (time.process_time() - began_s) / LOOPS


def measure(turns: int, seconds: float = 1.5, count: int = 4_000) -> dict[str, float]:
    """The loop, and CPU microseconds an event of the door, alone and in a batch, and of the worker.

    Each with the queue's server.
    """
    least = dict.fromkeys(("loop_us", *PARTS), float("inf"))
    with stage() as place:
        doors = accept.relay_doors(place, seconds)
        worker = deliver.relay_system(place, "delivering", count)
        for turn in range(turns + 1):
            found = {
                "loop_us": calibrate(),
                "accept_us": _us(doors[accept.RELAY]()),
                "batch_us": _us(doors[accept.BATCH]()),
                "deliver_us": _us(worker()),
            }
            if turn:  # the first warms up
                least = {name: min(least[name], found[name]) for name in least}
    return {name: round(value, 2) for name, value in least.items()}


def _us(found: Round) -> float:
    server_s = found.beside.get("valkey", 0.0)
    return 1e6 * (sum(found.cpu_s.values()) + server_s) / found.events


def compare(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    """How many times what was recorded an event costs now, in multiples of the loop."""
    return {name: round((now[name] / now["loop_us"]) / (then[name] / then["loop_us"]), 3) for name in PARTS}


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
