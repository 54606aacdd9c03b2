"""Rounds in turn, A B A B …, so that a neighbour's noise meets all alike; medians with their ranges.

A ratio is taken within each turn and then its median: what slowed the whole machine for a while cancels out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one system: how many events, in how many seconds of wall time.

    `cpu_s` has the CPU seconds of each process on the core that is measured, `beside` those on the other one: what
    sends and receives. Whichever core is busier bounds what goes through.
    """

    events: int
    wall_s: float
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Events a second of wall time."""
        return self.events / self.wall_s

    @property
    def core_us(self) -> float:
        """CPU microseconds an event of the busier core: 1e6 ÷ this is the rate that two idle cores would give."""
        return 1e6 * max(sum(self.cpu_s.values()), sum(self.beside.values())) / self.events


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range of a figure over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}-{self.high:.3g}]"

    @property
    def told(self) -> dict[str, float]:
        """As JSON."""
        return {name: float(f"{getattr(self, name):.4g}") for name in ("median", "low", "high")}


def spread(values: Sequence[float]) -> Spread:
    """Median and range; there must be a value."""
    return Spread(statistics.median(values), min(values), max(values))


Rounds = dict[str, list[Round]]


def interleave(systems: Mapping[str, Callable[[], Round]], turns: int, *, warm: bool = True) -> Rounds:
    """Run each system once a turn; the order turns round every time. The first turn only warms up."""
    rounds: Rounds = {name: [] for name in systems}
    for turn in range(turns + warm):
        for name in list(systems)[:: 1 if turn % 2 else -1]:
            round_ = systems[name]()
            if turn or not warm:
                rounds[name].append(round_)
    return rounds


def wall_ratio(rounds: Rounds, ours: str, theirs: str) -> Spread:
    """Our events a second of wall time ÷ theirs."""
    return spread([a.rate / b.rate for a, b in zip(rounds[ours], rounds[theirs], strict=True)])


def cpu_ratio(rounds: Rounds, ours: str, theirs: str) -> Spread:
    """Our events a CPU second of the busier core ÷ theirs: what wall time would say without neighbours."""
    return spread([b.core_us / a.core_us for a, b in zip(rounds[ours], rounds[theirs], strict=True)])


def ratio(rounds: Rounds, ours: str, theirs: str) -> dict[str, Any]:
    """Both ratios as JSON."""
    return {"wall": wall_ratio(rounds, ours, theirs).told, "cpu": cpu_ratio(rounds, ours, theirs).told}


def ratios(rounds: Rounds, ours: str) -> dict[str, Any]:
    """Ours ÷ each of the others, as JSON."""
    return {f"{ours} ÷ {other}": ratio(rounds, ours, other) for other in rounds if other != ours}


def told(rounds: Rounds) -> dict[str, Any]:
    """Each system's figures as JSON: events a second, CPU µs an event of each process on either core."""
    return {
        name: {
            "events": sum(one.events for one in many),
            "rate": spread([one.rate for one in many]).told,
            "core_us_an_event": spread([one.core_us for one in many]).told,
            "cpu_us_an_event": _parts([(one.events, one.cpu_s) for one in many]),
            "beside_us_an_event": _parts([(one.events, one.beside) for one in many]),
        }
        for name, many in rounds.items()
        if many
    }


def _parts(many: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, Any]:
    return {part: spread([1e6 * cpu_s[part] / count for count, cpu_s in many]).told for part in many[0][1]}
