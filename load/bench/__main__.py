"""Measure, from the command line; prints a table.

.venv/bin/python -m load.bench accept --seconds 2 --turns 5
.venv/bin/python -m load.bench deliver --count 20000 --turns 5
"""

from __future__ import annotations

import argparse
import json

from load.bench import accept, deliver, table


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accept", "deliver", "workers"))
    parser.add_argument("--seconds", type=float, default=2, help="of each round of wrk")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--count", type=int, default=20_000, help="events of each round of delivery")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    told = parser.parse_args()
    if told.what == "accept":
        found = accept.measure(told.seconds, told.turns)
    elif told.what == "workers":
        found = deliver.measure_workers(told.count, told.turns)
    else:
        found = deliver.measure(told.count, told.seconds, told.turns)
    print(json.dumps(found, indent=2, ensure_ascii=False) if told.json else table.text(found))


if __name__ == "__main__":
    main()
