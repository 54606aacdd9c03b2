"""Every refusal of a sender is counted and told to the log, and nothing of a person with it."""

import logging
from pathlib import Path

import pytest

from relay.http import refusal_log
from relay.http.refusal_log import LINES, WINDOW_S, RefusalLog
from relay.rules.source import Denial, Denied, Kind, Rate
from tests.http.conftest import OpenDoor
from tests.http.door import Door
from tests.http.posting import APP, NAMED, made, post, refused, source
from tests.http.test_privacy import whole


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
