"""A hundred keys, each repeated a hundred times at once over two doors, while a door and the server are killed."""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.http.door import Connection, connection
from tests.http.process import Serve
from tests.system.rig import BROWSER, Relay, event, until

KEYS, REPEATS, SENDERS = 100, 100, 64
PAUSE_S = 0.05


@dataclass(slots=True)
class Crowd:
    """Senders who repeat until they hear a 202, at whatever door; `waiting` has the keys still to be sent."""

    doors: list[int]
    waiting: list[int]
    first: Counter[int] = field(default_factory=Counter)
    repeated: Counter[int] = field(default_factory=Counter)
    failed: int = 0

    @property
    def heard(self) -> int:
        """How many got their 202."""
        return self.first.total() + self.repeated.total()

    async def send(self, number: int) -> None:
        """One of them: sends the next key at the doors in turn, from another address each time, until none waits."""
        tries = number
        while self.waiting:
            tries += 1
            try:
                async with await connection(self.doors[tries % len(self.doors)]) as socket:
                    while self.waiting:
                        await self._ask(socket, tries)
            except (OSError, EOFError):
                self.failed += 1
                await asyncio.sleep(PAUSE_S)

    async def _ask(self, socket: Connection, tries: int) -> None:
        """Send a key once. One that gets no 202 waits again, and the connection is given up."""
        key = self.waiting.pop()
        try:
            answer = await socket.ask(request_of(key, tries))
        except (OSError, EOFError):
            self.waiting.append(key)
            raise
        if answer.status != 202:
            self.waiting.append(key)
            assert answer.status == 503, answer
            raise ConnectionError("not known to be kept")
        (self.repeated if "idempotent-replayed" in answer.headers else self.first)[key] += 1

    async def reach(self, share: float) -> None:
        """Wait until that share of all was accepted."""

        async def reached() -> bool:
            return self.heard >= share * KEYS * REPEATS

        await until(f"{share:.0%} accepted", reached)


def request_of(key: int, tries: int) -> bytes:
    """The event of that key, as bytes."""
    body = json.dumps(event(f"e{key}")).encode()
    head = (
        "POST /api/event HTTP/1.1",
        "Host: localhost",
        f"User-Agent: {BROWSER}",
        f"X-Forwarded-For: 9.9.{tries % 200}.{key}",
        f"Idempotency-Key: order-{key}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def all_keys() -> list[int]:
    """Every key as often as it is sent, its repeats near each other, so that each trouble meets firsts and repeats."""
    chance = random.Random(4)
    order = [key for key in range(KEYS) for _ in range(REPEATS)]
    return sorted(order, key=lambda key: key + chance.expovariate(0.3))


async def test_ten_thousand_repeats_of_a_hundred_keys_are_a_hundred_events(tmp_path: Path) -> None:
    """Two doors, one of them killed, the server killed: each key's event arrives exactly once, and all are answered."""
    async with Relay(tmp_path) as relay:
        url = json.loads((tmp_path / "data" / "run.json").read_bytes())["redis_url"]
        options = ("--trusted-proxies", "127.0.0.1")
        second = await Serve.start(tmp_path / "second.log", url, *options)
        third: Serve | None = None
        crowd = Crowd([int(relay.door.rpartition(":")[2]), second.port], all_keys()[::-1])
        try:
            async with asyncio.timeout(60), asyncio.TaskGroup() as senders:
                for number in range(SENDERS):
                    senders.create_task(crowd.send(number))
                await crowd.reach(0.25)
                second.process.kill()
                third = await Serve.start(tmp_path / "third.log", url, *options)
                crowd.doors[1] = third.port
                await crowd.reach(0.6)
                os.kill(relay.child("valkey"), signal.SIGKILL)
        finally:
            second.close()
            if third is not None:
                third.close()
        assert crowd.heard == KEYS * REPEATS
        assert all(crowd.first[key] <= 1 for key in range(KEYS)), "a second first"
        assert crowd.failed > 0, "no trouble was felt"
        await relay.settled(accepted=KEYS, delivered=KEYS, pending=0)
        arrived = Counter(json.loads(e["body"])["name"] for e in await relay.recorded(KEYS))
        assert arrived == Counter({f"e{key}": 1 for key in range(KEYS)})
        told = json.loads(relay.command("status", "--json").stdout)
        assert told["duplicates"] >= crowd.repeated.total()
