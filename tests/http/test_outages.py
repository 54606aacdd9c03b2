"""When the queue is away, frozen, full or read-only: a quick 503 that says why, and healing by itself."""

import asyncio
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from relay.http.app import FAILED
from relay.queue import keys
from relay.queue.claiming import Outcome, settle
from relay.queue.stored import StoredEvent, partition_of
from tests.http.conftest import OpenDoor
from tests.http.door import Answer, Door, body, errors, has_cors, request, until, until_ready
from tests.server import TestServer

NOT_KEPT = ("not kept, please send it again: ", "not known to be kept, please send it again: ")
WITHIN_S = 1.2  # a second is promised (docs/promises.md), and a busy machine needs a little


async def refused_soon(door: Door, *pieces: bytes) -> Answer:
    """Send an event; expect to be refused in time, readably, and to be told when to come again."""
    began_s = time.monotonic()
    answer = await door.converse(*(pieces or (request(body()),)))
    assert time.monotonic() - began_s < WITHIN_S
    assert (answer.status, answer.has_cors, answer.headers["retry-after"]) == (503, True, "2")
    assert errors(answer.content)["request"][0].startswith(NOT_KEPT)
    return answer


async def why_unready(door: Door) -> list[str]:
    """Ask for readiness, expect a no in time and a yes to being alive; return the reasons."""
    began_s = time.monotonic()
    answer = await door.get("/health/ready")
    assert time.monotonic() - began_s < WITHIN_S
    told = await answer.json()
    assert (answer.status, told["status"], has_cors(answer)) == (503, "unready", True)
    assert (await door.get("/health/live")).status == 200
    reasons: list[str] = told["reasons"]
    return reasons


async def until_unready(door: Door) -> None:
    """Wait until the door has noticed; a look at the queue may be a quarter of a second old."""

    async def unready() -> bool:
        return (await door.get("/health/ready")).status == 503

    await until("a door that is unready", unready)


async def heals(door: Door) -> None:
    """Expect the same door to accept again by itself."""

    async def accepts() -> bool:
        return (await door.post(body(name="after"))).status == 202

    await until("a door that accepts again", accepts)
    await until_ready(door)
    assert body(name="after") in [event.body for event in await door.kept()]
    assert not door.app[FAILED].done()


@pytest.fixture
async def mortal(open_door: OpenDoor, own_server: TestServer) -> Door:
    """Give a door on a server that the test may harm."""
    opened = await open_door(redis_url=own_server.url)
    await until_ready(opened)
    return opened


async def test_a_frozen_server(mortal: Door, own_server: TestServer) -> None:
    """A server that hangs is told to each sender within a second, to late-comers too, and forgotten when it goes on."""
    own_server.freeze()
    senders = [asyncio.create_task(refused_soon(mortal))]
    while not senders[0].done():  # one comes at each moment of its wait, and one after it
        await asyncio.sleep(0.1)
        senders.append(asyncio.create_task(refused_soon(mortal)))
    answers = await asyncio.gather(*senders)
    assert {errors(answer.content)["request"][0].rpartition(": ")[2] for answer in answers} == {"no answer in time"}
    assert await why_unready(mortal) == ["queue: no answer in time"]
    own_server.thaw()
    await heals(mortal)


async def test_a_killed_server(mortal: Door, own_server: TestServer) -> None:
    """What was accepted is still there when the server is back; what came meanwhile was refused."""
    assert (await mortal.post(body(name="before"))).status == 202
    own_server.kill()
    for _ in range(3):
        await refused_soon(mortal)
    await until_unready(mortal)
    assert await why_unready(mortal) == ["queue: no connection"]
    own_server.start()
    await heals(mortal)
    kept = [event.body for event in await mortal.kept()]
    assert (kept.count(body(name="before")), kept.count(body())) == (1, 0)


async def test_a_kill_under_load(mortal: Door, own_server: TestServer) -> None:
    """Of a crowd that a crash surprises each gets a 202 or a 503, and every 202 is kept."""

    async def visit(i: int) -> tuple[int, int]:
        return i, (await mortal.converse(request(body(name=f"n{i}")))).status

    visits = [asyncio.create_task(visit(i)) for i in range(100)]
    await visits[10]
    own_server.kill()
    answers = await asyncio.gather(*visits)
    assert {status for _, status in answers} <= {202, 503}
    own_server.start()
    await heals(mortal)
    kept = {event.body for event in await mortal.kept()}
    assert {body(name=f"n{i}") for i, status in answers if status == 202} <= kept


async def test_a_door_before_its_server(open_door: OpenDoor, tmp_path: Path) -> None:
    """Started first, the door lives, says that it cannot accept yet and why, and begins when its server is there."""
    server = TestServer(tmp_path / "redis")
    try:
        door = await open_door(redis_url=server.url)
        assert (await why_unready(door))[0].startswith("queue: ")
        await refused_soon(door)
        server.start()
        await heals(door)
    finally:
        server.close()


@pytest.mark.parametrize(
    ("harm", "healing", "why"),
    [
        ({"min-replicas-to-write": "1"}, {"min-replicas-to-write": "0"}, "NOREPLICAS"),
        ({"maxmemory": "1"}, {"maxmemory": "0"}, "command not allowed when used memory"),
    ],
)
async def test_a_server_that_does_not_write(
    mortal: Door, harm: dict[str, str], healing: dict[str, str], why: str
) -> None:
    """Reading alone keeps no promise: a read-only or full server makes the door unready."""
    for name, value in harm.items():
        await mortal.redis.config_set(name, value)
    assert "the queue did not take it" in errors((await refused_soon(mortal)).content)["request"][0]

    await until_unready(mortal)
    (reason,) = await why_unready(mortal)
    assert why in reason
    for name, value in healing.items():
        await mortal.redis.config_set(name, value)
    await heals(mortal)


async def test_forgotten_scripts_are_loaded_again(door: Door) -> None:
    """A server that lost the door's script (a failover) costs one refusal at most."""
    assert (await door.post()).status == 202
    await door.redis.script_flush()
    assert (await door.post()).status in {202, 503}
    assert (await door.post()).status == 202


async def test_a_full_backlog(open_door: OpenDoor) -> None:
    """At the limit the door refuses and is unready; when a worker has delivered something, it goes on."""
    door = await open_door(max_backlog="3", partitions="2")
    await until_ready(door)

    async def full() -> bool:
        return (await door.post()).status == 503

    await until("a full backlog", full)
    pending = len(await door.kept())
    assert pending == 3
    answer = await refused_soon(door)
    reason = f"backlog: {pending} pending events, the limit is 3"
    assert errors(answer.content)["request"] == [f"not kept, please send it again: {reason}"]
    assert await why_unready(door) == [reason]
    await deliver(door.redis)
    await heals(door)
    assert len(await door.kept()) == 1


async def test_a_damaged_partition_fills_no_backlog(open_door: OpenDoor) -> None:
    """It can't be looked at; what the other one takes and delivers is no backlog all the same."""
    door = await open_door(max_backlog="3", partitions="2")
    await until_ready(door)
    await door.redis.set(keys.ledger(1), "damaged")
    agent = next(agent for agent in map(str, range(30)) if in_first(agent))

    async def is_kept() -> bool:
        return (await door.post(headers={"User-Agent": agent})).status == 202

    for _ in range(7):
        await until("the partition that is not damaged takes an event", is_kept)
        await deliver(door.redis, partitions=1)


def in_first(agent: str) -> bool:
    """Whether an event from here with this User-Agent goes to the first of two partitions."""
    return partition_of(StoredEvent("example.com", "127.0.0.1", agent.encode(), b"", 0), 2) == 0


async def deliver(redis: Redis, partitions: int = 2) -> None:
    """Settle every event of the first partitions as a worker would."""
    for p in range(partitions):
        outcomes = [Outcome("delivered", entry, b"-") for entry, _ in await redis.xrange(keys.events(p))]
        await settle(redis, {p: outcomes}, again=False)
