"""The contract has all that the door has, and the door all that the contract has.

That each answer is as the contract says, `conformity` sees to in every test of the door.
"""

import orjson
import pytest
from aiohttp import hdrs

from relay import __version__
from relay.http import intake
from relay.rules.device import read_device
from relay.rules.fault import Fault
from tests.http.batches import array, item
from tests.http.batches import post as post_batch
from tests.http.conformity import CONTRACT, Answers, described
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, has_cors, padded, request, until
from tests.http.posting import APP, SHOP, made, post
from tests.http.upstream import serving

NOWHERE = "redis://127.0.0.1:1/0"


async def test_the_door_gives_it(door: Door) -> None:
    """To anybody, as JSON, with the relay's version, and a page may read it."""
    answer = await door.client.get("/openapi.json", headers={"X-Forwarded-For": "203.0.113.9"})
    assert (answer.status, answer.content_type, has_cors(answer)) == (200, "application/json", True)
    assert await answer.json() == CONTRACT
    assert CONTRACT["info"]["version"] == __version__


async def test_each_route_is_described_and_no_other(door: Door) -> None:
    """Paths and methods are those of the application."""
    routes = {(route.method, route.resource.canonical) for route in door.app.router.routes() if route.resource}
    served = {(method, path) for method, path in routes if method not in {hdrs.METH_ANY, "HEAD"}}
    assert served == {(method, path) for method, path, _ in described()}


@pytest.mark.parametrize("name", CONTRACT["components"]["schemas"]["Device"]["properties"]["os"]["enum"])
def test_each_system_is_known(name: str) -> None:
    """What an app may run on."""
    assert not isinstance(read_device(orjson.dumps({"os": name})), Fault)


async def test_each_answer_that_is_described_is_given(
    open_door: OpenDoor, answers: Answers, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every status of every endpoint can be had from a real door; that it gives no others, all its tests watch."""
    for provoke in (_taken, _wrong, _away, _too_many, _scripts):
        await provoke(open_door)
    with monkeypatch.context() as patch:
        patch.setattr(intake, "BODY_WITHIN_S", 0.05)
        await _stalled(await open_door())
    await _strangers(open_door, redis_url)
    assert answers.seen == described()


async def _taken(open_door: OpenDoor) -> None:
    door = await open_door()
    await door.post()
    await door.post(headers={"X-Debug-Request": "true"})
    await post_batch(door, array(item()))
    for path in ("/api/event", "/api/events"):
        await door.client.options(path)

    async def is_ready() -> bool:
        return (await door.get("/health/ready")).status == 200

    await until("a door that is ready", is_ready)
    for path in ("/health/live", "/metrics", "/openapi.json"):
        await door.get(path)


async def _wrong(open_door: OpenDoor) -> None:
    door = await open_door()
    await door.post(b"")
    await door.post(padded(1_000_001))
    for name in ("a", "b"):
        await door.post(body(name=name), headers={"Idempotency-Key": "x"})
    await post_batch(door, b"")
    await post_batch(door, array(*[b"{}"] * 1_001))
    await post_batch(door, b"", Content_Encoding="br")
    await door.client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})


async def _away(open_door: OpenDoor) -> None:
    door = await open_door(redis_url=NOWHERE)
    await door.post()
    await post_batch(door, array(item()))
    await door.get("/health/ready")


async def _too_many(open_door: OpenDoor) -> None:
    door = await open_door(address_rate="0.001", address_burst="1")
    for _ in range(2):
        await door.post()
    await post_batch(door, array(item()))


async def _scripts(open_door: OpenDoor) -> None:
    async with serving() as upstream:
        door = await open_door(upstream=upstream.url)
        etag = (await door.get("/js/script.js")).headers["ETag"]
        await door.client.get("/js/script.js", headers={"If-None-Match": etag})
        for status in (404, 500):
            upstream.status = status
            await door.get(f"/js/script.{status}.js")
    await (await open_door(upstream="http://127.0.0.1:1")).get("/js/script.js")


async def _strangers(open_door: OpenDoor, redis_url: str) -> None:
    _, app = await made(redis_url, SHOP, APP)
    door = await open_door(redis_url=redis_url)
    await door.post()
    await post(door, "elsewhere.example", app)
    await post_batch(door, array(item()))


async def _stalled(door: Door) -> None:
    for path in (b"/api/event", b"/api/events"):
        async with await door.connection() as socket:
            await socket.ask(request(b"", b"Content-Length: 5", line=b"POST %b HTTP/1.1" % path))
