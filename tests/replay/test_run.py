"""A replay into a real queue: at its pace, through an outage of the server, and knowing a log again."""

import asyncio
import time
from pathlib import Path

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.connection import connect
from relay.queue.ledger import look
from relay.replay import known
from relay.replay.admitting import Admission, Terms
from relay.replay.keeping import Place
from relay.replay.opening import Plan, open_with
from relay.replay.pace import Pacer
from relay.replay.rules import Rules
from relay.replay.run import Replay
from relay.rules.admission import Sites
from relay.rules.event import Validation
from tests.queue.samples import until
from tests.replay.lines import clf
from tests.server import TestServer

P = 4
KEEP_MS = 60_000
PLAN = Plan(
    Rules(), Place("example.com"), Admission(Terms(Sites(frozenset(), every=True), Validation.STRICT, 3_600_000))
)


def log_of(folder: Path, events: int, name: str = "access.log") -> Path:
    """A log with so many pages."""
    path = folder / name
    path.write_text("".join(clf(f"/{n}", visitor=n) for n in range(events)))
    return path


async def replay(this: Replay, path: Path) -> bool:
    """Replay a log."""
    opened = open_with(str(path), PLAN)
    try:
        return await this.run(opened, await this.marks_of(opened))
    finally:
        opened.log.close()


async def test_a_bounded_number_waits_for_the_workers(redis: Redis, tmp_path: Path) -> None:
    """Nothing is put while so many are pending, whoever sent them; with room it goes on; told to stop, it stops."""
    waited: list[int] = []
    this = Replay(redis, P, Pacer(redis, P, max_pending=30, on_wait=waited.append), KEEP_MS)
    task = asyncio.create_task(replay(this, log_of(tmp_path, 100)))
    await until("the replay waits", lambda: bool(waited))
    assert (waited[0], this.summary.queued) == (30, 30)
    for partition in range(P):
        await redis.xtrim(keys.events(partition), maxlen=0)
    await until("more is queued", lambda: this.summary.queued == 60)
    this.stop.set()
    assert not await task
    assert (await look(redis, P)).ledger["accepted"] == 60


async def test_a_rate_is_kept(redis: Redis, tmp_path: Path) -> None:
    """By the replay's rate and by a site's, whichever is slower, it takes at least its time."""
    log = log_of(tmp_path, 30)
    for pacer in (
        Pacer(redis, P, rate_per_s=100),
        Pacer(redis, P, site_rate_per_s=100),
        Pacer(redis, P, site_rate_per_s=9_000, site_rates={"example.com": 100}),
    ):
        this, began_s = Replay(redis, P, pacer, KEEP_MS), time.monotonic()
        opened = open_with(str(log), PLAN)
        assert await this.run(opened, await this.marks_of(opened, restart=True))
        opened.log.close()
        assert (this.summary.queued, time.monotonic() - began_s > 0.1) == (30, True)


async def test_the_server_may_go_away(own_server: TestServer, tmp_path: Path) -> None:
    """Killed and started again meanwhile: the replay says that it waits, goes on by itself, and no line is doubled."""
    client, away = connect(own_server.url, timeout_s=0.5), list[str]()
    this = Replay(client, P, Pacer(client, P, max_pending=10_000, rate_per_s=1_000), KEEP_MS, on_away=away.append)
    task = asyncio.create_task(replay(this, log_of(tmp_path, 600)))
    await until("events are queued", lambda: this.summary.queued > 0)
    own_server.kill()
    await until("the outage is seen", lambda: bool(away))
    own_server.start()
    assert await task
    told = await look(client, P)
    await client.aclose()
    assert (this.summary.queued, told.ledger["accepted"], told.ledger["pending"]) == (600, 600, 600)


async def test_a_log_is_known_by_its_text(redis: Redis, tmp_path: Path) -> None:
    """Under another name, in a copy; not one that is short and copied; not another log in the same file."""
    pacer = Pacer(redis, P, max_pending=10_000)
    long, short = log_of(tmp_path, 40), log_of(tmp_path, 3, "short.log")
    for path in (long, short):
        assert await replay(Replay(redis, P, pacer, KEEP_MS), path)
    (tmp_path / "copy.log").write_bytes(long.read_bytes())
    (tmp_path / "short-copy.log").write_bytes(short.read_bytes())
    moved = short.rename(tmp_path / "moved.log")
    with moved.open("a") as more:
        more.write(clf("/more"))
    queued = {}
    for name in ("copy.log", "short-copy.log", "moved.log"):
        this = Replay(redis, P, pacer, KEEP_MS)
        assert await replay(this, tmp_path / name)
        queued[name] = this.summary.queued
    assert queued == {"copy.log": 0, "short-copy.log": 3, "moved.log": 1}
    opened = open_with(str(long), PLAN)
    opened.log.close()
    assert await known.forget(redis, opened.log)
    assert await known.find(redis, P, opened.log, KEEP_MS) is None
