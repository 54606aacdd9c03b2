"""Who may post at the door: sources by their key, browsers by the site, and nobody else once there is a source."""

import pytest
from redis.asyncio import Redis

from relay.http import senders
from relay.queue import keys, sources
from relay.rules.admission import parse_sites
from relay.rules.source import Kind
from tests.http.conftest import OpenDoor
from tests.http.door import body, errors, padded, until, until_ready
from tests.http.posting import APP, NAMED, PAGES, SHOP, bearer, made, post, refused, source
from tests.server import TestServer

FOLLOWED_WITHIN_S = 2.0


async def test_without_sources_anybody_may_post(open_door: OpenDoor) -> None:
    """The relay is open for RELAY_SITES, whatever Authorization says: go-plausible sends its own key always."""
    door = await open_door(sites="example.com")
    for key in (None, "a stats key", "prk_" + "x" * 43):
        assert (await post(door, "example.com", key)).status == 202
        assert list(errors(await (await post(door, "x.example", key)).read())) == ["domain"]


async def test_a_key_opens_for_its_own_sites_only(open_door: OpenDoor, redis_url: str) -> None:
    """202 for what the key covers, 403 for what it does not; RELAY_SITES neither add nor take away."""
    shop, app = await made(redis_url, SHOP, APP)
    door = await open_door(redis_url=redis_url, sites="example.com")
    assert (await post(door, "shop.example", shop, **NAMED)).status == 202
    for site in ("app.example", "shop.example", "app.example,shop.example"):
        assert (await post(door, site, app)).status == 202
    for site in ("example.com", "app.example,x.example", "APP.example"):
        message = await refused(await post(door, site, app), 403)
        assert 'source "app"' in message
        assert '"app.example", "shop.example"' in message
    assert {event.site for event in await door.kept()} == {"app.example", "shop.example"}


@pytest.mark.parametrize("validation", ["strict", "plausible"])
async def test_nobody_else_may_post(open_door: OpenDoor, redis_url: str, validation: str) -> None:
    """Without a key, or with a wrong one, it is 401 whatever the validation, the body and the site; nothing is kept."""
    await made(redis_url, SHOP, APP)
    door = await open_door(redis_url=redis_url, validation=validation)
    for content in (body(domain="shop.example"), b"no json", padded(1_000_001)):
        assert "there is no key" in await refused(await door.post(content), 401)
        for key in ("", "x", "prk_" + "x" * 43, "\xe4"):
            message = await refused(await door.post(content, headers=bearer(key)), 401)
            assert "the key is none of this relay" in message
            assert "shop" not in message
    assert await door.kept() == []


async def test_browsers_need_no_key_for_the_sites_of_web_sources(open_door: OpenDoor, redis_url: str) -> None:
    """The script tag works with its host changed alone; it can neither post for other sites nor speak for others."""
    key, *_ = await made(redis_url, PAGES, SHOP, source("blog", Kind.WEB, "blog.example"))
    door = await open_door(redis_url=redis_url)
    plain = {"Content-Type": "text/plain", "Origin": "https://example.com"}
    for site in ("example.com", "blog.example", "www.example.com"):
        assert (await post(door, site, **plain, **NAMED)).status == 202
    assert {event.ip for event in await door.kept()} == {"127.0.0.1"}
    message = await refused(await post(door, "shop.example", **plain), 401)
    assert 'no web source covers the site "shop.example"' in message
    await refused(await post(door, "example.com,shop.example"), 401)
    assert (await post(door, "example.com", key)).status == 202
    await refused(await post(door, "example.com", "a stats key"), 401)
    assert (await door.client.options("/api/event")).status == 204


async def test_a_backend_speaks_for_its_visitors(open_door: OpenDoor, redis_url: str) -> None:
    """Its word on address and User-Agent counts; that of an app, which may not, does not."""
    shop, app = await made(redis_url, SHOP, APP)
    door = await open_door(redis_url=redis_url)
    assert (await post(door, "shop.example", shop, User_Agent="Visitor/1", **NAMED)).status == 202
    assert (await post(door, "shop.example", app, User_Agent="App/1", **NAMED)).status == 202
    assert [(event.ip, event.user_agent) for event in await door.kept()] == [
        ("81.2.69.142", b"Visitor/1"),
        ("127.0.0.1", b"App/1"),
    ]
    shown = await post(door, "shop.example", shop, X_Debug_Request="true", **NAMED)
    assert (shown.status, await shown.text()) == (200, "81.2.69.142")


async def test_a_backend_that_forgets_its_visitor_is_told(open_door: OpenDoor, redis_url: str) -> None:
    """400 on `ip` says which header to send; what no visitor can have does not count; accept and plausible take it."""
    (shop,) = await made(redis_url, SHOP)
    door = await open_door(redis_url=redis_url, trusted_proxies="10.0.0.0/8")
    for headers in ({}, {"X_Forwarded_For": "unknown"}, {"X_Forwarded_For": "10.0.0.7"}, {"X_Real_IP": "81.2.69.142"}):
        assert '"X-Forwarded-For: <address>"' in await refused(
            await post(door, "shop.example", shop, **headers), 400, "ip"
        )
    assert await door.kept() == []
    for options in ({"missing_ip": "accept"}, {"validation": "plausible"}):
        door = await open_door(redis_url=redis_url, **options)
        assert (await post(door, "shop.example", shop)).status == 202
    assert {event.ip for event in await door.kept()} == {"127.0.0.1"}


async def test_doors_follow_within_two_seconds(open_door: OpenDoor, redis: Redis, redis_url: str) -> None:
    """Add, rotate, change and remove are in force at every door without a restart."""
    doors = [await open_door(redis_url=redis_url) for _ in range(2)]
    for door in doors:
        await until_ready(door)

    async def both(status: int, site: str, key: str | None) -> None:
        async def follow() -> bool:
            return {(await post(door, site, key)).status for door in doors} == {status}

        await until(f"{status} at both doors", follow, within_s=FOLLOWED_WITHIN_S)

    await both(202, "shop.example", None)
    app = await sources.add(redis, APP)
    new = await sources.rotate(redis, "app", grace_s=60)
    await both(401, "shop.example", None)
    assert {(await post(door, "shop.example", key)).status for door in doors for key in (app, new)} == {202}
    await sources.change(redis, "app", sites=parse_sites(["app.example"]))
    newest = await sources.rotate(redis, "app")
    await both(403, "shop.example", newest)
    assert {(await post(door, "app.example", key)).status for door in doors for key in (app, new)} == {401}
    await sources.remove(redis, "app", may_open=True)
    await both(202, "shop.example", None)


async def test_sources_stay_in_force_without_redis(
    open_door: OpenDoor, own_server: TestServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A door knows whom to refuse while the queue is away, and takes nothing if it never knew."""
    monkeypatch.setattr(senders, "EVERY_S", 0.05)
    (app,) = await made(own_server.url, APP)
    door = await open_door(redis_url=own_server.url)
    await until_ready(door)
    own_server.kill()
    blind = await open_door(redis_url=own_server.url)

    async def looked() -> bool:
        return "the sources can't be read, those last known stay in force: no connection" in caplog.text

    for _ in range(2):
        await refused(await post(door, "app.example"), 401)
        await refused(await post(door, "x.example", app), 403)
        assert (await post(door, "app.example", app)).status == 503
        for key in (None, app):
            answer = await post(blind, "app.example", key)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            assert "who may post is not known yet: no connection" in errors(await answer.read())["request"][0]
        await until("a look at the server that is away, which changes nothing", looked)
    own_server.start()

    async def both() -> bool:
        return [(await post(each, "app.example", app)).status for each in (door, blind)] == [202, 202]

    await until("both doors take the key", both)
    await refused(await post(blind, "app.example"), 401)


async def test_sources_that_vanish_do_not_open_the_relay(
    open_door: OpenDoor,
    redis: Redis,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What nobody removed is a loss of data, not an invitation: those last known stay, and that is said once."""
    monkeypatch.setattr(senders, "EVERY_S", 0.05)
    (app,) = await made(redis_url, APP)
    door = await open_door(redis_url=redis_url)
    await until_ready(door)
    await redis.delete(keys.SOURCES, keys.SOURCE_CHANGES)

    async def noticed() -> bool:
        return "nobody removed them" in caplog.text

    await until("the door notices", noticed)
    await refused(await post(door, "app.example"), 401)
    assert (await post(door, "app.example", app)).status == 202
    assert caplog.text.count("nobody removed them") == 1


async def test_metrics_tell_the_sources_sites_apart(open_door: OpenDoor, redis_url: str) -> None:
    """With sources the sites that they name have their series, and those of RELAY_SITES, which count no more, none."""
    await made(redis_url, SHOP, source("any", Kind.BACKEND, "*"))
    door = await open_door(redis_url=redis_url, sites="old.example")
    await until_ready(door)
    text = await (await door.get("/metrics")).text()
    assert 'relay_site_events{outcome="pending",site="shop.example"} 0.0' in text
    assert "old.example" not in text
