"""Workers at work: the real runtime, a real Redis, and the sandbox in Plausible's place, all in one loop."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web
from redis.asyncio import Redis

from relay.queue.claiming import Note, read_notes
from relay.queue.connection import connect
from relay.queue.dead import DeadLetter, Which, find
from relay.queue.ledger import look
from relay.queue.stored import StoredEvent
from relay.sandbox import build_sandbox
from relay.sandbox.faults import read_rules
from relay.sandbox.record import Entry, Outcome, Query
from relay.sandbox.state import SANDBOX, Sandbox
from relay.settings import Settings
from tests.queue.samples import ledger, put, put_together, until
from workers.runtime import Runtime, build_runtime

QUICK: Final[dict[str, Any]] = {
    "retry_base_s": 0.02,
    "retry_cap_s": 0.1,
    "connect_timeout_s": 5.0,
    "answer_timeout_s": 5.0,  # two busy cores: what must time out says so
    "partitions": 4,
}


@dataclass(slots=True)
class Rig:
    """One data set, one sandbox, and the settings of workers between them."""

    redis: Redis
    sandbox: Sandbox
    settings: Settings
    upstream: web.AppRunner

    async def accept(self, *events: StoredEvent) -> None:
        """Put events in, as the door does, each in an entry of its own."""
        await put(self.redis, self.settings.partitions, *events)

    async def accept_together(self, *events: StoredEvent) -> None:
        """Put events in that come together, as many in an entry as go there."""
        await put_together(self.redis, self.settings.partitions, *events)

    @asynccontextmanager
    async def worker(self, name: str = "worker", **changes: Any) -> AsyncIterator[Runtime]:
        """A worker that runs while the context lasts, then ends cleanly; a bug in one of its parts is raised."""
        runtime = build_runtime(name, self.settings.model_copy(update=changes))
        await runtime.start()
        try:
            yield runtime
            for task in runtime._tasks:  # noqa: SLF001 - `failed` waits for ever when nothing fails
                if task.done():
                    task.result()
        finally:
            await runtime.stop(time.monotonic())

    async def close_upstream(self) -> None:
        """Let nothing listen in Plausible's place."""
        for site in list(self.upstream.sites):
            await site.stop()

    async def open_upstream(self, port: int) -> None:
        """Let the sandbox listen there."""
        await web.TCPSite(self.upstream, "127.0.0.1", port).start()

    def fail(self, *rules: dict[str, Any]) -> None:
        """Let the sandbox fail so from now on; without rules not at all."""
        self.sandbox.faults.replace(read_rules(orjson.dumps(list(rules))))

    def seen(self, outcome: Outcome | None = None) -> list[Entry]:
        """What arrived at the sandbox, in the order of arrival."""
        return self.sandbox.book.select(Query(outcome=outcome))

    def recorded(self) -> dict[str, list[str]]:
        """The names of the events that Plausible counted, by visitor's address, in the order of arrival."""
        names = defaultdict(list)
        for entry in self.seen(Outcome.RECORDED):
            assert entry.event is not None
            names[entry.arrival.ip].append(entry.event.name)
        return dict(names)

    def failures(self, name: str = "") -> int:
        """How many requests (with an event of that name) were wasted on a fault."""
        return sum(1 for e in self.seen(Outcome.FAILED) if not name or (e.event is not None and e.event.name == name))

    async def account(self) -> dict[str, int]:
        """The ledger, after seeing that it balances."""
        return await ledger(self.redis, self.settings.partitions)

    async def settled(self, pending: int = 0, *, within_s: float = 15.0) -> dict[str, int]:
        """Wait until so many events are pending and return the ledger."""

        async def account_if_so() -> dict[str, int] | None:
            account = await self.account()
            return account if account["pending"] == pending else None

        account: dict[str, int] = await until(f"{pending} pending", account_if_so, within_s=within_s)
        return account

    async def counter(self, name: str) -> int:
        """One counter of the ledger."""
        return (await look(self.redis, self.settings.partitions)).counters.get(name, 0)

    async def letters(self) -> list[DeadLetter]:
        """All dead letters."""
        return [letter async for letter in find(self.redis, self.settings.partitions, Which())]

    async def notes(self) -> list[Note]:
        """What is kept of events that failed."""
        kept = [await read_notes(self.redis, p) for p in range(self.settings.partitions)]
        return [note for notes in kept for note in notes.values()]


@asynccontextmanager
async def open_rig(redis_url: str, **changes: Any) -> AsyncIterator[Rig]:
    """A rig on that Redis; `changes` are settings other than the quick ones."""
    app = build_sandbox()
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        upstream = f"http://127.0.0.1:{runner.addresses[0][1]}"
        settings = Settings.model_validate(QUICK | {"upstream": upstream, "redis_url": redis_url} | changes)
        redis = connect(redis_url)
        stack.push_async_callback(redis.aclose)
        yield Rig(redis, app[SANDBOX], settings, runner)
