"""`relay audit` on a real data set: what an operator reads of it, and what a script can rely on."""

import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.cli.audit import NAMED
from relay.queue import keys
from relay.queue.claiming import Outcome, settle
from relay.queue.connection import settle_form
from relay.queue.dead import dead_note
from relay.queue.differences import ADVICE, Kind
from relay.queue.stored import unpack
from tests.cli.shell import relay
from tests.queue.samples import event_of, put

P = 2


@pytest.fixture
async def filled(redis: Redis, redis_url: str) -> str:
    """Give the address of a server with pending events, one that failed and some that died."""
    await settle_form(redis, P)
    await put(redis, P, *(event_of("x", n, site=f"{n}.example") for n in range(60)))
    for partition in range(P):
        first, *others = await redis.xrange(keys.events(partition), count=6)
        dead = [
            Outcome("dead", entry_id, dead_note("exhausted", "", 1, None), unpack(fields[b"e"]).tally)
            for entry_id, fields in others
        ]
        await settle(redis, {partition: [Outcome("again", first[0], b'{"next_ms": 1}'), *dead]}, again=False)
    return redis_url


def test_an_audit_that_agrees_says_how_much_it_looked_at(filled: str, tmp_path: Path) -> None:
    """All agrees: exit code 0, and what was counted, so that nobody takes an empty data set for a sound one."""
    done = relay("audit", "--redis-url", filled, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    looked, verdict = done.stdout.splitlines()
    assert looked.split(maxsplit=2)[2].startswith("50 pending events, 10 dead letters, 2 scheduled retries, 60 tallies")
    assert verdict == "all agrees"
    told = json.loads(relay("audit", "--json", "--redis-url", filled, cwd=tmp_path).stdout)
    looked_at = {"partitions": P, "pending": 50, "letters": 10, "scheduled": 2, "tallies": 60}
    assert told == {"agrees": True, "looked_at": looked_at, "differences": [], "advice": {}, "not_compared": []}


async def test_an_audit_names_what_differs_and_what_to_do(redis: Redis, filled: str, tmp_path: Path) -> None:
    """A damaged queue: exit code 1, where and by how much, and for each kind what would be right."""
    [(lost, fields)] = await redis.xrevrange(keys.events(0), count=1)
    await redis.xdel(keys.events(0), lost)
    await redis.hset(keys.retry(1), "1-1", "{}")  # type: ignore[misc] # redis-py types both worlds
    done = relay("audit", "--redis-url", filled, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    for kind in (Kind.BALANCE, Kind.TALLY, Kind.SCHEDULE):
        assert any(line.startswith(f"{kind} ") for line in lines)
        assert f"{'':<13} → {ADVICE[kind]}" in lines
    assert lines[-1] == "4 differences"  # the schedule's note is unreadable and without an event
    told = json.loads(relay("audit", "--json", "--redis-url", filled, cwd=tmp_path).stdout)
    assert told["agrees"] is False
    assert set(told["advice"]) == {"balance", "tally", "schedule"}
    found = {(one["kind"], one["partition"], one["by"], one["site"]) for one in told["differences"]}
    assert found == {("balance", 0, -1, None), ("tally", 0, -1, unpack(fields[b"e"]).site), ("schedule", 1, 1, None)}


async def test_an_audit_of_a_ruin_stays_readable(redis: Redis, filled: str, tmp_path: Path) -> None:
    """Of many differences of a kind the first are printed and the rest counted; --json has them all."""
    await redis.delete(keys.events(0), keys.events(1))
    lines = relay("audit", "--redis-url", filled, cwd=tmp_path).stdout.splitlines()
    assert len(lines) < 2 * NAMED
    assert f"{'':<13} and {50 - NAMED} more: --json has them all" in lines
    told = json.loads(relay("audit", "--json", "--redis-url", filled, cwd=tmp_path).stdout)
    assert sum(one["kind"] == "tally" for one in told["differences"]) == 50


def test_an_audit_without_a_queue_fails(tmp_path: Path) -> None:
    """What cannot be asked is no agreement: exit code 1 and one line."""
    done = relay("audit", "--redis-url", "redis://127.0.0.1:9", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the queue can't be asked" in done.stderr
