"""What is complained about most with relays of this kind, each under the name of the complaint, with real processes.

A docstring says what this relay does instead.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from relay.queue import keys
from relay.queue.connection import connect
from relay.up.embedded import socket_path
from tests.system.rig import Relay, event, until


def more_than(names: list[str], count: int) -> Callable[[], Awaitable[bool]]:
    """A condition: the list has grown beyond that."""

    async def grown() -> bool:
        return len(names) > count

    return grown


def dead_letters(relay: Relay) -> list[dict[str, Any]]:
    """What `relay dead list --json` tells."""
    told = relay.command("dead", "list", "--json")
    assert told.returncode == 0, told.stderr
    letters: list[dict[str, Any]] = json.loads(told.stdout)
    return letters


async def test_acknowledged_then_lost(tmp_path: Path) -> None:
    """Server, door and worker are killed amid posting, one after the other: every event that got a 202 arrives."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"delay_s": 0.05})
        acknowledged: list[str] = []
        ended = asyncio.Event()

        async def post_on(visitor: int) -> None:
            for n in itertools.count():
                if ended.is_set():
                    return
                name = f"{visitor}-{n}"
                try:
                    if await relay.post(event(name), X_Forwarded_For=f"203.0.113.{visitor}") == 202:
                        acknowledged.append(name)
                except aiohttp.ClientError:  # no 202, no promise
                    await asyncio.sleep(0.02)

        posting = [asyncio.create_task(post_on(visitor)) for visitor in range(4)]
        for role in ("valkey", "serve", "work"):
            await until("acknowledgements", more_than(acknowledged, len(acknowledged) + 20))
            await relay.killed(role)
        await until("acknowledgements", more_than(acknowledged, len(acknowledged) + 20))
        ended.set()
        await asyncio.gather(*posting)
        await relay.faults()
        await relay.settled(pending=0, dead=0, dropped=0)
        assert set(acknowledged) <= {entry["name"] for entry in await relay.recorded(len(acknowledged))}


async def test_no_recovery_after_a_dependency_restarts(tmp_path: Path) -> None:
    """After a crash of the queue's server, and of Plausible, the same door and worker go on by themselves."""
    async with Relay(tmp_path) as relay:
        before = relay.child("serve"), relay.child("work")
        for role in ("valkey", "sandbox"):
            assert await relay.post(event(f"before {role}")) == 202
            await relay.recorded(1)
            await relay.killed(role)

            async def taken(name: str = f"after {role}") -> bool:
                return await relay.post(event(name)) == 202

            await until("the door takes events again", taken, within_s=15.0)
        await relay.settled(pending=0, dead=0)
        assert (relay.child("serve"), relay.child("work")) == before
        assert [entry["name"] for entry in await relay.recorded(1)][-1] == "after sandbox"


async def test_one_bad_message_blocks_others(tmp_path: Path) -> None:
    """What crashes Plausible, what it refuses and what nobody can read end dead with a reason; the others pass."""
    async with Relay(tmp_path, {"RELAY_RETRY_FOR_S": "0.3"}) as relay:
        await relay.faults(
            {"status": 500, "match": {"name": "crashes"}}, {"status": 400, "match": {"name": "is refused"}}
        )
        assert await relay.post(b'{"name":"\xff\xfe","url":"https://example.com/","domain":"example.com"}') == 400
        async with connect(f"unix://{socket_path(tmp_path / 'data')}") as redis:
            for partition in range(8):
                await redis.xadd(keys.events(partition), {"e": b"\xff\xfe no event"})
                await redis.hincrby(keys.ledger(partition), "accepted", 1)  # type: ignore[misc]
        for name in ("before", "crashes", "between", "is refused", "after"):
            assert await relay.post(event(name)) == 202
        await relay.settled(accepted=13, delivered=3, dead=10, pending=0)
        assert [entry["name"] for entry in await relay.recorded(3)] == ["before", "between", "after"]
        reasons = sorted(letter["reason"] for letter in dead_letters(relay))
        assert reasons == ["exhausted", "refused_upstream", *["unreadable"] * 8]


async def test_exhausted_means_deleted(tmp_path: Path) -> None:
    """An event that is given up is kept as it came, with the reason, and one command sends it again."""
    body = json.dumps(event("poison", props={"how": "\N{SNOWMAN}  as it came"})).encode()
    async with Relay(tmp_path, {"RELAY_RETRY_FOR_S": "0.3"}) as relay:
        await relay.faults({"status": 500, "match": {"name": "poison"}})
        assert await relay.post(body) == 202
        assert await relay.post(event("passes")) == 202
        await relay.settled(accepted=2, delivered=1, dead=1)
        [letter] = dead_letters(relay)
        assert letter["reason"] == "exhausted"
        assert "status 500" in letter["detail"]
        await relay.faults()
        assert relay.command("dead", "retry", letter["name"]).returncode == 0
        await relay.settled(accepted=2, delivered=2, dead=0, pending=0)
        assert [e["body"] for e in await relay.recorded(2) if e["name"] == "poison"] == [body.decode()]


async def test_endless_invisible_retries(tmp_path: Path) -> None:
    """An event alone in the world that fails is seen in status, health, metrics and log; once others pass it ends."""
    async with Relay(tmp_path, {"RELAY_RETRY_FOR_S": "0.3"}) as relay:
        await relay.faults({"status": 500, "match": {"name": "poison"}})
        assert await relay.post(event("poison")) == 202

        async def told() -> bool:
            return "down: failing: status 500, for " in relay.command("status").stdout

        await until("relay status says what is wrong", told)
        assert "the oldest for" in relay.command("status").stdout
        async with relay.http.get(f"{relay.door}/health/ready") as answer:
            assert any("failing: status 500" in text for text in (await answer.json())["warnings"])
        async with relay.http.get(f"{relay.door}/metrics") as answer:
            text = await answer.text()
        assert "relay_upstream_down 1.0" in text
        assert "relay_events_pending" in text or "relay_pending" in text
        assert "the upstream is down, events wait: failing (status 500)" in relay.said()

        async def ended() -> bool:
            assert await relay.post(event("passes"), X_Forwarded_For="203.0.113.9") == 202
            return relay.ledger()["dead"] == 1

        await until("it ends when others pass", ended)
        assert [letter["reason"] for letter in dead_letters(relay)] == ["exhausted"]
