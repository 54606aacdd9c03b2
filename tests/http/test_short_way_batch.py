"""The short way of a usual batch: it is taken, and byte for byte says and keeps what aiohttp's way does.

What holds for whatever goes the short way is tested with single posts (test_short_way.py).
"""

import asyncio
import re
from collections import Counter
from typing import Any

import pytest

from relay.http import batch, brought, framing, judging
from relay.http.app import BROUGHT, WATCH
from relay.http.paths import EVENTS
from relay.http.usual_batch import UsualBatch
from relay.queue.stored import StoredEvent, partition_of
from relay.rules.batch import MAX_ITEMS
from tests.http.batches import array, item
from tests.http.conftest import OpenDoor
from tests.http.door import Connection, Door, body, request, until, until_ready
from tests.http.test_short_way import LONG_WAY, PUBLIC, handled, held_up

LINE = b"POST /api/events HTTP/1.1"
MONEY = {"amount": "12.50", "currency": "EUR"}
USUAL = array(*map(item, range(100)))
SHORT = array(*map(item, range(3)))
BOT = b"User-Agent: Googlebot/2.1"
BATCHES = {
    "usual": USUAL,
    "one": array(item()),
    "two sites, one after the other": array(item(0), item(1, domain="example.org"), item(2)),
    "sales and reading": array(item(0, revenue=MONEY), body(name="engagement", sd=70), item(1, props={"n": 3})),
    "other writing": array(item(0, props={"wo": "Köln"}), b'{ "n": "a\\u00e4", "u": "/", "d": "example.com" }'),
    "white space": b"[\n  " + b" ,\n  ".join([body()] * 3) + b"\n]\r\n",
    "warned of": array(item(0), item(1, referrer="r" * 3_000), item(2)),
    "refused": array(item(0), item(1, name=""), b"null", item(2)),
    "elsewhere": array(item(0), item(1, domain="elsewhere.example"), item(2, domain="")),
    "a list of sites": array(item(0), item(1, domain="example.com,example.org")),
    "own keys": array(item(0, ip="81.2.69.1", device={"os": "iOS"}), item(1, occurred_at="2024-02-29T08:00:00Z")),
    "repeated": array(item(0, id="a"), item(0, id="a"), item(1, id="a"), item(1)),
    "twice the same key": array(item(0), b'{"n":"a","u":"/","d":"example.com","n":"b"}'),
    "empty": b"[]",
    "no array": body(),
    "no JSON": b"[{}",
    "nothing": b"",
    "half an emoji": array(item(0), b'{"n":"\\ud83d","u":"/","d":"example.com"}'),
    "too many": array(*[b"1"] * (MAX_ITEMS + 1)),
    "a mark before": b"\xef\xbb\xbf" + SHORT,
    "long": SHORT[:-1] + b" " * (framing.SHORT_BYTES - len(SHORT)) + b"]",
    "longer": SHORT[:-1] + b" " * (framing.SHORT_BYTES - len(SHORT) + 1) + b"]",
}


def posted(content: bytes, *headers: bytes) -> bytes:
    """The whole request of a batch."""
    return request(content, *headers, line=LINE)


async def answered(wire: Connection) -> bytes:
    """All bytes of an answer, but for the time."""
    head = await wire.reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    assert length is not None
    timeless, dates = re.subn(rb"\r\nDate: [^\r]+", b"", head)
    assert dates == 1
    return timeless + await wire.reader.readexactly(int(length[1]))


async def both_ways(door: Door, content: bytes, *headers: bytes) -> None:
    """Post a batch the one way and the other: the same answer, events, counts."""
    watch, answers, kept, counts = door.app[WATCH], [], [], []
    for more in ((), (LONG_WAY,)):
        watch.items.clear()
        watch.refused.clear()
        batches = watch.batches
        async with await door.connection() as wire:
            await wire.send(posted(content, *headers, *more))
            answers.append(await answered(wire))
        kept.append([event._replace(accepted_ms=0) for event in await door.kept()])
        counts.append((watch.batches - batches, Counter(watch.items), Counter(watch.refused)))
        await door.redis.flushall()
    assert answers[0] == answers[1]
    assert kept[0] == kept[1]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "pieces",
    [
        lambda whole: [whole],
        lambda whole: [whole[: -len(SHORT)], whole[-len(SHORT) :]],
        lambda whole: [whole[i : i + 1] for i in range(len(whole))],
    ],
    ids=["whole", "head and body", "single bytes"],
)
async def test_the_usual_batch_takes_it(behind_a_proxy: Door, pieces: Any) -> None:
    """However its bytes come; several on one connection, and single posts between them."""
    before = handled(behind_a_proxy)
    async with await behind_a_proxy.connection() as wire:
        for _ in range(20):
            assert (await wire.ask(*pieces(posted(SHORT, PUBLIC)))).status == 202
            assert (await wire.ask(request(body(), PUBLIC))).content == b"ok"
    assert handled(behind_a_proxy) == before
    assert len(await behind_a_proxy.kept()) == 80


@pytest.mark.parametrize(
    "headers",
    [
        (LONG_WAY,),
        (b"Idempotency-Key: one",),
        (b"Content-Encoding: identity",),
        (b"Content-Type: application/X-NDJSON; charset=utf-8",),
        (b"Content-Type: application/=?utf-8?q?n=64json?=",),
        (b"Connection: close",),
        (BOT,),
    ],
    ids=repr,
)
async def test_what_is_not_usual_does_not(behind_a_proxy: Door, headers: tuple[bytes, ...]) -> None:
    """It is decided all the same, by aiohttp's way."""
    before = handled(behind_a_proxy)
    assert (await behind_a_proxy.converse(posted(SHORT, PUBLIC, *headers))).status == 202
    assert handled(behind_a_proxy) == before + 1


@pytest.mark.parametrize("validation", ["strict", "plausible"])
@pytest.mark.parametrize("header", [PUBLIC, BOT], ids=["visitor", "bot"])
async def test_both_ways_say_and_keep_the_same(open_door: OpenDoor, validation: str, header: bytes) -> None:
    """All bytes of the answer, what the queue has, in which order, and what is counted."""
    door = await open_door(trusted_proxies="127.0.0.1", sites="example.com,example.org", validation=validation)
    await until_ready(door)
    for content in BATCHES.values():
        await both_ways(door, content, header)


@pytest.mark.parametrize("header", [PUBLIC, BOT, b"Idempotency-Key: one"], ids=["visitor", "bot", "key"])
async def test_items_are_judged_together_as_one_by_one(
    behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch, header: bytes
) -> None:
    """The same answer, events and counts, whichever items are plain."""
    watch = behind_a_proxy.app[WATCH]
    found: list[list[Any]] = []
    for together in (True, False):
        if not together:
            monkeypatch.setattr(judging, "has_plain_items", lambda _: False)
        found.append([])
        for first in (item(), item(name=""), item(domain="example.com,example.org"), item(id="a"), item(referrer=1)):
            watch.items.clear()
            watch.refused.clear()
            content = array(first, *map(item, range(judging.AT_ONCE)), *[item(7, revenue=MONEY)] * 9, first)
            answer = await behind_a_proxy.converse(posted(content, header, LONG_WAY))
            kept = [event._replace(accepted_ms=0) for event in await behind_a_proxy.kept()]
            found[-1].append((answer.content, kept, Counter(watch.items), Counter(watch.refused)))
            await behind_a_proxy.redis.flushall()
    assert found[0] == found[1]


async def test_answers_come_in_the_order_of_requests(behind_a_proxy: Door) -> None:
    """Of batches, refusals and single posts, in one segment and apart, and what is no HTTP behind them."""
    first, second, third = posted(USUAL, PUBLIC), posted(b"[", PUBLIC), request(body(), PUBLIC)
    for segments in ([first, second, third], [first + second + third], [first[:-5], first[-5:] + second + third]):
        async with await behind_a_proxy.connection() as wire:
            await held_up(behind_a_proxy, wire, [*segments, b"\0\r\n\r\n"])
            answers = [await wire.answer() for _ in range(4)]
            assert [answer.status for answer in answers] == [202, 400, 202, 400]
            assert answers[0].content.startswith(b'{"accepted":100,')
            assert answers[2].content == b"ok"
            assert await wire.is_closed()


async def test_a_queue_that_is_away_is_told_the_same_way(behind_a_proxy: Door) -> None:
    """503 with Retry-After, and nothing counted as accepted."""
    answers = []
    for more in ((), (LONG_WAY,)):
        await behind_a_proxy.redis.execute_command("CLIENT", "PAUSE", 1_500, "WRITE")  # type: ignore[no-untyped-call]
        async with await behind_a_proxy.connection() as wire:
            await wire.send(posted(SHORT, PUBLIC, *more))
            answers.append(await answered(wire))
        await behind_a_proxy.redis.execute_command("CLIENT", "UNPAUSE")  # type: ignore[no-untyped-call]
        await until_ready(behind_a_proxy)
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 2\r\n" in answers[0]
    assert not behind_a_proxy.app[WATCH].items


async def test_a_partition_that_fails_fails_its_items_only(behind_a_proxy: Door) -> None:
    """Of a batch for two sites, one of which can't be kept; either way."""
    visitor = StoredEvent("example.com", "127.0.0.1", None, b"", 0)
    first, second = (partition_of(visitor._replace(site=site), 8) for site in ("example.com", "example.org"))
    assert first != second
    answers = []
    for more in ((), (LONG_WAY,)):
        await behind_a_proxy.redis.set(f"relay:{{{second}}}:events", "no stream")
        async with await behind_a_proxy.connection() as wire:
            await wire.send(posted(BATCHES["two sites, one after the other"], *more))
            answers.append(await answered(wire))
    assert answers[0] == answers[1]
    assert b'{"accepted":2,"duplicates":0,"refused":1,' in answers[0]


async def until_brought(door: Door, wire: Connection, content: bytes) -> None:
    """Send a batch, which waits for the queue then."""
    await held_up(door, wire, [posted(content, PUBLIC)])
    assert held(door) == batch.HELD_BYTES - len(content)


def held(door: Door) -> int:
    """How many bytes of batches the door could hold beside those that it holds."""
    way = door.app[BROUGHT].ways[EVENTS]
    assert isinstance(way, UsualBatch)
    return way.held.left


async def test_its_body_counts_while_it_is_held(behind_a_proxy: Door) -> None:
    """Until it is answered, or its sender is gone, whose events are kept and counted all the same."""
    async with await behind_a_proxy.connection() as wire:
        await until_brought(behind_a_proxy, wire, USUAL)
        assert (await wire.answer()).status == 202
        assert held(behind_a_proxy) == batch.HELD_BYTES
        await until_brought(behind_a_proxy, wire, SHORT)

    async def is_counted() -> bool:
        return behind_a_proxy.app[WATCH].items["accepted"] == 103

    await until("the events are counted", is_counted)
    assert held(behind_a_proxy) == batch.HELD_BYTES
    assert len(await behind_a_proxy.kept()) == 103


async def test_what_finds_no_room_is_told_by_aiohttps_way(open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, as for every batch beyond what the door may hold."""
    monkeypatch.setattr(batch, "HELD_BYTES", len(SHORT) - 1)
    door = await open_door()
    await until_ready(door)
    answer = await door.converse(posted(SHORT, b"User-Agent: own"))
    assert answer.status == 503
    assert b"many large batches are under way" in answer.content


async def test_the_last_answer_says_so(behind_a_proxy: Door) -> None:
    """While the door stops, a batch that came before has its answer, and a later one its own."""
    answers = []
    for content in (USUAL, SHORT):
        async with await behind_a_proxy.connection() as wire:
            if content is USUAL:
                await until_brought(behind_a_proxy, wire, content)
            behind_a_proxy.app[WATCH].draining = True
            if content is SHORT:
                await wire.send(posted(content, PUBLIC))
            answers.append((await answered(wire)).partition(b"\r\n\r\n")[0])
            assert await wire.is_closed()
    assert b"\r\nConnection: close" in answers[0]
    length = re.compile(rb"Content-Length: \d+")
    assert length.sub(b"", answers[0]) == length.sub(b"", answers[1])


async def test_limits_are_asked(open_door: OpenDoor) -> None:
    """Which takes a wait, so it is for aiohttp's way: a batch beyond its address's limit is refused whole."""
    door = await open_door(address_rate="1", address_burst="3")
    await until_ready(door)
    before = handled(door)
    for status in (202, 429):
        assert (await door.converse(posted(SHORT, b"User-Agent: own"))).status == status
    assert handled(door) == before + 2
    assert len(await door.kept()) == 3


async def test_many_at_once_take_turns(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own answer, though not all are judged in one go."""
    monkeypatch.setattr(brought, "BYTES_AT_ONCE", 2 * len(SHORT))
    contents = [SHORT, array(item(1)), b"[", SHORT, array(item(1), item(2)), SHORT] * 5
    answers = await asyncio.gather(*(behind_a_proxy.converse(posted(content, PUBLIC)) for content in contents))
    accepted = [answer.content[:14] if answer.status == 202 else b"" for answer in answers]
    assert accepted == [b'{"accepted":%d,' % n if n else b"" for n in (3, 1, 0, 3, 2, 3)] * 5
    assert len(await behind_a_proxy.kept()) == 60


async def test_a_failure_of_ours_is_one_batch_s(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not answered is cut off, and sends again; all others are served, and nothing stays held."""

    def fails(event: StoredEvent, partitions: int) -> int:
        if b'"e9"' in event.body:
            raise RuntimeError("made up")
        return partition_of(event, partitions)

    monkeypatch.setattr("relay.queue.packing.partition_of", fails)
    for content, status in ((SHORT, 202), (array(item(9)), None), (SHORT, 202)):
        async with await behind_a_proxy.connection() as wire:
            await wire.send(posted(content, PUBLIC))
            if status is None:
                assert await wire.is_closed()
            else:
                assert (await wire.answer()).status == status
    assert held(behind_a_proxy) == batch.HELD_BYTES


@pytest.mark.parametrize("more", [(), (LONG_WAY,)], ids=["short", "long"])
async def test_who_leaves_is_counted_either_way(behind_a_proxy: Door, more: tuple[bytes, ...]) -> None:
    """What is kept of a batch is counted, though its sender did not wait for the answer."""
    async with await behind_a_proxy.connection() as wire:
        await held_up(behind_a_proxy, wire, [posted(SHORT, PUBLIC, *more)])

    async def is_counted() -> bool:
        return behind_a_proxy.app[WATCH].items["accepted"] == 3

    await until("the events are counted", is_counted)
    assert len(await behind_a_proxy.kept()) == 3
