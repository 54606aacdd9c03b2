"""Whom a trouble can be done to, and what is known of those that are not visitors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from load.chaos.fleet import Fleet
from load.chaos.senders import Senders
from load.chaos.sink import Sink
from load.chaos.wire import Held, Said

FIRST_STRANGER: Final = 1_000_000  # visitors have lower numbers


@dataclass(slots=True)
class Strangers:
    """Who posts beside the visitors. Each has a number like theirs, and most post one event."""

    acknowledged: dict[int, list[int]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    """Posted, and not acknowledged so far."""
    poison: dict[str, bool] = field(default_factory=dict)
    """Events at which Plausible's place crashes, and whether they were acknowledged."""
    damaged: int = 0
    """Entries without sense that were written past the doors."""
    perhaps_damaged: int = 0
    """Such ones whose write had no answer."""
    answers: Counter[str] = field(default_factory=Counter)
    """What doors said to who means harm, by status."""
    held: list[Held] = field(default_factory=list)
    """Connections that are left for the door to end."""
    _last: int = FIRST_STRANGER

    def another(self) -> int:
        """The number of a new one."""
        self._last += 1
        return self._last

    def another_event(self) -> str:
        """The name of a new one's only event."""
        name = f"{self.another()}:1"
        self.unsure.add(name)
        return name

    def note(self, names: Sequence[str], said: Sequence[Said]) -> None:
        """Note the answers to these events, in their order; the last ones may have none."""
        self.answers.update(str(one.status) if one.is_fine else f"{one.status} (wrong)" for one in said)
        for name, one in zip(names, said, strict=False):
            if one.status == 202:  # noqa: PLR2004 - the promise
                visitor, number = map(int, name.split(":"))
                self.acknowledged.setdefault(visitor, []).append(number)
                self.unsure.discard(name)

    def let_go(self) -> None:
        """End what is still held."""
        for held in self.held:
            held.abort()


@dataclass(slots=True)
class Scene:
    """The relay, Plausible's place, the visitors, and the others."""

    fleet: Fleet
    sink: Sink
    senders: Senders
    strangers: Strangers = field(default_factory=Strangers)


Do = Callable[[Scene], Awaitable[bool]]
"""How a trouble is done; False if there was nothing to do it to."""
