"""The table of targets: each row a ratio or a figure, its floor and its goal, and where a run's results have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from load.bench import accept, deliver, whole


@dataclass(frozen=True, slots=True)
class Target:
    """One row. `part` and `key` say where the figure stands; with `most`, less is better.

    `why`: what stands in the way of the goal, as far as profiles (py-spy, perf) show it.
    """

    name: str
    floor: float
    goal: float
    part: str
    key: str
    most: bool = False
    why: str = ""


_WHY_POST: Final = (
    "a post is framed by its bytes, judged together with whoever came with it, and shares a write, and with its "
    "neighbours an entry (docs/architecture.md). Of the door's part a third are system calls and uvloop, a seventh the "
    "framing, a fifth the judging, an eighth the writing together of what is kept, and the rest are Python's steps, "
    "each of them small. The peer checks by the same rules, so what made them faster made it faster, too."
)
_WHY_NGINX: Final = (
    "nginx reads no body and takes 14 µs for a request; the system calls of a post and of its part of a write alone "
    "take the door more, and the server's part, with its fsync, is as much again."
)
_WHY_BATCH: Final = (
    "an event of a batch takes the door 7 to 10 µs and the server 2. A fifth of the door's part is msgspec's reading, "
    "a sixth the writing together of what is kept, and the rest is to cut the array, to see that each key stands there "
    "once, to make the event, and the sockets: none takes a tenth. nginx reads nothing of its request."
)
_WHY_DELIVER: Final = (
    "reading, unpacking (a tenth), each visitor's turn and settling take as long as the request; wrk keeps nothing and "
    "no order."
)
_WHY_IDLE: Final = "door and worker look at the queue once or twice a second, for leases, limits and readiness."


@dataclass(frozen=True, slots=True)
class Met:
    """How a row came out: as text, by CPU time where there is such a figure, else by wall time or as it is."""

    target: Target
    wall: str
    cpu: str
    judged: float | None

    @property
    def verdict(self) -> str:
        """`goal`, `floor`, `below the floor`, `not measured`."""
        if self.judged is None:
            return "not measured"
        sign = -1 if self.target.most else 1
        if sign * self.judged >= sign * self.target.goal:
            return "goal"
        return "floor" if sign * self.judged >= sign * self.target.floor else "below the floor"


def _ratio(ours: str, theirs: str) -> str:
    return f"{ours} ÷ {theirs}"


TARGETS: Final = (
    Target(
        "accepted, durable, one core ÷ FastAPI + arq", 8, 12, "accept", _ratio(accept.RELAY, accept.ARQ), why=_WHY_POST
    ),
    Target("the same ÷ aiohttp, nothing stored", 0.6, 0.85, "accept", _ratio(accept.RELAY, accept.NOSTORE)),
    Target("the same ÷ nginx return 202", 0.12, 0.2, "accept", _ratio(accept.RELAY, accept.NGINX), why=_WHY_NGINX),
    Target(
        "batches, events/s ÷ nginx requests/s", 1.0, 2.5, "accept", _ratio(accept.BATCH, accept.NGINX), why=_WHY_BATCH
    ),
    Target(
        "delivered by a worker core ÷ wrk to the sink",
        0.08,
        0.4,
        "deliver",
        _ratio(deliver.RELAY, deliver.WRK),
        why=_WHY_DELIVER,
    ),
    Target("delivered ÷ arq tuned, one job an event", 6, 30, "deliver", _ratio(deliver.RELAY, deliver.ARQ)),
    Target("end to end, one shared core ÷ FastAPI + arq", 8, 30, "whole", _ratio(whole.RELAY, whole.ARQ)),
    Target("202 to arrival at 50 events/s, p50, ms", 20, 3, "latency", "202_to_arrival.p50_ms", most=True),
    Target("202 to arrival at 50 events/s, p99, ms", 50, 6, "latency", "202_to_arrival.p99_ms", most=True),
    Target("idle CPU, % of a core", 3, 1, "latency", "idle_cpu_percent", most=True, why=_WHY_IDLE),
    Target("4 workers ÷ 1 worker, one core", 0.8, 0.95, "workers", _ratio("4 workers", "1 worker")),
    Target("drained with a long backlog ÷ with 4,000", 0.8, 0.95, "drain", ""),
    Target("memory of pending events ÷ arq's jobs", 0.55, 0.2, "memory", "ratio", most=True),
)


def meet(results: Mapping[str, Any]) -> list[Met]:
    """Every row, as the results have it."""
    return [_meet(target, results.get(target.part)) for target in TARGETS]


def _meet(target: Target, part: Mapping[str, Any] | None) -> Met:
    if part is None or "error" in part:
        return Met(target, "", "", None)
    if "ratios" in part:
        ratios = part["ratios"]
        told = ratios.get(target.key) if target.key else next(iter(ratios.values()))
        if told is None:
            return Met(target, "", "", None)
        return Met(target, _text(told["wall"]), _text(told["cpu"]), told["cpu"]["median"])
    value: Any = part
    for name in target.key.split("."):
        value = value[name]
    figure = round(sum(value.values()), 2) if isinstance(value, dict) else value
    return Met(target, f"{figure:g}", "", figure)


def _text(told: Mapping[str, float]) -> str:
    return f"{told['median']:.3g} [{told['low']:.3g}-{told['high']:.3g}]"


def lines(results: Mapping[str, Any]) -> list[str]:
    """The table as lines to read."""
    head = f"{'':48}{'floor':>7}{'goal':>7}  {'by wall time':>22}{'by CPU time':>22}  reached"
    return [head] + [
        f"{met.target.name:48}{met.target.floor:>7g}{met.target.goal:>7g}  {met.wall:>22}{met.cpu:>22}  {met.verdict}"
        for met in meet(results)
    ]
