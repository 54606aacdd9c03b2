"""What workers keep in order beside their events, seen in a real worker process."""

import asyncio
import os
import sys
import time
from pathlib import Path

from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.audit import audit
from relay.queue.claiming import Outcome, settle
from relay.queue.connection import settle_form
from relay.queue.dead import dead_note
from relay.queue.ledger import look
from relay.queue.stored import unpack
from tests.queue.samples import event_of, put, until

# A worker that looks every second in place of every tenth.
WORK = "import workers.process as p; p.TEND_SECONDS = set(range(60)); from relay.cli import main; main(['work'])"
DAY_MS = 86_400_000
P = 2


async def bury(redis: Redis, *, old: int, young: int) -> None:
    """Letters in each partition: some died two days ago, some just now."""
    now_ms = time.time_ns() // 1_000_000
    for partition in range(P):
        while await redis.xlen(keys.dead(partition)) < old + young:
            await put(redis, P, *(event_of("x", visitor) for visitor in range(10)))
            entries = (await redis.xrange(keys.events(partition)))[: old + young]
            note = dead_note("exhausted", "", 1, None)
            dead = [Outcome("dead", entry_id, note, unpack(fields[b"e"]).tally) for entry_id, fields in entries]
            await settle(redis, {partition: dead[: old + young - await redis.xlen(keys.dead(partition))]}, again=False)
        letters = await redis.xrange(keys.dead(partition))
        await redis.delete(keys.dead(partition))
        for number, (_, fields) in enumerate(letters):
            died_ms = now_ms - 2 * DAY_MS if number < old else now_ms
            await redis.xadd(keys.dead(partition), fields, id=f"{died_ms}-{number}")


async def test_letters_go_by_age_and_by_number(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """A worker removes what is too old and the oldest of what is too many, says how many, and every account agrees."""
    await settle_form(redis, P)
    await bury(redis, old=3, young=7)
    log = tmp_path / "log"
    env = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")} | {
        "RELAY_REDIS_URL": redis_url,
        "RELAY_UPSTREAM": "http://127.0.0.1:9",
        "RELAY_PARTITIONS": str(P),
        "RELAY_DEAD_KEEP_DAYS": "1",
        "RELAY_DEAD_KEEP_COUNT": str(5 * P),
        "RELAY_LOG_FORMAT": "json",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORK, env=env, stdout=output, stderr=output
        )
    try:
        await until("it says so", lambda: "dead letters went past what is kept" in log.read_text(), within_s=30.0)
    finally:
        process.terminate()
        await process.wait()
    assert f'"msg": "{P * (3 + 2)} dead letters went past what is kept' in log.read_text()
    kept = [await redis.xrange(keys.dead(partition)) for partition in range(P)]
    assert [[entry_id.rpartition(b"-")[2] for entry_id, _ in letters] for letters in kept] == [
        [b"5", b"6", b"7", b"8", b"9"]
    ] * P
    seen = await look(redis, P)
    assert (seen.counters["purged"], seen.ledger["dead"], seen.letters) == (P * 5, P * 10, P * 5)
    assert (await audit(redis, P)).differences == []
