"""Outcomes are written in groups: few writes where many come, none of them late where there is enough."""

import asyncio
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from relay.queue import keys
from relay.queue.claiming import Outcome
from tests.queue.samples import until
from workers import settling
from workers.settling import Settler


@dataclass(slots=True)
class Account:
    """A partition, as far as settling goes."""

    number: int = 0
    unfinished: int = 0
    refused: bool = False


async def scripts_called(redis: Redis) -> int:
    """How many scripts the server has run since it was asked to forget."""
    return int((await redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0))


async def test_outcomes_that_come_one_by_one_are_few_writes(redis: Redis) -> None:
    """Where one write follows the other each waits a little for more; every event is settled once."""
    settler, account = Settler(redis, enough=1_000), Account()
    running = asyncio.create_task(settler.run())
    ids = [await redis.xadd(keys.events(0), {"e": "x"}) for _ in range(100)]
    settler.add(account, Outcome("delivered", ids[0]))
    await until("the script is there", lambda: settler.unsettled == 0)
    await redis.config_resetstat()
    for entry_id in ids[1:]:
        settler.add(account, Outcome("delivered", entry_id))
        await asyncio.sleep(0.0005)
    await until("all are written", lambda: settler.unsettled == 0)
    assert await scripts_called(redis) < 60
    assert await redis.xlen(keys.events(0)) == 0
    assert await redis.hget(keys.ledger(0), "delivered") == b"100"  # type: ignore[misc]
    running.cancel()


async def test_enough_outcomes_are_not_waited_with(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unsettled keeps others from being sent: when enough wait they are written, however long the rest is."""
    monkeypatch.setattr(settling, "REST_S", 60.0)
    monkeypatch.setattr(settling, "QUICK_S", 60.0)
    settler, account = Settler(redis, enough=3), Account()
    running = asyncio.create_task(settler.run())
    ids = [await redis.xadd(keys.events(0), {"e": "x"}) for _ in range(6)]
    for entry_id in ids[:3]:
        settler.add(account, Outcome("delivered", entry_id))
    await until("the first are written", lambda: settler.unsettled == 0)
    for entry_id in ids[3:5]:
        settler.add(account, Outcome("delivered", entry_id))
    await asyncio.sleep(0.05)
    assert settler.unsettled == 2
    settler.add(account, Outcome("delivered", ids[5]))
    await until("the others are written", lambda: settler.unsettled == 0)
    running.cancel()
