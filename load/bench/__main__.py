"""Measure, from the command line.

.venv/bin/python -m load.bench accept --turns 5   one part, as a table
.venv/bin/python -m load.bench --short            all parts, the table of targets, load/results/latest.json
.venv/bin/python -m load.bench --full             the same at length (about half an hour)
.venv/bin/python -m load.bench report             docs/performance.md and its plots from these results
.venv/bin/python -m load.bench check              ends with 1 if an event costs more than was recorded
.venv/bin/python -m load.bench record --turns 21  load/recorded.json, from so many that noise is even
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace

from load.bench import campaign, check, report, table, targets
from load.bench.campaign import FULL, PARTS, SHORT, Size


def whole(size: Size) -> None:
    """All parts, then the table of targets."""
    found = campaign.run(size, tuple(PARTS))
    print("\n".join(targets.lines(found)))


def part(name: str, size: Size, *, as_json: bool) -> None:
    """One part alone."""
    found = PARTS[name](size)
    plain = as_json or "rounds" not in found
    print(json.dumps(found, indent=1, ensure_ascii=False) if plain else table.text(found))


def checked(turns: int) -> None:
    """Compare with what was recorded; ends with 1 if it costs more."""
    found, is_well = check.check(turns)
    print(json.dumps(found, indent=1))
    sys.exit(0 if is_well else 1)


OTHERS: dict[str, Callable[[Size], None]] = {
    "check": lambda size: checked(max(size.turns, check.TURNS)),
    "record": lambda size: print(json.dumps(check.record(max(size.turns, check.TURNS)))),
    "report": lambda _: report.write(),
}


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=(*PARTS, *OTHERS), help="one part; without it, all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="about five minutes")
    form.add_argument("--full", action="store_true", help="the long form")
    parser.add_argument("--seconds", type=float, help="of each round of wrk")
    parser.add_argument("--turns", type=int)
    parser.add_argument("--count", type=int, help="events of each round of delivery")
    parser.add_argument("--backlog", type=int, help="events pending in drain and memory")
    parser.add_argument("--json", action="store_true", help="of one part: print JSON instead of a table")
    told = parser.parse_args()
    given = {name: getattr(told, name) for name in ("seconds", "turns", "count", "backlog")}
    size = replace(FULL if told.full else SHORT, **{name: value for name, value in given.items() if value is not None})
    if told.what is None:
        whole(size)
    elif told.what in OTHERS:
        OTHERS[told.what](size)
    else:
        part(told.what, size, as_json=told.json)


if __name__ == "__main__":
    main()
