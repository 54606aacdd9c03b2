"""Results as a few lines to read: medians with their ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def text(found: Mapping[str, Any]) -> str:
    """The figures of `rounds` and `ratios`."""
    return "\n".join([*_systems(found["rounds"]), "", *_ratios(found["ratios"])])


def spread(told: Mapping[str, float]) -> str:
    """`median [low-high]`."""
    return f"{told['median']:,.4g} [{told['low']:,.4g}-{told['high']:,.4g}]"


def _systems(systems: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'':34}{'events/s of wall time':>28}   CPU µs an event"
    for name, told in systems.items():
        parts = [f"{part} {spread(us)}" for part, us in told["cpu_us_an_event"].items()]
        beside = [f"{part} {us['median']:.3g}" for part, us in told["beside_us_an_event"].items()]
        yield f"{name:34}{spread(told['rate']):>28}   {', '.join(parts)}  (other core: {', '.join(beside)})"


def _ratios(ratios: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'':44}{'of wall time':>24}{'of CPU time, busier core':>28}"
    for name, told in ratios.items():
        yield f"{name:44}{spread(told['wall']):>24}{spread(told['cpu']):>28}"
