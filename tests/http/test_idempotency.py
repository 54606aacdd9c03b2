"""`Idempotency-Key` at the door: what its sender hears, and what is kept."""

from typing import Any

import pytest
from aiohttp import ClientResponse
from redis.asyncio import Redis

from relay.queue import sources
from relay.queue.connection import connect
from relay.rules.admission import parse_sites
from relay.rules.source import Kind, Source
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, errors, has_cors, request, until
from tests.http.test_answers import PREFLIGHT

REPLAYED = "Idempotent-Replayed"


async def post(door: Door, key: str, content: bytes | None = None, **headers: str) -> ClientResponse:
    """Post an event with a key; header names are given with underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.post(content, headers={"Idempotency-Key": key} | sent)


async def is_first(answer: ClientResponse) -> bool:
    """Whether it was accepted now; else it is a repeat. Both are answered alike."""
    assert (answer.status, await answer.text(), answer.content_type) == (202, "ok", "text/plain")
    assert answer.headers.get(REPLAYED) in (None, "true")
    return REPLAYED not in answer.headers


async def until_counted(door: Door, *lines: str) -> None:
    """Wait until the metrics say so; they may be a quarter of a second old."""

    async def told() -> bool:
        return set(lines) <= set((await (await door.get("/metrics")).text()).splitlines())

    await until(f"{lines} in the metrics", told)


async def test_a_repeat_is_answered_as_the_first_and_says_so(door: Door) -> None:
    """The event is kept once, and status and metrics count the rest apart; a page may read the header."""
    assert await is_first(await post(door, "a key"))
    for agent in ("Mozilla/5.0 (X11)", "App/1"):
        again = await post(door, "a key", User_Agent=agent, X_Forwarded_For="9.9.9.9")
        assert not await is_first(again)
        assert has_cors(again)
        assert REPLAYED in again.headers["Access-Control-Expose-Headers"].split(",")
    assert await is_first(await post(door, "another key"))
    assert len(await door.kept()) == 2
    await until_counted(door, "relay_accepted_total 2.0", "relay_duplicates_total 2.0")


@pytest.mark.parametrize("validation", ["strict", "plausible"])
async def test_another_body_is_a_conflict(open_door: OpenDoor, validation: str) -> None:
    """409 says what is wrong and what would be right; nothing is kept, of none of its sites."""
    door = await open_door(validation=validation)
    assert await is_first(await post(door, "key"))
    for other in (body(name="other"), body() + b" ", body(domain="example.com,b.example")):
        answer = await post(door, "key", other)
        assert (answer.status, answer.content_type) == (409, "application/json")
        (message,) = errors(await answer.read())["idempotency_key"]
        assert message.startswith("was sent with another body before: send")
    assert [event.body for event in await door.kept()] == [body()]
    assert not await is_first(await post(door, "key"))
    await until_counted(door, 'relay_refused_total{reason="idempotency_key"} 3.0')


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"Idempotency-Key:", "is empty"),
        (b"Idempotency-Key:  \t ", "is empty"),
        (b"idempotency-key: " + b"x" * 256, "has 256 characters: send 1 to 255"),
        (b"Idempotency-Key: caf\xc3\xa9", "not printable ASCII"),
        (b"Idempotency-Key: a\tb", "not printable ASCII"),
        (b"Idempotency-Key: a\r\nidempotency-key: a", "stands there 2 times"),
    ],
    ids=repr,
)
async def test_a_malformed_key_is_refused(door: Door, header: bytes, said: str) -> None:
    """400 on `idempotency_key`, beside whatever else is wrong, and nothing is kept."""
    answer = await door.converse(request(body(), header))
    (message,) = errors(answer.content)["idempotency_key"]
    assert (answer.status, said in message) == (400, True), message
    answer = await door.converse(request(b'{"n": "pageview", "u": "https://a.example/", "d": " "}', header))
    assert (answer.status, sorted(errors(answer.content))) == (400, ["domain", "idempotency_key"])
    assert await door.kept() == []


@pytest.mark.parametrize("key", ["x" * 255, "~", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b", "0"])
async def test_any_printable_key_is_taken(door: Door, key: str) -> None:
    """With quotes, as the IETF's draft has it, or without; as long as 255 characters."""
    assert await is_first(await post(door, key))
    assert not await is_first(await post(door, key))
    assert await is_first(await post(door, key + "'" if len(key) < 255 else key[:-1]))


async def test_what_was_refused_is_not_remembered(open_door: OpenDoor) -> None:
    """A sender mends its event and sends it with the same key."""
    door = await open_door(sites="example.com")
    assert (await post(door, "key", body(name=""))).status == 400
    assert (await post(door, "key", body(domain="other.example"))).status == 400
    assert await is_first(await post(door, "key"))


async def test_a_list_of_sites_is_kept_once_for_each(door: Door) -> None:
    """The repeat of an event for several sites repeats them all."""
    several = body(domain="a.example,b.example,a.example")
    assert await is_first(await post(door, "key", several))
    assert not await is_first(await post(door, "key", several))
    assert sorted(event.site for event in await door.kept()) == ["a.example", "a.example", "b.example"]


async def test_an_unknown_site_is_dropped_again(open_door: OpenDoor) -> None:
    """In plausible validation a repeat says of dropped sites what the first did; nothing known is no repeat."""
    door = await open_door(sites="example.com", validation="plausible")
    for content, known in ((body(domain="example.com,x.example"), True), (body(domain="x.example"), False)):
        for first in (True, not known):
            answer = await post(door, "key", content)
            assert (await is_first(answer), answer.headers["x-plausible-dropped"]) == (first, "1")


async def made(url: str, name: str, kind: Kind, **more: Any) -> dict[str, str]:
    """Make a source for example.com; the header that shows its key."""
    async with connect(url) as redis:
        key = await sources.add(redis, Source(name, kind, parse_sites(["example.com"]), **more))
    return {"Authorization": f"Bearer {key}"}


async def test_sources_never_collide(open_door: OpenDoor, redis_url: str) -> None:
    """Each source has its own keys; a visitor of a web source's page can't use up those of its server."""
    shop, ios = await made(redis_url, "shop", Kind.BACKEND), await made(redis_url, "ios", Kind.APP)
    pages = await made(redis_url, "pages", Kind.WEB)
    door = await open_door(redis_url=redis_url)
    for n, sender in enumerate(({}, shop, ios, pages)):
        assert await is_first(await post(door, "key", body(name=f"e{n}"), **sender))
    for n, sender in enumerate(({}, shop, ios, pages)):
        assert not await is_first(await post(door, "key", body(name=f"e{n}"), **sender))
    async with connect(redis_url) as redis:
        key = await sources.rotate(redis, "shop")
    again = await open_door(redis_url=redis_url)
    assert not await is_first(await post(again, "key", body(name="e1"), Authorization=f"Bearer {key}"))


async def test_strangers_have_keys_by_site(door: Door) -> None:
    """Without sources, who posts for one site meets no key of who posts for another."""
    assert await is_first(await post(door, "1", body(domain="a.example")))
    assert await is_first(await post(door, "1", body(domain="b.example")))


async def test_a_key_is_forgotten_in_time(open_door: OpenDoor, redis: Redis) -> None:
    """Its record has the life that the operator set, and no name or value of it tells the key or the body."""
    door = await open_door(idempotency_keep_s="604800")
    await post(door, "order-4711")
    (record,) = [name async for name in redis.scan_iter(match="relay:once:*")]
    assert 604_800 - 60 < await redis.ttl(record) <= 604_800
    told = record + await redis.get(record)
    assert not any(word in told for word in (b"order", b"4711", b"example", b"pageview"))


async def test_a_page_may_send_a_key(door: Door) -> None:
    """The preflight allows it, and a packed batch, to who asks, and to everybody else it is Plausible's own."""
    allowed = PREFLIGHT["Access-Control-Allow-Headers"]
    for asked, more in (
        ("content-type", ""),
        ("content-type, idempotency-key", ",Idempotency-Key"),
        ("content-encoding,content-type", ",Content-Encoding"),
    ):
        async with door.client.options("/api/event", headers={"Access-Control-Request-Headers": asked}) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Headers"]) == (204, allowed + more)
