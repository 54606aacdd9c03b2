"""Measure, from the command line.

.venv/bin/python -m load.bench accept --seconds 2 --turns 5     one part of it, as a table
.venv/bin/python -m load.bench deliver --count 20000 --turns 5
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from load.bench import accept, backlog, deliver, latency, table, whole

Options = argparse.Namespace
PARTS: dict[str, Callable[[Options], dict[str, Any]]] = {
    "accept": lambda told: accept.measure(told.seconds, told.turns),
    "deliver": lambda told: deliver.measure(told.count, told.seconds, told.turns),
    "whole": lambda told: whole.measure(told.seconds, told.turns),
    "latency": lambda told: latency.measure(10 * told.seconds, 10 * told.seconds, 1),
    "workers": lambda told: deliver.measure_workers(told.count, told.turns),
    "drain": lambda told: backlog.measure_drain(told.backlog, told.count, told.turns),
    "memory": lambda told: backlog.measure_memory(told.backlog),
}


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(PARTS))
    parser.add_argument("--seconds", type=float, default=2, help="of each round of wrk")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--count", type=int, default=20_000, help="events of each round of delivery")
    parser.add_argument("--backlog", type=int, default=100_000, help="events pending in drain and memory")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    told = parser.parse_args()
    found = PARTS[told.what](told)
    plain = told.json or "rounds" not in found
    print(json.dumps(found, indent=2, ensure_ascii=False) if plain else table.text(found))


if __name__ == "__main__":
    main()
