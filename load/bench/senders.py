"""The bench's side of the open-loop senders: starts them, waits, reads what became of each event."""

from __future__ import annotations

import json
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from load.bench import events
from load.bench.processes import LOAD_CORE, Program, until

FIELDS: Final = 4
Plan = Sequence[tuple[float, float, float]]
"""Stretches: seconds, events a second at their begin and at their end."""


@dataclass(frozen=True, slots=True)
class Fate:
    """One event: when it was due and when answered (monotonic seconds), with which status; 0 if that is not known."""

    number: int
    due_s: float
    answered_s: float
    status: int


@dataclass(frozen=True, slots=True)
class Told:
    """All events of the senders of one run."""

    fates: list[Fate]

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(fate.status for fate in self.fates)

    @property
    def accepted(self) -> dict[int, Fate]:
        """The events that were answered 202, by their numbers."""
        return {fate.number: fate for fate in self.fates if fate.status == 202}  # noqa: PLR2004 - accepted

    def took_s(self) -> list[float]:
        """From due to 202."""
        return [fate.answered_s - fate.due_s for fate in self.accepted.values()]


@dataclass(slots=True)
class Senders:
    """Sender processes against one door, each with its plan and kind of events."""

    folder: Path
    port: int
    running: list[tuple[Program, Path, int]] = field(default_factory=list)

    def start(self, plan: Plan, first: int = 0, kind: str = "tracker") -> None:
        """Start one."""
        name = f"sender{len(self.running)}-{first}"
        out = self.folder / f"{name}.bin"
        words = ("--port", str(self.port), "--plan", json.dumps(plan), "--out", str(out))
        argv = (sys.executable, "-m", "load.bench.open_loop", *words, "--first", str(first), "--kind", kind)
        program = Program(name, argv, self.folder / f"{name}.log", core=LOAD_CORE)
        program.start()
        self.running.append((program, out, events.BATCH if kind == "batch" else 1))

    @property
    def are_done(self) -> bool:
        """Whether all have ended."""
        return all(program.process is not None and program.process.poll() is not None for program, _, _ in self.running)

    def wait(self, patience_s: float = 300.0) -> Told:
        """Wait for all; what became of their events."""
        until("the senders' end", lambda: self.are_done, patience_s, 0.05)
        fates = []
        for program, out, size in self.running:
            if not out.exists():
                raise RuntimeError(f"{program.name} failed: {program.log.read_text()[-2_000:]}")
            flat = array("d", out.read_bytes())
            for at in range(0, len(flat), FIELDS):
                number, due_s, answered_s, status = flat[at : at + FIELDS]
                fates += [Fate(int(number) * size + n, due_s, answered_s, int(status)) for n in range(size)]
        self.running.clear()
        return Told(fates)


def percentiles(times_s: Sequence[float]) -> dict[str, float]:
    """Percentiles in milliseconds, of every single event: nothing is sampled or put into classes."""
    ms = sorted(1_000 * time_s for time_s in times_s)
    shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999}
    told = {name: round(ms[min(len(ms) - 1, int(share * len(ms)))], 2) for name, share in shares.items()} if ms else {}
    return {"n": len(ms), **told} | ({"max_ms": round(ms[-1], 2)} if ms else {})
