"""`relay status` and `relay dead` on a real data set: what an operator reads."""

import asyncio
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import Outcome, settle
from relay.queue.connection import settle_form
from relay.queue.dead import dead_note
from relay.queue.leases import heartbeat
from relay.rules.drops import ADVICE, DropCause
from tests.cli.shell import relay
from tests.queue.samples import event_of, put

P = 3  # not the default, so that a number taken from elsewhere shows


async def ended(redis: Redis, *outcomes: tuple[str, bytes]) -> None:
    """Accept an event for each outcome, and settle it so."""
    await settle_form(redis, P)
    await put(redis, P, *(event_of("Signup", visitor) for visitor in range(len(outcomes))))
    left = list(outcomes)
    for partition in range(P):
        entries = await redis.xrange(keys.events(partition))
        lines = [Outcome(verb, entry_id, note) for (entry_id, _), (verb, note) in zip(entries, left, strict=False)]
        left = left[len(lines) :]
        await settle(redis, {partition: lines}, again=False)
    assert not left


DIED = ("dead", dead_note("refused_upstream", "400: no", 1, None))


async def test_status_needs_no_number_of_partitions(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """The data set tells it: there is no option for it, and a setting of the doors changes nothing."""
    await ended(redis, ("delivered", b""))
    told = json.loads(relay("status", "--json", "--redis-url", redis_url, cwd=tmp_path, RELAY_PARTITIONS="5").stdout)
    assert told["partitions"]["total"] == P
    assert told["ledger"]["delivered"] == 1
    assert relay("status", "--partitions", "3", "--redis-url", redis_url, cwd=tmp_path).returncode == 2


async def test_status_says_what_can_be_done_about_drops(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Each cause that occurred has its advice, in a line of its own, and no other has."""
    await ended(
        redis, ("dropped", b"bot"), ("dropped", b"bot"), ("dropped", b"no_session"), ("dropped", b"of tomorrow")
    )
    lines = relay("status", "--redis-url", redis_url, cwd=tmp_path).stdout.splitlines()
    assert [line[11:] for line in lines if line[11:].startswith(tuple(f"{cause}: " for cause in DropCause))] == [
        f"bot: {ADVICE[DropCause.BOT]}",
        f"no_session: {ADVICE[DropCause.NO_SESSION]}",
    ]
    assert [line for line in lines if line.startswith("drops ")] == [f"drops      bot: {ADVICE[DropCause.BOT]}"]


async def test_status_without_drops_gives_no_advice(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Where nothing was dropped the account stays as short as it was."""
    await ended(redis, ("delivered", b""))
    assert "\ndrops" not in relay("status", "--redis-url", redis_url, cwd=tmp_path).stdout


async def test_status_names_the_sites_that_fail(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Sites that any worker sees failing are named with why, once each; where none fails there is no such line."""
    await ended(redis, ("delivered", b""))
    failing = {"b.example": "failing: status 500", "c.example": "busy: status 429"}
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(_beat(redis, failing))
        told = await asyncio.to_thread(relay, "status", "--redis-url", redis_url, cwd=tmp_path)
        beating.cancel()
    lines = told.stdout.splitlines()
    at = lines.index("failing    b.example: failing: status 500")
    assert lines[at + 1] == "           c.example: busy: status 429"
    await heartbeat(redis, "a", json.dumps({"upstream": {"state": "up"}}), [])
    assert "\nfailing" not in relay("status", "--redis-url", redis_url, cwd=tmp_path).stdout


async def _beat(redis: Redis, failing: dict[str, str]) -> None:
    """Two workers' heartbeats until cancelled: a command may start more slowly than a worker counts as gone."""
    up = {"state": "up", "limit": 8, "url": "http://p"}
    while True:
        await heartbeat(redis, "a", json.dumps({"upstream": up | {"failing_sites": failing}}), [])
        await heartbeat(redis, "b", json.dumps({"upstream": up}), [])
        await asyncio.sleep(0.2)


async def test_one_is_said_as_one(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """One letter, one attempt, one event: a person counts them, so a person's words are used."""
    named = ("--redis-url", redis_url)
    await ended(redis, DIED, DIED)
    first, _, both = relay("dead", "list", *named, cwd=tmp_path).stdout.splitlines()
    assert "after 1 attempt: 400: no" in first
    assert both == "2 dead letters"
    retried = relay("dead", "retry", first.split()[0], *named, cwd=tmp_path)
    assert (retried.returncode, retried.stdout) == (0, "1 dead letter sent back to the queue\n")
    assert relay("dead", "list", *named, cwd=tmp_path).stdout.endswith("\n1 dead letter\n")
    assert relay("dead", "purge", "--all", *named, cwd=tmp_path).stdout == "1 dead letter removed\n"
    lost = relay("dead", "purge", "1:1-1", *named, cwd=tmp_path)
    assert (lost.returncode, lost.stdout) == (1, "0 dead letters removed\n")
    assert "not found: 1 of the named letters" in lost.stderr
    await redis.hincrby(keys.ledger(0), "repeated", 1)  # type: ignore[misc]
    await redis.hincrby(keys.ledger(0), "duplicates", 1)  # type: ignore[misc]
    told = relay("status", *named, cwd=tmp_path).stdout
    assert "repeated   1 event sent twice" in told
    assert "duplicates 1 event that a sender repeated" in told


async def test_a_limit_is_not_below_nothing(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """A limit cuts the list and says so, 0 means all, and a negative one is wrong usage."""
    await ended(redis, DIED, DIED)
    named = ("--redis-url", redis_url)
    assert relay("dead", "list", "--limit", "-1", *named, cwd=tmp_path).returncode == 2
    assert relay("dead", "list", "--limit", "0", *named, cwd=tmp_path).stdout.endswith("\n2 dead letters\n")
    cut = relay("dead", "list", "--limit", "1", *named, cwd=tmp_path).stdout
    assert cut.endswith("\n1 dead letter (there may be more: --limit)\n")


@pytest.mark.parametrize("name", ["list", "show", "export", "retry", "purge"])
def test_each_command_on_letters_is_summed_up_whole(name: str, tmp_path: Path) -> None:
    """The list of commands says what each does in a sentence that is not cut off."""
    shown = relay("dead", "--help", cwd=tmp_path).stdout
    [line] = [line for line in shown.splitlines() if line.startswith(f"  {name} ")]
    assert line.endswith(".")
    assert not line.endswith("..")
