"""A whole run: every part one after the other, its results kept as JSON as soon as it ends."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from load.bench import accept, backlog, deliver, latency, scenarios, whole, wrk
from load.bench.processes import ROOT
from load.bench.stage import has_peers
from load.peers import nginx

RESULTS: Final = ROOT / "load" / "results"
LATEST: Final = RESULTS / "latest.json"


@dataclass(frozen=True, slots=True)
class Size:
    """How long a run is: seconds of a round of wrk, turns, events of a round of delivery, a long backlog's events."""

    name: str
    seconds: float
    turns: int
    count: int
    backlog: int
    quiet_s: float
    scenario: float
    """Length of the scenarios: 1 is the long form."""


SHORT: Final = Size("short", 2.0, 3, 4_000, 50_000, 4.0, 0.2)
FULL: Final = Size("full", 3.0, 5, 10_000, 1_000_000, 20.0, 1.0)
SCENARIO_SHARE: Final = 20  # of the long backlog: a million are drained by the row of that name, and in part
OUTSIDE: Final = {"wrk": wrk.is_here, "nginx": nginx.is_here, "FastAPI, arq, Celery": has_peers}
Part = Callable[[Size], dict[str, Any]]
PARTS: Final[Mapping[str, Part]] = {
    "accept": lambda size: accept.measure(size.seconds, size.turns),
    "deliver": lambda size: deliver.measure(size.count, size.seconds, size.turns),
    "whole": lambda size: whole.measure(size.seconds, size.turns),
    "latency": lambda size: latency.measure(size.quiet_s, size.quiet_s, size.turns),
    "workers": lambda size: deliver.measure_workers(size.count, size.turns),
    "drain": lambda size: backlog.measure_drain(size.backlog, size.count, size.turns),
    "memory": lambda size: backlog.measure_memory(size.backlog),
    "scenarios": lambda size: scenarios.measure(size.scenario, size.backlog // SCENARIO_SHARE),
}


def run(size: Size, parts: tuple[str, ...]) -> dict[str, Any]:
    """Run these parts; what failed says why, and the others go on."""
    results: dict[str, Any] = {"about": _about(size)}
    if missing := results["about"]["missing"]:
        print(f"not installed, so left out: {'; '.join(missing)}", file=sys.stderr, flush=True)
    for name in parts:
        began_s, load = time.monotonic(), os.getloadavg()[0]
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            results[name] = PARTS[name](size)
        except Exception as error:  # noqa: BLE001 - hours may stand behind the other parts
            results[name] = {"error": f"{type(error).__name__}: {error}"}
        took_s = round(time.monotonic() - began_s, 1)
        results[name] |= {"took_s": took_s, "load_average": [round(load, 1), round(os.getloadavg()[0], 1)]}
        print(f"{name}: {took_s:g} s {results[name].get('error', '')}", file=sys.stderr, flush=True)
        keep(results, LATEST)
    return results


def keep(results: Mapping[str, Any], path: Path) -> None:
    """Write results as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _about(size: Size) -> dict[str, Any]:
    """What was measured, and on what."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "form": size.name,
        "commit": git.stdout.strip(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "rounds": size.turns,
        "missing": [name for name, is_here in OUTSIDE.items() if not is_here()],
    }
