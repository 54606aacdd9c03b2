"""How many events a source and an address may send, at all doors together."""

import asyncio

from relay.rules.source import Kind, Rate
from tests.http.conftest import OpenDoor
from tests.http.door import until_ready
from tests.http.posting import APP, made, post, refused, source
from tests.server import TestServer


async def test_limits_are_shared_by_all_doors(open_door: OpenDoor, redis_url: str) -> None:
    """429 with Retry-After beyond a source's limit, at whichever door; nothing of it is kept, other sources go on."""
    slow, other = await made(redis_url, source("slow", Kind.APP, "*", rate=Rate(0.01, 4)), APP)
    doors = [await open_door(redis_url=redis_url) for _ in range(2)]
    done = [await post(doors[n % 2], "app.example", slow) for n in range(6)]
    assert [answer.status for answer in done] == [202] * 4 + [429] * 2
    message = await refused(done[-1], 429, "request")
    assert 90 < int(done[-1].headers["Retry-After"]) <= 100
    assert 'too many events of source "slow", at most 0.01 a second and 4 at once' in message
    assert (await post(doors[0], "app.example", other)).status == 202
    assert (await post(doors[0], "a.example,b.example", slow)).status == 429
    assert len(await doors[0].kept()) == 5


async def test_addresses_are_limited_if_it_is_asked_for(open_door: OpenDoor, redis_url: str) -> None:
    """Each visitor's address has its share, also in the open relay, where there is no limit by itself."""
    door = await open_door(redis_url=redis_url, trusted_proxies="127.0.0.1", address_rate="0.01", address_burst="2")
    free = await open_door(redis_url=redis_url, trusted_proxies="127.0.0.1")
    for ip, statuses in ("192.0.2.1", [202, 202, 429]), ("192.0.2.2", [202, 202, 429]):
        assert [(await post(door, "example.com", X_Forwarded_For=ip)).status for _ in range(3)] == statuses
        assert {(await post(free, "example.com", X_Forwarded_For=ip)).status for _ in range(5)} == {202}


async def test_a_limit_does_not_answer_for_a_queue_that_is_away(open_door: OpenDoor, own_server: TestServer) -> None:
    """503 as ever, within a second, when the limit cannot be asked."""
    door = await open_door(redis_url=own_server.url, address_rate="1")
    await until_ready(door)
    own_server.freeze()
    async with asyncio.timeout(1.5):
        assert (await door.post()).status == 503
    own_server.kill()
    answer = await door.post()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
