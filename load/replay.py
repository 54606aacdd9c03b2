"""How fast `relay replay` reads: lines a second on one core, beside PyPI's `apachelogs`, and how much memory it takes.

    .venv/bin/python -m load.replay [--megabytes 1000] [--rounds 3]

Makes a combined log in a temporary folder, which is removed afterwards. In each round both go through the same file,
first one, then the other. `apachelogs` only parses; the relay parses, filters, and makes and checks the events
(`--dry-run`). It reads a part of the file, as it is slower. Seconds are those of the processor, and of the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from load import access_log

PEER_PYTHON: Final = Path(sys.prefix) / ".load" / "bin" / "python"  # `make load` makes it
PART: Final = 100_000  # lines that apachelogs reads
_PEER: Final = """
import sys, itertools
from apachelogs import COMBINED, LogParser
parser = LogParser(COMBINED)
with open(sys.argv[1], encoding="latin-1") as log:
    for line in itertools.islice(log, int(sys.argv[2])):
        parser.parse(line)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One pass: lines, processor and clock seconds, and the largest memory so far, MB."""

    lines: int
    processor_s: float
    clock_s: float


def timed(words: tuple[str, ...], lines: int) -> tuple[Run, str]:
    """Run a process to its end; what it took and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(lines, used_s, time.monotonic() - began_s), done.stdout


def relay(path: Path) -> tuple[Run, int]:
    """A dry run of the whole file, and the lines that became events."""
    words = (sys.executable, "-m", "relay", "replay", "--dry-run", "--json", "--site", "example.com", "--as-now")
    run, told = timed((*words, str(path)), 0)
    summary = json.loads(told)
    return Run(summary["lines"], run.processor_s, run.clock_s), summary["events"]


def main() -> None:
    """Measure and print a table."""
    asked = argparse.ArgumentParser(description="Lines a second of relay replay --dry-run")
    asked.add_argument("--megabytes", type=int, default=1_000)
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    if not PEER_PYTHON.exists():
        raise SystemExit("apachelogs is not here: `make .venv/.load/.installed` brings it")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="relay-replay-") as folder:
        path = Path(folder) / "access.log"
        counted = access_log.write(path, size=options.megabytes * 1_000_000)
        print(f"a log of {path.stat().st_size / 1e6:,.0f} MB, {counted:,} of its lines count")
        for _ in range(options.rounds):
            run, events = relay(path)
            assert events == counted, (events, counted)
            ours.append(run)
            memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1_000
            theirs.append(timed((str(PEER_PYTHON), "-c", _PEER, str(path), str(PART)), PART)[0])
            print(f"relay {said(ours[-1])}; largest process {memory_mb:,.0f} MB · apachelogs {said(theirs[-1])}")
    print(f"median: relay {median(ours):,.0f}, apachelogs {median(theirs):,.0f} lines per second of one core")


def said(run: Run) -> str:
    """A pass in words."""
    return f"{run.lines / run.processor_s:,.0f} lines/s of one core ({run.lines / run.clock_s:,.0f} by the clock)"


def median(runs: list[Run]) -> float:
    """Of lines per second of processor time."""
    return statistics.median(run.lines / run.processor_s for run in runs)


if __name__ == "__main__":
    main()
