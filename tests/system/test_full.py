"""A queue whose server runs out of memory: the doors refuse in time, and the workers empty it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.queue.connection import connect
from tests.system.rig import Relay, event, until

EVENT = event("big", props={f"p{n}": "x" * 1_900 for n in range(30)})  # some 58 kB
ROOM = 12_000_000


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay whose Plausible is away, and whose server has room for some two hundred of these events."""
    async with Relay(tmp_path) as running:
        await running.faults({"status": 503})
        server = await server_of(running)
        used = int((await server.info("memory"))["used_memory"])
        await server.config_set("maxmemory", used + ROOM)
        await server.aclose()
        yield running


async def server_of(relay: Relay) -> Redis:
    """A client of the server that `relay up` started."""
    run = json.loads((relay.folder / "data" / "run.json").read_bytes())
    return connect(run["redis_url"])


async def post_until_refused(relay: Relay) -> int:
    """Post one after the other until the door refuses; returns how many it took. Only 202 and 503 are right."""
    for taken in range(2_000):
        status = await relay.post(EVENT)
        if status != 202:
            assert status == 503
            return taken
        if taken % 20 == 19:
            await asyncio.sleep(0)  # the door looks once a second by itself
    raise AssertionError("the door never refused")


async def test_the_door_refuses_before_the_memory_is_full(relay: Relay) -> None:
    """At 80 % of maxmemory it says 503 and why; when the queue has drained it takes events again, by itself."""
    taken = await post_until_refused(relay)
    assert taken > 20
    async with relay.http.get(f"{relay.door}/health/ready") as answer:
        told = await answer.json()
        assert answer.status == 503
    assert "memory" in str(told["reasons"]), told
    await relay.faults()
    await relay.settled(delivered=taken, pending=0)

    async def taken_again() -> bool:
        return await relay.post(EVENT) == 202

    await until("events are taken again", taken_again, within_s=10)


@pytest.mark.parametrize("role", [None, "work"], ids=["same worker", "worker started meanwhile"])
async def test_a_full_memory_empties_itself(relay: Relay, role: str | None) -> None:
    """Above maxmemory the workers go on: they keep their leases, deliver and settle; a new worker starts, too."""
    taken = await post_until_refused(relay)
    server = await server_of(relay)
    used = int((await server.info("memory"))["used_memory"])
    await server.config_set("maxmemory", used - 1_000_000)  # as if something else had taken the rest
    assert await relay.post(EVENT) == 503
    if role is not None:
        await relay.killed(role)
    await relay.faults()
    await relay.settled(delivered=taken, pending=0)
    await server.aclose()
