"""The plots of the report, as SVG beside the results. Needs matplotlib, so it runs in the peers' environment.

.venv/.load/bin/python -m load.bench.plots load/results/latest.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from load.bench import targets

PENDING: Final = "pending"
WITH_ROUNDS: Final = ("accept", "deliver", "whole", "workers", "drain")


def draw(found: Mapping[str, Any], folder: Path) -> None:
    """All that the results have."""
    import matplotlib as mpl  # noqa: PLC0415 - absent where only the page is written

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "relay"  # the same results, the same file
    draw_targets(found, folder / "targets.svg")
    for name in WITH_ROUNDS:
        if "rounds" in found.get(name, {}):
            draw_cpu(found[name]["rounds"], folder / f"{name}.svg")
    if "scenarios" in found.get("scenarios", {}):
        draw_pending(found["scenarios"]["scenarios"], folder / f"{PENDING}.svg")


def _axes(rows: int, columns: int = 1, height: float = 0.5) -> Any:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    return plt.subplots(rows, columns, figsize=(9, height * max(rows, 3)), layout="constrained", squeeze=False)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_targets(found: Mapping[str, Any], path: Path) -> None:
    """Each ratio in multiples of its floor, with its goal; where less is better, the other way round."""
    rows = [met for met in targets.meet(found) if met.judged][::-1]
    figure, axes = _axes(1, height=0.13 * (len(rows) + 2) + 0.5)
    for place, met in enumerate(rows):
        one, sign = met.target, -1 if met.target.most else 1
        axes[0][0].barh(place, ((met.judged or one.floor) / one.floor) ** sign, color="#3b6ea5")
        axes[0][0].plot([(one.goal / one.floor) ** sign] * 2, [place - 0.4, place + 0.4], color="#c0392b", lw=2)
    axes[0][0].axvline(1, color="black", lw=1)
    axes[0][0].set_xscale("log")
    axes[0][0].set_yticks(range(len(rows)), [met.target.name for met in rows])
    axes[0][0].set_xlabel("multiples of the floor (black); the goal is red")
    _save(figure, path)


def draw_cpu(rounds: Mapping[str, Any], path: Path) -> None:
    """CPU time of an event, process by process, of each system."""
    names = list(rounds)[::-1]
    figure, axes = _axes(1, height=0.17 * (len(names) + 2))
    parts = dict.fromkeys(part for name in names for part in rounds[name]["cpu_us_an_event"])
    left = dict.fromkeys(names, 0.0)
    for part in parts:
        wide = [rounds[name]["cpu_us_an_event"].get(part, {}).get("median", 0) for name in names]
        axes[0][0].barh(names, wide, left=[left[name] for name in names], label=part)
        left = {name: left[name] + width for name, width in zip(names, wide, strict=True)}
    axes[0][0].set_xlabel("CPU µs an event on the measured core (median)")
    axes[0][0].legend()
    _save(figure, path)


def draw_pending(scenarios: Mapping[str, Any], path: Path) -> None:
    """What was pending over time, one picture a scenario."""
    half = (len(scenarios) + 1) // 2
    figure, axes = _axes(half, 2, height=2)
    flat = [one for row in axes for one in row]
    for one, (name, told) in zip(flat, scenarios.items(), strict=False):
        one.fill_between([s[0] for s in told["samples"]], [s[1] for s in told["samples"]], color="#3b6ea5")
        one.set_title(name, fontsize=9)
        one.set_ylim(bottom=0)
    for one in flat[-2:]:
        one.set_xlabel("seconds")
    flat[0].set_ylabel("pending")
    _save(figure, path)


def main() -> None:
    """Draw the plots of the results that are named."""
    results = Path(sys.argv[1])
    draw(json.loads(results.read_bytes()), results.parent)


if __name__ == "__main__":
    main()
