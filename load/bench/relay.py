"""The relay as it is measured: a Valkey with the relay's configuration, `relay serve`, `relay work`, each pinned."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from load.bench import events
from load.bench.processes import SERVER_CORE, Program, cpu_s, free_port, listens, pin, until
from relay.queue import ledger
from relay.queue.committing import Committer
from relay.queue.connection import connect, settle_form
from relay.queue.forms import read_by_all
from relay.queue.stored import StoredEvent
from tests.server import TestServer

PARTITIONS: Final = 8
FILLED_AT_ONCE: Final = 32  # as a door to which so many connections post: what is written together shares entries


@dataclass(slots=True)
class Valkey:
    """A server of a system's own, with the relay's configuration (appendfsync always), on one core."""

    folder: Path
    core: int = SERVER_CORE
    server: TestServer = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.server = TestServer(self.folder / "data")

    def start(self) -> None:
        """Start it."""
        self.server.start()
        pin(self.pid, self.core)

    @property
    def pid(self) -> int:
        """Its number."""
        assert self.server._process is not None  # noqa: SLF001 - the tests' server keeps it to itself
        return self.server._process.pid  # noqa: SLF001

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return cpu_s(self.pid)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url


def stored(numbers: Iterable[int], visitors: int = events.VISITORS) -> list[StoredEvent]:
    """Events as the door would keep them now."""
    now_ms = time.time_ns() // 1_000_000
    agents = [events.agent(visitor).encode() for visitor in range(visitors)]
    return [
        StoredEvent(events.SITE, events.address(n % visitors), agents[n % visitors], events.body(n), now_ms)
        for n in numbers
    ]


@dataclass(slots=True)
class Relay:
    """A whole relay. `upstream` is the sink's address."""

    folder: Path
    upstream: str
    port: int = field(default_factory=free_port)
    valkey: Valkey = field(init=False)
    door: Program = field(init=False)
    workers: list[Program] = field(default_factory=list)
    queue_core: int = SERVER_CORE

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.valkey = Valkey(self.folder, self.queue_core)
        self.door = self._program("door", "serve")

    def _program(self, name: str, word: str) -> Program:
        env = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")} | {
            "RELAY_UPSTREAM": self.upstream,
            "RELAY_SITES": events.SITE,
            "RELAY_TRUSTED_PROXIES": "127.0.0.1",
            "RELAY_REDIS_URL": self.valkey.url,
            "RELAY_PARTITIONS": str(PARTITIONS),
            "RELAY_MAX_BACKLOG": "10000000",
            "RELAY_LOG_LEVEL": "warning",
        }
        if word == "serve":
            env["RELAY_LISTEN"] = f"127.0.0.1:{self.port}"
        return Program(name, (sys.executable, "-m", "relay", word), self.folder / f"{name}.log", env=env)

    def start(self, *, door: bool = True, workers: int = 0) -> None:
        """Start the server, and what is asked for; returns when the door listens."""
        self.valkey.start()
        if door:
            self.door.start()
            self.door.until(lambda: listens(self.port))
        for _ in range(workers):
            self.add_worker()

    def add_worker(self) -> Program:
        """Start one more worker."""
        worker = self._program(f"worker{len(self.workers)}", "work")
        worker.start()
        self.workers.append(worker)
        return worker

    def know_workers(self) -> None:
        """Let a worker show what it reads, as at a relay that has worked before; then there is none."""
        self.add_worker()
        self.until_shared()
        self.fill(0)
        self.stop_workers()

    def stop_workers(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.stop()
        self.workers.clear()

    def stop(self) -> None:
        """End everything."""
        self.stop_workers()
        self.door.stop()
        self.valkey.server.close()

    def until_shared(self) -> None:
        """Wait until each worker owns its share of the partitions."""

        def shared() -> bool:
            owned = [len(state.get("partitions", ())) for state in self._look().workers.values()]
            return len(owned) == len(self.workers) and sum(owned) == PARTITIONS and max(owned) - min(owned) <= 1

        until("an even share of the partitions", shared, step_s=0.1)

    def fill(self, count: int, first: int = 0, at_once: int = FILLED_AT_ONCE) -> None:
        """Put so many events into the queue as the door does, but without HTTP, `at_once` in a write."""
        asyncio.run(self._fill(count, first, at_once))

    async def _fill(self, count: int, first: int, at_once: int) -> None:
        async with self.committer() as committer:
            for start in range(first, first + count, at_once):
                await committer.put(stored(range(start, min(start + at_once, first + count))))

    @contextlib.asynccontextmanager
    async def committer(self) -> AsyncIterator[Committer]:
        """The door's own way into the queue."""
        redis = connect(self.valkey.url)
        await settle_form(redis, PARTITIONS)
        committer = Committer(redis, PARTITIONS, forms=await read_by_all(redis))
        running = asyncio.create_task(committer.run())
        try:
            yield committer
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await redis.aclose()

    def account(self) -> dict[str, int]:
        """The ledger: accepted, delivered, dropped, dead, pending."""
        return self._look().ledger

    def _look(self) -> ledger.Look:
        async def asked() -> ledger.Look:
            redis = connect(self.valkey.url)
            try:
                return await ledger.look(redis, PARTITIONS)
            finally:
                await redis.aclose()

        return asyncio.run(asked())
