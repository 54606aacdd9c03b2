"""Who may post at the door: sources by their key, browsers by the site, and nobody else once there is a source."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from redis.asyncio import Redis

from relay.http import refusal_log, senders
from relay.http.refusal_log import LINES, WINDOW_S, RefusalLog
from relay.queue import keys, sources
from relay.queue.connection import connect
from relay.rules.admission import parse_sites
from relay.rules.source import Denial, Denied, Kind, Rate, Source
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, errors, has_cors, padded, until, until_ready
from tests.http.test_privacy import whole
from tests.server import TestServer

NAMED = {"X-Forwarded-For": "81.2.69.142"}
FOLLOWED_WITHIN_S = 2.0


def source(name: str, kind: Kind, *sites: str, **more: Any) -> Source:
    """A source that may post for the sites."""
    return Source(name, kind, parse_sites(sites), **({"speaks": kind is Kind.BACKEND} | more))


SHOP = source("shop", Kind.BACKEND, "shop.example")
APP = source("app", Kind.APP, "app.example", "shop.example")
PAGES = source("pages", Kind.WEB, "example.com")


def bearer(key: str) -> dict[str, str]:
    """The header that shows the key."""
    return {"Authorization": f"Bearer {key}"}


async def post(door: Door, site: str, key: str | None = None, **headers: str) -> ClientResponse:
    """Post an event of the site; header names are given with underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.post(body(domain=site), headers=sent | ({} if key is None else bearer(key)))


async def made(url: str, *given: Source) -> list[str]:
    """Keep the sources; their keys."""
    async with connect(url) as redis:
        return [await sources.add(redis, each) for each in given]


async def refused(answer: ClientResponse, status: int, field: str = "source") -> str:
    """The message of a refusal, whose form is checked."""
    assert (answer.status, answer.content_type, has_cors(answer)) == (status, "application/json", True)
    told = errors(await answer.read())
    assert list(told) == [field]
    (message,) = told[field]
    assert answer.headers.get("WWW-Authenticate") == ('Bearer realm="relay"' if status == 401 else None)
    return message


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


async def test_metrics_tell_the_sources_sites_apart(open_door: OpenDoor, redis_url: str) -> None:
    """With sources the sites that they name have their series, and those of RELAY_SITES, which count no more, none."""
    await made(redis_url, SHOP, source("any", Kind.BACKEND, "*"))
    door = await open_door(redis_url=redis_url, sites="old.example")
    await until_ready(door)
    text = await (await door.get("/metrics")).text()
    assert 'relay_site_events{outcome="pending",site="shop.example"} 0.0' in text
    assert "old.example" not in text


async def visit(door: Door, shop: str) -> None:
    """Be refused for each reason; twenty times for one of them."""
    await post(door, "shop.example")
    for n in range(20):
        await post(door, f"x{n}.example", shop, **NAMED)
    await post(door, "me@shop.example\n" + "x" * 300, shop, **NAMED)
    await post(door, "shop.example", "prk_" + "y" * 43)
    await post(door, "shop.example", shop)
    await post(door, "shop.example", shop, **NAMED)
    await post(door, "shop.example", shop, **NAMED)


async def test_refusals_are_counted_and_logged(
    open_door: OpenDoor, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has source, site and reason, a flood only a few lines, and none holds anything of a person."""
    (shop,) = await made(redis_url, source("shop", Kind.BACKEND, "shop.example", rate=Rate(0.01, 1)))
    door = await open_door(redis_url=redis_url)
    caplog.set_level(logging.DEBUG)
    await visit(door, shop)
    lines = [vars(record) for record in caplog.records if record.name == refusal_log.__name__]
    assert [(line["source"], line["reason"], line.get("site")) for line in lines] == [
        ("", "no_key", None),
        *(("shop", "wrong_site", f"x{n}.example") for n in range(LINES)),
        ("", "unknown_key", None),
        ("shop", "no_visitor", None),
        ("shop", "too_many", "shop.example"),
    ]
    metrics = await (await door.get("/metrics")).text()
    for reason, n in ("no_key", 1), ("wrong_site", 21), ("unknown_key", 1), ("no_visitor", 1), ("too_many", 1):
        assert f'relay_refused_total{{reason="{reason}"}} {n}.0' in metrics
    said = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records if "relay" in record.name)
    assert [text for text in (shop, "prk_", "81.2.69.142", "127.0.0.1", "me@") if text in said + metrics] == []


def test_what_the_log_leaves_out_is_summed_up(caplog: pytest.LogCaptureFixture) -> None:
    """At the end of its time a flood is one line with its number, and the next refusal is a line again."""
    told = RefusalLog()
    for n in range(1_000):
        told.say(Denied(403, Denial.WRONG_SITE, "", "shop", "x.example"), n / 1_000)
    told.say(Denied(401, Denial.NO_KEY, ""), 1.0)
    assert len(caplog.records) == LINES + 1, "another's refusal is not lost in it"
    told.sum_up(WINDOW_S - 0.01)
    assert len(caplog.records) == LINES + 1
    told.say(Denied(403, Denial.WRONG_SITE, "", "shop", "x.example"), WINDOW_S)
    summed, last = (vars(record) for record in caplog.records[LINES + 1 :])
    assert (summed["source"], summed["reason"], summed["more"]) == ("shop", "wrong_site", 1_000 - LINES)
    assert last["site"] == "x.example"
    assert "more" not in last


async def test_no_key_and_no_address_of_a_limit_is_kept_in_clear(open_door: OpenDoor, redis_url: str) -> None:
    """Redis has digests of keys and hashes of addresses; beside the events nothing tells whose they were."""
    limited = source("shop", Kind.BACKEND, "shop.example", address_rate=Rate(0.01, 1))
    (shop,) = await made(redis_url, limited)
    door = await open_door(redis_url=redis_url)
    for _ in range(3):
        await post(door, "shop.example", shop, **NAMED)
    dump = await whole(door.redis)
    assert shop[4:].encode() not in dump
    assert dump.count(b"81.2.69.142") == len(await door.kept()) == 1


async def test_a_site_that_could_be_none_is_not_logged(
    open_door: OpenDoor, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A site's name comes from the sender: what is no name, an address of mail above all, stays out of the log."""
    (app,) = await made(redis_url, APP)
    door = await open_door(redis_url=redis_url)
    for site in ("me@app.example", "x" * 300, "a b", "\x1b[2J"):
        await refused(await post(door, site, app), 403)
    lines = [vars(record) for record in caplog.records if record.name == refusal_log.__name__]
    assert {line["site"] for line in lines} == {"(no name of a site)"}


def test_every_reason_is_explained() -> None:
    """Whatever reason is counted or logged, docs/operating.md has it."""
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
    assert [reason for reason in Denial if f"| `{reason}` |" not in page] == []
