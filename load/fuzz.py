"""The long run against the door: a million requests gone wrong, and what an honest sender beside them notices.

Starts a real `relay serve` on a Redis of its own. First an honest sender alone; then the same beside ordinary
events, as many as the door takes; then beside mutants of the corpus in pipelines and damaged requests. After that
the rules alone, guided by coverage where atheris is installed. Bounded in time; the same seed sends the same
requests. Prints JSON, and ends with 1 if there was an answer of 500 or above or anything else that must not be.

    .venv/.load/bin/python -m load.fuzz --count 1000000 --seconds 600
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.connection import connect
from relay.queue.ledger import look
from tests.http.door import body, connection, request
from tests.http.mutations import Mutator
from tests.http.process import Serve
from tests.server import TestServer

HERE = Path(__file__).parent
ROOT = HERE.parent
PARTITIONS = 8
PIPELINES, PIPELINED = 8, 25  # connections at once, requests in one piece
DAMAGED = 48  # connections at once; most wait for a rest that does not come
REST_WITHIN_S = 0.3
EMPTIED_EVERY_S = 1.0  # nobody delivers here, and a full queue would answer 503
ALONE_S = 10.0
SHARE_OF_DOOR = 0.5  # of the requests and of the time; the rules alone have the rest
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(slots=True)
class Told:
    """What the door answered."""

    left: int
    until_s: float
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def is_over(self) -> bool:
        """Whether enough was sent."""
        return self.left <= 0 or time.monotonic() > self.until_s

    def note(self, kind: str, status: int, sent: bytes) -> None:
        """Count an answer, and keep what must not be."""
        self.left -= 1
        self.statuses[f"{kind} {status or 'none'}"] += 1
        if status >= 500:  # noqa: PLR2004 - the door's own failures
            self.failures.append(f"{status} to {sent!r}"[:2_000])


def mutants(dice: Mutator) -> list[bytes]:
    """A pipeline of requests that can be read."""
    return [dice.request() for _ in range(PIPELINED)]


def ordinary(_: Mutator) -> list[bytes]:
    """A pipeline of events as everybody sends them."""
    return [request(body(), b"User-Agent: Mozilla/5.0")] * PIPELINED


async def pipeline(port: int, told: Told, seed: int, choose: Callable[[Mutator], list[bytes]]) -> None:
    """Send pipelines over kept connections; every request must have its answer."""
    dice = Mutator(seed)
    while not told.is_over():
        async with await connection(port) as socket:
            for _ in range(20):
                sent = choose(dice)
                sending = asyncio.create_task(socket.send(b"".join(sent)))
                for each in sent:
                    try:
                        told.note("mutant", (await socket.answer()).status, each)
                    except (ConnectionError, asyncio.IncompleteReadError, TimeoutError) as error:
                        told.failures.append(f"{error!r} to {each!r}"[:2_000])
                        told.left -= 1
                with contextlib.suppress(ConnectionError):  # its answers are missing, and that is noted
                    await sending
                if told.is_over():
                    return


async def damage(port: int, told: Told, seed: int) -> None:
    """Send requests with their framing damaged, each on a connection of its own, some of them halves of it."""
    mutator = Mutator(seed)
    while not told.is_over():
        sent = mutator.damaged(mutator.request(), at_most=6)
        heard = b""
        async with await connection(port) as socket:
            cut = mutator.dice.randrange(len(sent) + 1)
            await socket.send(sent[:cut], sent[cut:])
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(REST_WITHIN_S):
                    while piece := await socket.reader.read(65_536):
                        heard += piece
        for status in STATUS.findall(heard) or [b"0"]:
            told.note("damaged", int(status), sent)


async def keep_empty(redis: Redis) -> None:
    """Throw the pending events away again and again; no worker runs here."""
    while True:
        for p in range(PARTITIONS):
            await redis.delete(keys.events(p), keys.bundles(p))
        await asyncio.sleep(EMPTIED_EVERY_S)


async def beside(port: int, work: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    """Do the work while an honest sender posts in a process of its own; how that one fared."""
    honest = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "honest.py"), "--port", str(port)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    await work()
    said, _ = await honest.communicate(b"")  # closes its standard input
    fared: dict[str, Any] = json.loads(said)
    return fared


@contextlib.asynccontextmanager
async def door() -> AsyncIterator[tuple[Serve, Redis]]:
    """A door as a process, on a server of its own that is kept empty."""
    with tempfile.TemporaryDirectory() as folder:
        server = TestServer(Path(folder) / "redis")
        server.start()
        options = ("--log-level", "info", "--trusted-proxies", "127.0.0.1")
        serve = await Serve.start(Path(folder) / "serve.log", server.url, *options)
        redis = connect(server.url)
        emptying = asyncio.create_task(keep_empty(redis))
        try:
            yield serve, redis
        finally:
            emptying.cancel()
            await asyncio.wait([emptying])
            await redis.aclose()
            serve.close()
            server.close()


def footprint(serve: Serve) -> dict[str, float]:
    """The door's memory and open handles."""
    proc = Path(f"/proc/{serve.process.pid}")
    pages = int((proc / "statm").read_text().split()[1])
    return {"rss_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1), "handles": len(list((proc / "fd").iterdir()))}


async def fuzz_door(count: int, seconds: float, seed: int) -> dict[str, Any]:
    """An honest sender alone, beside ordinary events, beside what went wrong."""
    async with door() as (serve, redis):

        async def sending(told: Told, choose: Callable[[Mutator], list[bytes]], damaged: int) -> None:
            pipelines = (pipeline(serve.port, told, seed * 1_000 + i, choose) for i in range(PIPELINES))
            halves = (damage(serve.port, told, seed * 1_000 + PIPELINES + i) for i in range(damaged))
            await asyncio.gather(*pipelines, *halves)

        alone = await beside(serve.port, lambda: asyncio.sleep(ALONE_S))
        plain = Told(count, time.monotonic() + ALONE_S)
        crowded = await beside(serve.port, lambda: sending(plain, ordinary, 0))
        before, began_s = footprint(serve), time.monotonic()
        told = Told(count, began_s + seconds)
        fuzzed = await beside(serve.port, lambda: sending(told, mutants, DAMAGED))
        took_s = round(time.monotonic() - began_s, 1)
        ledger = (await look(redis, PARTITIONS)).ledger
        return {
            "sent": sum(told.statuses.values()),
            "seconds": took_s,
            "statuses": dict(sorted(told.statuses.items())),
            "failures": told.failures[:20] + [line for line in serve.said().splitlines() if '"error"' in line][:20],
            "accepted": ledger["accepted"],
            "before": before,
            "after": footprint(serve),
            "honest": {"alone": alone, "beside_ordinary_events": crowded, "beside_fuzz": fuzzed},
            "p99_fuzz_to_alone": round(fuzzed["p99_ms"] / alone["p99_ms"], 2),
            "p99_fuzz_to_ordinary": round(fuzzed["p99_ms"] / crowded["p99_ms"], 2),
        }


async def fuzz_rules(count: int, seconds: float, seed: int) -> dict[str, Any]:
    """The rules, in a process of their own, which the engine may end as it likes."""
    limits = ("--count", str(count), "--seconds", str(int(seconds)), "--seed", str(seed))
    rules = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "fuzz_rules.py"), *limits),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await rules.communicate()
    try:
        told: dict[str, Any] = json.loads(said)
    except json.JSONDecodeError:
        told = {"failure": complained.decode(errors="replace")[-2_000:]}
    return told


async def fuzz(count: int, seconds: float, seed: int) -> dict[str, Any]:
    """Both, one after the other, so that they do not take the processors from each other."""
    at_door = await fuzz_door(int(count * SHARE_OF_DOOR), seconds * SHARE_OF_DOOR, seed)
    left = max(0, count - at_door["sent"]), seconds * (1 - SHARE_OF_DOOR)
    return {"seed": seed, "door": at_door, "rules": await fuzz_rules(*left, seed)}


def main() -> int:
    """Read the options, run, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="requests and bodies altogether")
    parser.add_argument("--seconds", type=float, default=600, help="at most so long, and half a minute to compare")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr)
    told = asyncio.run(fuzz(options.count, options.seconds, options.seed))
    print(json.dumps(told, indent=2))
    honest = [set(fared["statuses"]) for fared in told["door"]["honest"].values()]
    return 1 if told["door"]["failures"] or told["rules"]["failure"] or honest != [{"202"}] * len(honest) else 0


if __name__ == "__main__":
    sys.exit(main())
