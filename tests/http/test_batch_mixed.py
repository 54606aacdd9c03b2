"""A thousand good and bad events in one batch: a thousand right verdicts, and exactly the good ones kept, in order.

What each kind of event has to come to stands beside it, written by hand out of the contract and the docs.
"""

import gzip
import random
from typing import Any

import orjson
import pytest

from tests.http.batches import IPHONE, array, item, post, verdicts
from tests.http.conftest import OpenDoor
from tests.http.door import Door
from tests.http.posting import SHOP, bearer, made
from tests.queue.samples import until

Kind = tuple[dict[str, Any] | bytes, str, set[str]]
"""Fields that make an item of a kind, what becomes of it, and on which fields it is refused."""

KINDS: list[Kind] = [
    ({}, "accepted", set()),
    ({"props": {"plan": "trial", "n": 3}, "referrer": "https://a.example/"}, "accepted", set()),
    ({"device": IPHONE, "occurred_at": "2024-02-29T08:00:00+01:00"}, "accepted", set()),
    ({"revenue": {"amount": "-12.50", "currency": "EUR"}}, "accepted", set()),
    ({"ip": "2a00:1450::1", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}, "accepted", set()),
    ({"url": "/only/a/path", "interactive": False}, "accepted", set()),
    ({"name": "engagement", "sd": 50}, "accepted", set()),
    ({"name": "x" * 120}, "accepted", set()),
    ({"name": "x" * 121}, "refused", {"event_name"}),
    ({"name": " "}, "refused", {"event_name"}),
    ({"name": ["a"], "url": 7}, "refused", {"event_name", "url"}),
    ({"name": "engagement"}, "refused", {"event_name"}),
    ({"url": "data:text/plain,x"}, "refused", {"url"}),
    ({"url": "https://a.example/" + "x" * 2_000}, "refused", {"url"}),
    ({"domain": " "}, "refused", {"domain"}),
    ({"domain": "SHOP.example"}, "refused", {"source"}),
    ({"domain": "shop.example,other.example"}, "refused", {"source"}),
    ({"props": {str(n): "x" for n in range(31)}}, "refused", {"props"}),
    ({"props": {"a": "x" * 2_001}}, "refused", {"props"}),
    ({"revenue": {"amount": "1,299.00", "currency": "usd"}}, "refused", {"revenue"}),
    ({"hashMode": True}, "refused", {"hash_mode"}),
    ({"ip": "unknown"}, "refused", {"ip"}),
    ({"ip": None}, "refused", {"ip"}),
    ({"user_agent": "a\nb"}, "refused", {"user_agent"}),
    ({"device": {"os": "Symbian"}}, "refused", {"device"}),
    ({"occurred_at": "2031-01-01T00:00:00Z"}, "refused", {"occurred_at"}),
    ({"occurred_at": "today", "device": 7, "name": ""}, "refused", {"occurred_at", "device", "event_name"}),
    (b"null", "refused", {"request"}),
    (b'"pageview"', "refused", {"request"}),
    (b"[]", "refused", {"request"}),
    (b'{"name":"a","name":"b","url":"/","domain":"shop.example"}', "refused", {"request"}),
]
COUNT = 1_000


def thousand() -> list[tuple[bytes, str, set[str]]]:
    """So many items of all kinds in a fixed disorder, and of each what has to become of it; good ones have an id."""
    chance = random.Random(4)
    made = []
    for n in range(COUNT):
        fields, status, errors = KINDS[n] if n < len(KINDS) else chance.choice(KINDS)
        if isinstance(fields, bytes):
            made.append((fields, status, errors))
            continue
        legal = item(n, domain="shop.example", ip="81.2.69.142", id=f"id {n}", props={"n": n})
        made.append((orjson.dumps(legal | fields), status, errors))
    chance.shuffle(made)
    return made


@pytest.fixture(scope="module")
def mixed() -> list[tuple[bytes, str, set[str]]]:
    """The batch of this file."""
    return thousand()


@pytest.mark.parametrize("lines", [False, True])
async def test_a_thousand_events_have_a_thousand_right_verdicts(
    open_door: OpenDoor, redis_url: str, mixed: list[tuple[bytes, str, set[str]]], *, lines: bool
) -> None:
    """Each its own; the good ones are kept in the batch's order, and a repeat of the whole batch adds nothing."""
    (shop,) = await made(redis_url, SHOP)
    door = await open_door(redis_url=redis_url, partitions="1")
    items = [raw for raw, _, _ in mixed]
    content = b"\n".join(items) if lines else array(*items)
    answer = await post(door, gzip.compress(content), Content_Encoding="gzip", **bearer(shop))
    told = await verdicts(answer)
    assert [(each["status"], set(each["errors"])) for each in told] == [(status, on) for _, status, on in mixed]
    assert all(message for each in told for messages in each["errors"].values() for message in messages)
    good = [orjson.loads(raw) for raw, status, _ in mixed if status == "accepted"]
    own = {"id", "ip", "user_agent", "device", "occurred_at"}
    assert [orjson.loads(event.body) for event in await door.kept()] == [
        {key: value for key, value in event.items() if key not in own} for event in good
    ]
    again = await verdicts(await post(door, content, **bearer(shop)))
    expected = [(status.replace("accepted", "duplicate"), on) for _, status, on in mixed]
    assert [(each["status"], set(each["errors"])) for each in again] == expected
    assert len(await door.kept()) == len(good)
    lines_told = (await (await door.get("/metrics")).text()).splitlines()
    assert "relay_batches_total 2.0" in lines_told
    for status, n in (("accepted", len(good)), ("duplicate", len(good)), ("refused", 2 * (COUNT - len(good)))):
        assert f'relay_batch_items_total{{status="{status}"}} {float(n)}' in lines_told


async def test_a_visitor_s_items_keep_their_order(door: Door) -> None:
    """Among a thousand of fifty visitors, over all partitions, and with ids at some of them."""
    ids: list[dict[str, str]] = [{"id": str(n)} if n % 3 else {} for n in range(1_000)]
    items = [item(n, device=IPHONE | {"app_version": str(n % 50)}, **ids[n]) for n in range(1_000)]
    assert {each["status"] for each in await verdicts(await post(door, array(*items)))} == {"accepted"}
    by_visitor: dict[bytes | None, list[int]] = {}
    for event in await door.kept():
        by_visitor.setdefault(event.user_agent, []).append(int(orjson.loads(event.body)["name"][1:]))
    assert len(by_visitor) == 50
    assert all(numbers == sorted(numbers) and len(numbers) == 20 for numbers in by_visitor.values())


async def test_sites_are_not_a_way_to_a_huge_write(door: Door) -> None:
    """A batch becomes at most 5,000 events; the items beyond that are told so, and those that fit are kept."""
    many = ",".join(f"{n}.example" for n in range(100))
    told = await verdicts(await post(door, array(*(item(n, domain=many) for n in range(60)), item(60))))
    assert [each["status"] for each in told] == ["accepted"] * 50 + ["refused"] * 11
    assert "send it in several" in told[50]["errors"]["domain"][0]
    assert len(await door.kept()) == 5_000


async def test_when_it_occurred_is_kept(door: Door) -> None:
    """Beside when it was accepted; it is the age that RELAY_MAX_AGE_S counts from."""
    await verdicts(await post(door, array(item(0, occurred_at="2024-02-29T08:00:00.250+01:00"), item(1))))
    times = {orjson.loads(event.body)["name"]: event for event in await door.kept()}
    assert times["e0"].occurred_ms == times["e0"].began_ms == 1_709_190_000_250
    assert times["e1"].occurred_ms is None
    assert times["e1"].began_ms == times["e0"].accepted_ms


async def test_while_the_queue_is_away_nothing_is_accepted(open_door: OpenDoor, redis_url: str) -> None:
    """503 with Retry-After for the whole batch, or the sender would take a single item's silence for an answer."""
    door = await open_door(redis_url=redis_url, max_backlog="3")
    await verdicts(await post(door, array(*map(item, range(5)))))

    async def full() -> bool:
        return (await post(door, array(item(9, id="x"), b"null"))).status == 503

    await until("a door that is full", full)
    answer = await post(door, array(item(9, id="x"), b"null"))
    assert answer.headers["Retry-After"] == "2"
    assert list(orjson.loads(await answer.read())) == ["errors"]
