"""Whose batch it is, and for whom its items may speak: a stranger's word on a visitor never reaches Plausible."""

from dataclasses import replace
from typing import Any

import pytest

from relay.rules.source import Rate
from tests.http.batches import IPHONE, array, item, post, statuses, verdicts
from tests.http.conftest import OpenDoor
from tests.http.door import Door, errors
from tests.http.posting import APP, PAGES, SHOP, bearer, made

SHOPS = {"domain": "shop.example"}
"""A site that both sources of these tests may post for."""


async def visitors(door: Door) -> dict[str, tuple[str, bytes | None]]:
    """Address and User-Agent of what was kept, by name of the event."""
    return {
        event.body.partition(b'"name":"')[2][:2].decode(): (event.ip, event.user_agent) for event in await door.kept()
    }


async def test_only_a_key_opens_it(open_door: OpenDoor, redis_url: str) -> None:
    """Once there are sources a batch needs a key, also where a web source's pages need none for single events."""
    await made(redis_url, PAGES)
    door = await open_door(redis_url=redis_url)
    answer = await post(door, array(item()))
    assert answer.status == 401
    assert "there is no key" in errors(await answer.read())["source"][0]
    assert (await post(door, b"no json", **bearer("prk_" + "x" * 43))).status == 401
    assert (await door.client.options("/api/events")).status == 204
    assert (await door.client.get("/api/events")).status == 404


async def test_a_key_covers_its_sites(open_door: OpenDoor, redis_url: str) -> None:
    """An item for another site is refused on `source`, and counted so; the others are kept."""
    (app,) = await made(redis_url, APP)
    door = await open_door(redis_url=redis_url)
    sites = ["app.example", "other.example", "shop.example", "app.example,other.example"]
    answer = await post(door, array(*(item(domain=site) for site in sites)), **bearer(app))
    assert await statuses(answer) == ["accepted", "refused", "accepted", "refused"]
    for refused in (await verdicts(answer))[1::2]:
        assert 'does not cover the site "other.example"' in refused["errors"]["source"][0]
    assert {event.site for event in await door.kept()} == {"app.example", "shop.example"}
    assert 'relay_refused_total{reason="wrong_site"} 2.0' in await (await door.get("/metrics")).text()


async def test_a_backend_speaks_for_each_item_s_visitor(open_door: OpenDoor, redis_url: str) -> None:
    """Item for item: its address and User-Agent, else those of the request's headers, as for single events."""
    (shop,) = await made(redis_url, SHOP)
    door = await open_door(redis_url=redis_url)
    items = [
        item(0, ip="81.2.69.142", user_agent="Mozilla/5.0 (Ünder)", **SHOPS),
        item(1, ip="[2a00:1450::1]:443", device=IPHONE, **SHOPS),
        item(2, **SHOPS),
        item(3, user_agent="Own/2", device=IPHONE, **SHOPS),
    ]
    headers = bearer(shop) | {"User_Agent": "backend/1", "X_Forwarded_For": "81.2.69.1"}
    told = await verdicts(await post(door, array(*items), **headers))
    assert [(each["status"], each["warnings"]) for each in told[:3]] == [("accepted", [])] * 3
    assert told[3]["warnings"] == ["device ignored: user_agent says it already"]
    iphone = b"AppVersion/3.2 (iPhone; CPU iPhone OS 18_1 like Mac OS X) appname/app-0c58e39c"
    assert await visitors(door) == {
        "e0": ("81.2.69.142", "Mozilla/5.0 (Ünder)".encode()),
        "e1": ("2a00:1450::1", iphone),
        "e2": ("81.2.69.1", b"backend/1"),
        "e3": ("81.2.69.1", b"Own/2"),
    }


async def test_a_backend_that_forgets_a_visitor_is_told(open_door: OpenDoor, redis_url: str) -> None:
    """The item without an address is refused on `ip`, unless the operator takes the backend's own."""
    (shop,) = await made(redis_url, SHOP)
    items = array(item(0, **SHOPS), item(1, ip="81.2.69.142", **SHOPS), item(2, ip=None, **SHOPS))
    door = await open_door(redis_url=redis_url)
    answer = await post(door, items, **bearer(shop))
    assert await statuses(answer) == ["refused", "accepted", "refused"]
    assert '"ip"' in (await verdicts(answer))[0]["errors"]["ip"][0]
    door = await open_door(redis_url=redis_url, missing_ip="accept")
    assert await statuses(await post(door, items, **bearer(shop))) == ["accepted"] * 3


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ip": "unknown"}, "ip"),
        ({"ip": "81.2.69.142, 10.0.0.1"}, "ip"),
        ({"ip": 7}, "ip"),
        ({"user_agent": ""}, "user_agent"),
        ({"user_agent": "a\r\nX-Plausible-IP: 1.2.3.4"}, "user_agent"),
        ({"user_agent": "x" * 8_191}, "user_agent"),
        ({"user_agent": ["a"]}, "user_agent"),
        ({"id": ""}, "id"),
        ({"id": "x" * 256}, "id"),
        ({"id": 7}, "id"),
        ({"device": "iPhone"}, "device"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
    ],
)
async def test_what_is_wrong_with_the_relay_s_own_keys(
    open_door: OpenDoor, redis_url: str, fields: dict[str, Any], field: str
) -> None:
    """It is told beside what is wrong with Plausible's, all at once."""
    (shop,) = await made(redis_url, SHOP)
    door = await open_door(redis_url=redis_url)
    legal = item(0, **({"ip": "81.2.69.142"} | SHOPS | fields))
    told = await verdicts(await post(door, array(legal, legal | {"name": ""}), **bearer(shop)))
    assert [sorted(each["errors"]) for each in told] == [[field], sorted(["event_name", field])]
    assert await door.kept() == []


async def test_behind_a_trusted_proxy_stands_anybody(open_door: OpenDoor) -> None:
    """An item's word counts from a trusted machine itself, and not from whoever comes through its proxy."""
    door = await open_door(trusted_proxies="127.0.0.1")
    forged = array(item(0, ip="81.2.69.142", user_agent="Forged/1"))
    own = array(item(1, ip="81.2.69.142", user_agent="Told/1"))
    (told,) = await verdicts(await post(door, forged, X_Forwarded_For="9.9.9.9", User_Agent="Real/1"))
    assert "ip and user_agent ignored" in told["warnings"][0]
    (told,) = await verdicts(await post(door, own, User_Agent="cron/1"))
    assert told["warnings"] == []
    assert await visitors(door) == {"e0": ("9.9.9.9", b"Real/1"), "e1": ("81.2.69.142", b"Told/1")}


async def test_a_batch_beyond_the_source_s_limit_is_refused_whole(open_door: OpenDoor, redis_url: str) -> None:
    """429 with Retry-After, and nothing of it is kept; what is refused for itself costs nothing."""
    (app,) = await made(redis_url, replace(APP, rate=Rate(0.001, 4)))
    door = await open_door(redis_url=redis_url)
    some = array(*(item(n, domain="app.example") for n in range(3)), *[b"null"] * 50)
    assert (await post(door, some, **bearer(app))).status == 202
    answer = await post(door, some, **bearer(app))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "too many events" in errors(await answer.read())["request"][0]
    assert len(await door.kept()) == 3


async def test_one_address_beyond_its_limit_holds_up_no_other(open_door: OpenDoor, redis_url: str) -> None:
    """Its items are refused for the moment, with the time to wait; those of others are kept."""
    (shop,) = await made(redis_url, replace(SHOP, address_rate=Rate(0.001, 2)))
    door = await open_door(redis_url=redis_url)
    loud = array(*(item(n, ip="81.2.69.1", **SHOPS) for n in range(2)))
    assert await statuses(await post(door, loud, **bearer(shop))) == ["accepted"] * 2
    mixed = array(item(2, ip="81.2.69.1", **SHOPS), item(3, ip="81.2.69.2", **SHOPS))
    told = await verdicts(await post(door, mixed, **bearer(shop)))
    assert [each["status"] for each in told] == ["refused", "accepted"]
    assert told[0]["retry_after_s"] > 0
    assert "retry_after_s" not in told[1]
    assert "this address" in told[0]["errors"]["request"][0]
