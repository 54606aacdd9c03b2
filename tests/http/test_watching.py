"""Readiness and metrics: what a door tells of itself and of the whole relay, and that its numbers are true."""

import orjson
import pytest
from aiohttp import ClientResponse
from prometheus_client.parser import text_string_to_metric_families

from relay.queue import keys
from relay.queue.claiming import Outcome, settle
from relay.queue.leases import heartbeat
from relay.queue.ledger import look
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, padded, until, until_ready
from tests.server import TestServer

NO_WORKER = "workers: none is running, events wait"


async def told(answer: ClientResponse) -> dict[str, object]:
    """Return the JSON of /health/ready."""
    assert answer.content_type == "application/json"
    document: dict[str, object] = await answer.json()
    return document


async def numbers(door: Door) -> dict[str, float]:
    """Return the metrics as Prometheus reads them: `name{label,label}` → value."""
    answer = await door.get("/metrics")
    assert answer.status == 200
    found = {}
    for family in text_string_to_metric_families(await answer.text()):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(value for value in sample.labels.values() if value)
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_a_ready_door_tells_the_state_of_the_queue(door: Door) -> None:
    """200, no reasons, the server's durability, what is pending; and that nobody works is a warning, not a refusal."""
    await door.post()
    assert await told(await door.get("/health/ready")) == {
        "status": "ready",
        "reasons": [],
        "warnings": [NO_WORKER],
        "durability": "always",
        "pending": 1,
        "workers": 0,
        "upstream": [],
    }
    assert await (await door.get("/health/live")).json() == {"status": "live"}


async def test_workers_and_their_upstream_are_told(door: Door) -> None:
    """A living worker takes the warning away; what it says of Plausible is passed on, and down is a warning."""
    upstream = {"url": "https://plausible.example", "state": "up"}
    await heartbeat(door.redis, "w1", orjson.dumps({"upstream": upstream}).decode(), [])
    await until_seen(door, "workers", 1)
    ready = await told(await door.get("/health/ready"))
    assert (ready["warnings"], ready["upstream"]) == ([], [upstream])
    down = upstream | {"state": "down", "reason": "no connection"}
    await heartbeat(door.redis, "w1", orjson.dumps({"upstream": down}).decode(), [])
    await until_seen(door, "upstream", [down])
    answer = await door.get("/health/ready")
    assert answer.status == 200
    assert (await told(answer))["warnings"] == ["upstream: https://plausible.example is down, no connection"]
    assert (await numbers(door))["relay_upstream_down"] == 1


async def until_seen(door: Door, name: str, value: object) -> None:
    """Wait until readiness tells the value."""

    async def seen() -> bool:
        return (await told(await door.get("/health/ready")))[name] == value

    await until(f"{name} to be {value!r}", seen)


@pytest.mark.parametrize(
    ("name", "value", "durability"),
    [("appendfsync", "everysec", "everysec"), ("appendfsync", "no", "no"), ("appendonly", "no", "memory")],
)
async def test_a_weaker_promise_is_told(
    open_door: OpenDoor, own_server: TestServer, name: str, value: str, durability: str
) -> None:
    """A server that may lose acknowledged events is used, and every question for readiness says so."""
    first = await open_door(redis_url=own_server.url)
    await first.redis.config_set(name, value)
    door = await open_door(redis_url=own_server.url)
    await until_ready(door)
    answer = await door.get("/health/ready")
    ready = await told(answer)
    assert (answer.status, ready["durability"]) == (200, durability)
    assert f"durability is '{durability}'" in str(ready["warnings"])
    assert "set appendonly yes and appendfsync always" in str(ready["warnings"])


async def test_metrics_agree_with_the_ledger(door: Door) -> None:
    """Prometheus reads the same account that `relay status` shows, and it balances."""
    for i in range(12):
        await door.post(body(name=f"n{i}"))
    verbs = [("delivered", b"-"), ("dropped", b"bot"), ("dead", orjson.dumps({"reason": "exhausted"}))]
    entries = [(p, entry) for p in range(8) for entry, _ in await door.redis.xrange(keys.events(p))]
    for (verb, note), (p, entry) in zip(verbs * 2, entries, strict=False):
        await settle(door.redis, {p: [Outcome(verb, entry, note)]}, again=False)

    async def fresh() -> bool:
        return (await numbers(door))["relay_pending"] == 6

    await until("metrics with all outcomes", fresh)
    found, seen = await numbers(door), await look(door.redis, 8)
    assert seen.ledger == {"accepted": 12, "delivered": 2, "dropped": 2, "dead": 2, "pending": 6}
    assert found["relay_accepted_total"] == 12
    assert found["relay_delivered_total"] == 2
    assert found["relay_dropped_total{bot}"] == 2
    assert found["relay_dropped_total{no_session}"] == found["relay_dead{too_large}"] == 0, "labels begin at 0"
    assert found["relay_dead{exhausted}"] == 2
    assert (found["relay_pending"], found["relay_dead_letters"], found["relay_failing"]) == (6, 2, 0)
    assert (found["relay_ready"], found["relay_workers"], found["relay_repeated_total"]) == (1, 0, 0)
    assert found["relay_lag_seconds"] > 0


async def test_only_named_sites_are_told_apart(open_door: OpenDoor) -> None:
    """A sender who makes up sites makes no new series: without names in RELAY_SITES there are none by site."""
    named, every = await open_door(sites="a.example,www.b.example"), await open_door()
    for door in (named, every):
        await until_ready(door)
        await door.post(body(domain="a.example"))
        await every.post(body(domain="made.up"))
    found = {name for name in await numbers(named) if name.startswith("relay_site_events")}
    outcomes = ("dead", "delivered", "dropped", "pending")
    assert found == {f"relay_site_events{{{out},{site}}}" for out in outcomes for site in ("a.example", "b.example")}
    assert not any(name.startswith("relay_site_events") for name in await numbers(every))


async def test_refusals_are_counted_by_reason(open_door: OpenDoor) -> None:
    """Each refusal counts once a reason, at its door and in Redis for all doors; two doors add up."""
    doors = [await open_door(sites="example.com"), await open_door(sites="example.com", validation="plausible")]
    for door in doors:
        await until_ready(door)
        for content in (b"[]", body(name="", url=7), body(domain="no.example"), padded(1_000_001)):
            await door.post(content)
        await door.post()
    strict, plausible = [await numbers(door) for door in doors]
    assert reasons(strict) == {"request": 1, "event_name": 1, "url": 1, "domain": 1, "too_large": 1}
    assert reasons(plausible) == {"request": 1, "event_name": 1, "url": 1, "unknown_site": 1, "too_large": 1}
    together = {"request": 2, "event_name": 2, "url": 2, "domain": 1, "unknown_site": 1, "too_large": 2}

    async def added() -> bool:
        return (await look(doors[0].redis, 8)).refused == together

    await until("the sum in Redis", added)
    assert (await look(doors[0].redis, 8)).ledger["accepted"] == 2


def reasons(found: dict[str, float]) -> dict[str, float]:
    """Return the refusals among the metrics."""
    return {name[20:-1]: n for name, n in found.items() if name.startswith("relay_refused_total{")}


async def test_metrics_without_a_queue_do_not_lie(open_door: OpenDoor, own_server: TestServer) -> None:
    """When the queue is away the door's own numbers stay and the ledger's are absent, not zero and not old."""
    door = await open_door(redis_url=own_server.url)
    await until_ready(door)
    await door.post()
    own_server.kill()
    assert (await door.post()).status == 503

    async def away() -> bool:
        return (await numbers(door))["relay_ready"] == 0

    await until("a door that is unready", away)
    found = await numbers(door)
    unused = {name: 0 for name in found if name.startswith(("relay_batch", "relay_scripts"))}
    assert found == {"relay_ready": 0, "relay_refused_total{unavailable}": 1} | unused
    assert (await told(await door.get("/health/ready")))["pending"] is None
