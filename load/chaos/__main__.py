"""The long run, from the command line.

    .venv/bin/python -m load.chaos --kills 200 --events 200000 --report docs/chaos.md

A failover by Sentinel comes last. Exit code 1 if anything was lost, repeated without a reason or out of order, or any
other fault was found. It ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from time import time_ns

from load.chaos.campaign import Plan, run
from load.chaos.failover import fail_over
from load.chaos.report import page, summary
from load.chaos.troubles import TROUBLES


def main() -> None:
    """Read the options, run, print the account, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3_600, help="the longest it may take")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--rate", type=float, default=500, help="events a second, all visitors together")
    parser.add_argument("--seed", type=int, default=time_ns() % 1_000_000)
    parser.add_argument("--report", type=Path, help="write the account as a page")
    parser.add_argument("--keep", type=Path, help="a folder for data and logs; else a passing one")
    options = parser.parse_args()
    plan = Plan(options.seconds, options.kills, options.events, options.visitors, options.rate, options.seed)
    print(f"seed {plan.seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as passing:
        folder = options.keep or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        result = asyncio.run(run(plan, TROUBLES, folder))
        failover = asyncio.run(fail_over(folder / "failover"))
    print(json.dumps(summary(result, failover), indent=2))
    if options.report:
        options.report.write_text(page(result, failover))
    sys.exit(1 if result.findings.faults or failover.faults else 0)


if __name__ == "__main__":
    main()
