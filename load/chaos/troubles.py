"""All that is done to the relay, one name each. Every trouble ends by itself within seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from load.chaos.account import Blow
from load.chaos.fleet import Role
from load.chaos.hostile import crowd, fuzz, tangles
from load.chaos.moods import MAY_SWAP, Mood
from load.chaos.poison import damaged, poisoned
from load.chaos.queue import cut_queue, full_disk, full_memory, slow_queue, stalled_queue
from load.chaos.scene import Do, Scene
from load.chaos.signals import KILL, TERM, ended, frozen
from load.chaos.tls import OPENSSL
from load.chaos.upstream import expired, flapping, moody, no_tls, refused


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble: what it is, how to do it, and how often it is drawn. `kills` processes by SIGKILL."""

    name: str
    do: Do
    weight: int = 1
    kills: bool = False
    may_repeat: bool = False
    """Whether what a worker had under way may be sent again."""
    may_swap: bool = False
    """Whether an event may be tried, and pass, before the one that it waits for."""

    async def strike(self, scene: Scene) -> Blow | None:
        """Do it. None if there was nothing to do it to."""
        began_s = time.monotonic()
        done = await self.do(scene)
        return Blow(self.name, began_s, time.monotonic(), self.may_repeat, self.may_swap) if done else None


TROUBLES: Final = (
    Trouble("SIGKILL door", ended(Role.DOOR, KILL), 9, kills=True),
    Trouble("SIGKILL second door", ended(Role.SECOND_DOOR, KILL), 9, kills=True),
    Trouble("SIGKILL worker", ended(Role.WORKER, KILL), 12, kills=True, may_repeat=True),
    Trouble("SIGKILL second worker", ended(Role.SECOND_WORKER, KILL), 12, kills=True, may_repeat=True),
    Trouble("SIGKILL queue's server", ended(Role.SERVER, KILL), 12, kills=True),
    Trouble("SIGKILL supervisor", ended(Role.SUPERVISOR, KILL), 6, kills=True, may_repeat=True),
    Trouble("SIGTERM second door", ended(Role.SECOND_DOOR, TERM), 2),
    Trouble("SIGTERM second worker", ended(Role.SECOND_WORKER, TERM), 2),
    Trouble("SIGTERM supervisor", ended(Role.SUPERVISOR, TERM), 1),
    Trouble("SIGTERM queue's server", ended(Role.SERVER, TERM), 2),
    Trouble("worker frozen", frozen(Role.SECOND_WORKER), 1, may_repeat=True),
    Trouble("queue's server frozen", frozen(Role.SERVER)),
    Trouble("queue's memory full", full_memory),
    Trouble("queue's disk full", full_disk),
    Trouble("queue slow", slow_queue(0.2)),
    Trouble("queue too slow", slow_queue(1.5), may_repeat=True),
    Trouble("queue stalled", stalled_queue, may_repeat=True),
    Trouble("connections to the queue cut", cut_queue),
    *(Trouble(f"Plausible: {mood}", moody(mood), may_swap=mood in MAY_SWAP) for mood in Mood if mood is not Mood.FINE),
    Trouble("Plausible: refuses connections", refused),
    Trouble("Plausible: flaps every 200 ms", flapping),
    Trouble("clients: half-open, slow and stalled by the hundred", crowd),
    Trouble("clients: smuggling, split requests, pipelines, bombs", tangles),
    Trouble("clients: fuzzed bodies and framing", fuzz),
    Trouble("poison: Plausible answers 500 each time", poisoned),
    Trouble("poison: entries that cannot be read", damaged),
    *(
        (
            Trouble("Plausible: an expired certificate", expired),
            Trouble("Plausible: no TLS where TLS should be", no_tls),
        )
        if OPENSSL
        else ()
    ),
)
