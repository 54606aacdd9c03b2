"""What of one visitor arrived at the sandbox, which stands behind the relay in Plausible's place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.system.rig import Relay, until


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event as it came there. `body` is what the client wrote; `outcome` what Plausible would have made of it."""

    name: str
    url: str
    sites: list[str]
    outcome: str
    cause: str | None
    ip: str
    user_agent: str
    props: dict[str, str]
    revenue: dict[str, str] | None
    interactive: bool
    body: str
    headers: list[list[str]]

    @property
    def fields(self) -> dict[str, Any]:
        """The body's own fields."""
        fields: dict[str, Any] = json.loads(self.body)
        return fields


async def arrivals(relay: Relay, origin: str, count: int) -> list[Arrived]:
    """Wait until so many events of pages of that origin are there; they, in their order. More of them fail the test."""

    async def enough() -> list[Arrived] | None:
        entries = (await relay.arrived())["events"]
        found = [_arrived(each) for each in entries if (each["url"] or "").startswith(origin)]
        return found if len(found) >= count else None

    try:
        found: list[Arrived] = await until(f"{count} events of {origin}", enough, within_s=30)
    except AssertionError as late:
        told = [(each["name"], each["url"]) for each in (await relay.arrived())["events"][-20:]]
        raise AssertionError(f"{late}; the last of all are {told}") from late
    assert len(found) == count, found
    return found


def _arrived(entry: dict[str, Any]) -> Arrived:
    return Arrived(**{name: entry[name] for name in Arrived.__slots__})
