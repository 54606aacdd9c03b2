"""A log of a million lines becomes a CSV import, and every table is counted again in SQL: no row may differ.

The relay runs as a process of its own, as a shell runs it; the log, the database and the import are in a temporary
folder that is removed. Bounded by `--lines`.

    .venv/bin/python -m load.replay_import
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from load.replay_import.log import RULES, SITE, Maker
from load.replay_import.naive import counted, differing, written

ZONE = "Europe/Berlin"
SHOWN = 20


def imported(log: Path, rules: Path, folder: Path) -> tuple[dict[str, object], str]:
    """Run the import: its summary, and what it took."""
    began_s = time.perf_counter()
    command = [sys.executable, "-m", "relay", "replay", str(log), "--site", SITE, "--to-csv", str(folder), "--json"]
    run = subprocess.Popen([*command, "--rules", str(rules), "--time-zone", ZONE], stdout=subprocess.PIPE)
    assert run.stdout is not None
    said = run.stdout.read()
    _, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    run.stdout.close()
    if run.returncode:
        sys.exit(f"the import failed with exit code {run.returncode}: {said.decode()}")
    kib = usage.ru_maxrss // (1_024 if sys.platform == "darwin" else 1)
    took_s, cpu_s = time.perf_counter() - began_s, usage.ru_utime + usage.ru_stime
    summary = json.loads(said)
    took = f"{took_s:.0f} s, {summary['lines'] / took_s:,.0f} lines/s; {cpu_s:.0f} s of CPU, {kib // 1_024} MiB at most"
    return summary, took


def main() -> int:
    """Make the log, import it, count again, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        log, rules, folder = Path(place) / "access.log", Path(place) / "rules.toml", Path(place) / "import"
        rules.write_text(RULES)
        with log.open("w", encoding="utf-8") as file:
            maker = Maker(options.lines, options.seed, ZoneInfo(ZONE))
            wanted = counted(maker.write(file), str(Path(place) / "naive.db"))[SITE]
        summary, took = imported(log, rules, folder)
        found = written(folder)
        differences = differing(wanted, found)
        print(json.dumps(summary["import"]))
        for difference in differences[:SHOWN]:
            print(difference)
        rows, size_mb = sum(map(len, found.values())), log.stat().st_size / 1e6
        print(f"{options.lines:,} lines, {size_mb:.0f} MB: {len(differences)} of {rows:,} rows differ")
        print(took)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
