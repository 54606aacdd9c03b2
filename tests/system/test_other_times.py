"""A server that is set up otherwise than it should be, and data that an older relay left on it."""

from pathlib import Path

import pytest
import redis

from tests.http.process import Serve
from tests.server import TestServer
from tests.system.rig import Relay, until


@pytest.mark.parametrize(
    ("weak", "said"),
    [
        ({"appendonly": "no"}, "durability is 'memory'"),
        ({"appendfsync": "everysec"}, "durability is 'everysec'"),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, "may evict pending events"),
    ],
)
async def test_a_door_states_at_its_start_what_its_server_cannot_keep(
    own_server: TestServer, tmp_path: Path, weak: dict[str, str], said: str
) -> None:
    """AOF, fsync or eviction set too weakly: the log says at once that a 202 is no promise there, and what to set."""
    with redis.Redis.from_url(own_server.url) as server:
        for name, value in weak.items():
            server.config_set(name, value)
    serve = await Serve.start(tmp_path / "serve.log", own_server.url)
    try:

        async def stated() -> bool:
            return "the queue's server does not keep the relay's promise: " in serve.said()

        await until("a word about the server", stated, within_s=10)
        assert said in serve.said()
        assert all(f"{name} " in serve.said() for name in weak if name.startswith("append"))
    finally:
        serve.close()


def left_by_version_1(server: redis.Redis) -> None:
    """Write what the first relay wrote: keys and forms are spelt out here, so that no later change moves them along."""
    server.hset("relay:form", mapping={"partitions": "8"})
    for n in range(3):
        body = b'{"name":"old%d","domain":"example.com","url":"https://example.com/"}' % n
        form = b'1["example.com","203.0.113.9","Mozilla/5.0 (old)",1795431639239,""]\n' + body
        server.xadd("relay:{5}:events", {"e": form})
    server.hincrby("relay:{5}:ledger", "accepted", 3)


async def test_an_older_relays_events_are_delivered(own_server: TestServer, tmp_path: Path) -> None:
    """Events that the first version stored go out in their order, as they came, and the account balances."""
    with redis.Redis.from_url(own_server.url) as server:
        left_by_version_1(server)
    async with Relay(tmp_path, {"RELAY_REDIS_URL": own_server.url}) as relay:
        recorded = await relay.recorded(3)
        assert [(entry["name"], entry["ip"]) for entry in recorded] == [(f"old{n}", "203.0.113.9") for n in range(3)]
        await relay.settled(accepted=3, delivered=3)
