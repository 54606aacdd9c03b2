"""What is looked at while troubles come and go: the relay's own audit, and the memory and handles of its processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from load.chaos.fleet import PARTITIONS, Role
from load.chaos.scene import Scene
from relay.queue.audit import audit
from relay.queue.connection import AWAY, connect
from relay.queue.dead import DeadLetter, Which, find
from relay.queue.differences import Kind

T = TypeVar("T")
WATCHED: Final = (Role.DOOR, Role.SECOND_DOOR, Role.WORKER, Role.SECOND_WORKER)
DOORS: Final = (Role.DOOR, Role.SECOND_DOOR)
LOOK_EVERY_S: Final = 1.0
ANSWERS_WITHIN_S: Final = 120.0  # troubles come into it, and then it begins again
CUT_WITHIN_S: Final = 60.0  # the door's own limits are 10 and 15 s, and 5 more
FEW: Final = 8  # handles that come and go: a look at the queue, a reconnect
MOST_MB: Final = 256.0  # a door has 60 MB at rest and some 110 while a thousand stay open (tests/http/test_hostile.py)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory (RSS) and open files and sockets of a process."""

    mb: float
    handles: int

    def most(self, other: Footprint | None) -> Footprint:
        """The larger of each."""
        return self if other is None else Footprint(max(self.mb, other.mb), max(self.handles, other.handles))


@dataclass(slots=True)
class Watch:
    """What was seen. `before`, `most` and `after` are by role, whichever process played it then."""

    scene: Scene
    audits: int = 0
    differences: list[str] = field(default_factory=list)
    before: dict[Role, Footprint] = field(default_factory=dict)
    most: dict[Role, Footprint] = field(default_factory=dict)
    after: dict[Role, Footprint] = field(default_factory=dict)
    _auditing: asyncio.Task[None] | None = None

    def look(self) -> dict[Role, Footprint]:
        """What each process takes now."""
        seen = {}
        for role in WATCHED:
            footprint = _footprint(self.scene.fleet.pid(role))
            if footprint is not None:
                seen[role] = footprint
                self.most[role] = footprint.most(self.most.get(role))
        return seen

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def cut_off(self) -> None:
        """Wait until the doors have ended what was left to them; then look for the last time."""
        deadline_s = time.monotonic() + CUT_WITHIN_S
        while True:
            self.after = self.look()
            if time.monotonic() > deadline_s or not self.grown():
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def grown(self) -> list[str]:
        """What grew and should not have, in words."""
        said = []
        for role in DOORS:
            before, after, most = (seen.get(role, Footprint(0.0, 0)) for seen in (self.before, self.after, self.most))
            if after.handles > before.handles + FEW:
                said.append(f"the {role} had {before.handles} handles before and {after.handles} after")
            if most.mb > MOST_MB:
                said.append(f"the {role} took {most.mb:.0f} MB")
        return said

    def audit_soon(self, after: str) -> None:
        """Begin an audit, into which the next trouble may come, unless the one before is still under way."""
        if self._auditing is None or self._auditing.done():
            if self._auditing is not None:
                self._auditing.result()
            self._auditing = asyncio.create_task(self._audit(after))

    async def audited(self) -> None:
        """Wait for the audit that is under way."""
        if self._auditing is not None:
            await self._auditing

    async def _audit(self, after: str) -> None:
        """Recount the queue while traffic flows. Only what the run itself wrote without sense may differ."""
        told = await self._asked(lambda server: audit(server, PARTITIONS))
        self.audits += 1
        others = [one.says for one in told.differences if one.kind is not Kind.UNREADABLE]
        unreadable = sum(one.by for one in told.differences if one.kind is Kind.UNREADABLE)
        written = self.scene.strangers.damaged + self.scene.strangers.perhaps_damaged
        if unreadable > 2 * written:  # one that dies meanwhile is seen among the pending and among the dead
            others.append(f"{unreadable} cannot be read")
        self.differences += [f"after {after}: {says}" for says in others]

    async def dead(self) -> list[tuple[str, str]]:
        """Of each dead letter its reason, and its event's name; empty if it cannot be read."""

        async def letters(server: Redis) -> list[tuple[str, str]]:
            found = find(server, PARTITIONS, Which())
            return [(letter.reason, _name_of(letter)) async for letter in found]

        return await self._asked(letters)

    async def _asked(self, question: Callable[[Redis], Awaitable[T]]) -> T:
        """Ask the queue, whatever trouble it is in, again and again."""
        deadline_s = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                async with connect(self.scene.fleet.redis_url, connections=2) as server:
                    return await question(server)
            except (*AWAY, RedisError):
                if time.monotonic() > deadline_s:
                    raise
            await asyncio.sleep(0.1)


def _name_of(letter: DeadLetter) -> str:
    return str(orjson.loads(letter.event.body).get("name")) if letter.event else ""


def _footprint(pid: int | None) -> Footprint | None:
    try:
        proc = Path(f"/proc/{pid}")
        pages = int((proc / "statm").read_text().split()[1])
        return Footprint(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(list((proc / "fd").iterdir())))
    except OSError:  # it has just ended
        return None
