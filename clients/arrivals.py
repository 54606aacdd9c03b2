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
    outcome: str
    ip: str
    user_agent: str
    props: dict[str, str]
    revenue: dict[str, str] | None
    interactive: bool
    content_type: str
    body: dict[str, Any]
    headers: dict[str, str]


async def arrivals(relay: Relay, user_agent: str, count: int) -> list[Arrived]:
    """Wait until so many events of the visitor are there; they, in their order. More of them fail the test."""

    async def enough() -> list[Arrived] | None:
        found = [_arrived(each) for each in (await relay.arrived())["events"] if each["user_agent"] == user_agent]
        return found if len(found) >= count else None

    found: list[Arrived] = await until(f"{count} events of {user_agent}", enough)
    assert len(found) == count, found
    return found


def _arrived(entry: dict[str, Any]) -> Arrived:
    told = {name: entry[name] for name in Arrived.__slots__ if name not in {"body", "headers"}}
    return Arrived(**told, body=json.loads(entry["body"]), headers=dict(entry["headers"]))
