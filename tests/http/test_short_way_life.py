"""The short way and a connection's limits: of heads and idle time, of what is read ahead, and of a door that stops."""

import asyncio
import contextlib
import gc
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from relay.http import batch, brought, connections, runner, short_way, usual_batch
from relay.http.app import BROUGHT, WATCH, build_door, door_runner
from relay.http.brought import Brought
from relay.http.connections import SenderConnection
from relay.http.framing import frame
from relay.http.paths import EVENTS
from relay.http.plain import plain_events
from relay.http.usual_batch import UsualBatch
from relay.settings import load_settings
from tests.http.batches import array, item
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, connection, request, until, until_ready
from tests.http.test_short_way import PUBLIC, handled, held_up

WHOLE = request(body(), PUBLIC)
LOOK = request(line=b"GET /health/live HTTP/1.1")
FLOOD_BYTES = 40_000_000  # several times what two sockets hold


async def test_a_body_that_stalls_is_aiohttps_to_wait_for(
    behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered when it comes; and one whose sender goes away counts as incomplete."""
    monkeypatch.setattr(short_way, "HELD_S", 0.05)
    whole = request(body(), PUBLIC)
    before = handled(behind_a_proxy)
    async with await behind_a_proxy.connection() as wire:
        await wire.send(whole[:-5])

        async def is_handed_on() -> bool:
            return handled(behind_a_proxy) > before

        await until("aiohttp waits for the body", is_handed_on)
        assert (await wire.ask(whole[-5:])).status == 202
        assert (await wire.ask(whole)).status == 202
        assert handled(behind_a_proxy) == before + 1  # it is known where the stalled one ended
        await wire.send(whole[:-5])

    async def is_counted() -> bool:
        return 'reason="incomplete"} 1' in await (await behind_a_proxy.get("/metrics")).text()

    await until("an incomplete body is counted", is_counted)
    assert len(await behind_a_proxy.kept()) == 2


async def test_bytes_that_dribble_are_not_waited_for_again_and_again(
    behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser has them when the first is a moment old, and cuts off a head that does not end."""
    monkeypatch.setattr(short_way, "HELD_S", 0.1)
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.3)
    began = asyncio.get_running_loop().time()
    async with await behind_a_proxy.connection() as wire:
        assert (await wire.ask(request(body(), PUBLIC))).status == 202  # as the limit of a new connection is another
        with contextlib.suppress(ConnectionError):
            for at in range(100):
                await wire.send(request(body(), PUBLIC)[at : at + 1])
                await asyncio.sleep(0.05)
                if wire.reader.at_eof():
                    break
        assert await wire.is_closed()
    assert asyncio.get_running_loop().time() - began < 3


async def test_a_held_part_goes_with_its_connection(behind_a_proxy: Door) -> None:
    """A sender that ends amid a head is nobody's fault; one that ends amid a body is counted."""
    for part in (request(body())[:30], request(body())[:-5]):
        async with await behind_a_proxy.connection() as wire:
            await wire.send(part)

    async def is_counted() -> bool:
        return 'reason="incomplete"} 1' in await (await behind_a_proxy.get("/metrics")).text()

    await until("one is counted", is_counted)
    assert (await behind_a_proxy.post()).status == 202


async def test_a_kept_connection_is_idle_as_long_as_any(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit for heads does not run on after a post whose body came apart."""
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.1)
    whole = request(body(), PUBLIC)
    async with await behind_a_proxy.connection() as wire:
        assert (await wire.ask(whole[:-5], whole[-5:])).status == 202
        assert (await wire.ask(whole)).status == 202
        await asyncio.sleep(0.3)  # three times the limit
        assert (await wire.ask(whole)).status == 202


async def test_posts_ahead_leave_no_limit_for_a_head_behind(
    behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once all are answered, the connection is idle as long as any."""
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.1)
    whole = request(body(), PUBLIC)
    async with await behind_a_proxy.connection() as wire:
        await held_up(behind_a_proxy, wire, [whole[:-5], whole[-5:] + whole])
        assert [(await wire.answer()).status for _ in range(2)] == [202, 202]
        await asyncio.sleep(0.3)  # three times the limit
        assert (await wire.ask(whole)).status == 202


async def test_nothing_begins_on_a_connection_that_is_gone(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when its post was brought and is not judged yet, which is for aiohttp then.

    aiohttp's own server for tests would end its task; who is elsewhere hits this moment once in thousands.
    """
    failed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    runner = door_runner(build_door(load_settings({"sites": "*", "redis_url": redis_url}, {})))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bring = Brought.bring

    def cut(self: Brought, poster: Any, segment: bytes) -> None:
        bring(self, poster, segment)
        poster.transport.abort()

    async with await connection(runner.addresses[0][1]) as wire:
        assert (await wire.ask(request(b"[]"))).status == 400
        monkeypatch.setattr(Brought, "bring", cut)
        await wire.send(request(b"[]"))
        assert await wire.is_closed()
    await runner.cleanup()
    gc.collect()  # the failure of a task that nobody waits for is told when the task goes
    assert not failed


async def test_a_head_in_time_is_enough(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection's limit ends amid the first post's body: a browser opens connections in advance."""
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.4)
    async with await behind_a_proxy.connection() as wire:
        await asyncio.sleep(0.3)
        await wire.send(WHOLE[:-5])
        await asyncio.sleep(0.2)
        assert (await wire.ask(WHOLE[-5:])).status == 202


async def test_a_connection_is_not_idle_amid_a_post(open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time to be idle ends amid the body of the next post."""
    for module in (runner, short_way):
        monkeypatch.setattr(module, "KEPT_S", 0.5)
    door = await open_door(trusted_proxies="127.0.0.1")
    await until_ready(door)
    async with await door.connection() as wire:
        assert (await wire.ask(WHOLE)).status == 202
        await asyncio.sleep(0.4)
        await wire.send(WHOLE[:-5])
        await asyncio.sleep(0.2)
        assert (await wire.ask(WHOLE[-5:])).status == 202
        assert await wire.is_closed()


async def test_what_nobody_reads_the_answers_of_is_not_read_without_end(behind_a_proxy: Door) -> None:
    """Behind a post that is being kept, and in more bytes than wait for it."""
    async with await behind_a_proxy.connection() as wire:
        await held_up(behind_a_proxy, wire, [WHOLE])
        wire.writer.write(LOOK * (FLOOD_BYTES // len(LOOK)))
        left, before = wire.writer.transport.get_write_buffer_size(), -1
        while left != before:  # until nothing more was read in half a second
            await asyncio.sleep(0.5)
            left, before = wire.writer.transport.get_write_buffer_size(), left
        assert left > FLOOD_BYTES // 2
        wire.writer.transport.abort()


async def test_what_came_in_many_pieces_goes_on_in_one(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser's call for each would hold up the others."""
    monkeypatch.setattr(short_way, "HELD_S", 0.1)
    calls: list[int] = []
    received = SenderConnection.data_received

    def counted(self: SenderConnection, data: bytes) -> None:
        calls.extend([len(data)] if data else [])
        received(self, data)

    monkeypatch.setattr(SenderConnection, "data_received", counted)
    async with await behind_a_proxy.connection() as wire:
        await wire.send(WHOLE[:-90], *[WHOLE[at : at + 1] for at in range(-90, -1)])

        async def is_passed_on() -> bool:
            return bool(calls)

        await until("aiohttp waits for the rest", is_passed_on)
        assert (await wire.ask(WHOLE[-1:])).status == 202
    assert calls[:2] == [len(WHOLE) - 1, 1]


async def test_many_tiny_posts_take_turns(behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of the loop has a limit in posts, too: to refuse one takes as long as to read thousands of its bytes."""
    turns: list[int] = []
    framed = 0
    judge = Brought._judge  # noqa: SLF001 - a turn of it

    def counted(segment: bytes) -> Any:
        nonlocal framed
        framed += 1
        return frame(segment)

    def judged(self: Brought) -> None:
        nonlocal framed
        framed = 0
        judge(self)
        turns.append(framed)

    monkeypatch.setattr(brought, "POSTS_AT_ONCE", 4)
    monkeypatch.setattr(brought, "frame", counted)
    monkeypatch.setattr(Brought, "_judge", judged)
    answers = await asyncio.gather(*(behind_a_proxy.converse(request(b"{}")) for _ in range(30)))
    assert [answer.status for answer in answers] == [400] * 30
    assert sum(turns) == 30
    assert max(turns) <= 4


async def test_nothing_stays_held_of_batches_that_were_not_judged(
    behind_a_proxy: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that fails takes those beside it to aiohttp's way, and the room that they would have had is free."""
    plain = plain_events

    def fails(items: Any, *others: Any) -> Any:
        if any(b"fails" in one for one in items):
            raise RuntimeError("made up")
        return plain(items, *others)

    monkeypatch.setattr(usual_batch, "plain_events", fails)
    line = b"POST /api/events HTTP/1.1"
    posts = [request(array(item(0, name=name)), PUBLIC, line=line) for name in ("fine", "fails") * 5]
    answers = await asyncio.gather(*map(behind_a_proxy.converse, posts))
    assert [answer.status for answer in answers] == [202] * 10
    way = behind_a_proxy.app[BROUGHT].ways[EVENTS]
    assert isinstance(way, UsualBatch)
    assert way.held.left == batch.HELD_BYTES


@pytest.mark.parametrize(
    ("sent", "status"), [(LOOK, 200), (WHOLE, 202), (WHOLE[:-5], None)], ids=["a look", "a post", "a part of a post"]
)
async def test_what_was_read_before_a_door_stops_is_answered(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, sent: bytes, status: int | None
) -> None:
    """It stops between the reading and the judgement; a part, whose rest it does not wait for, holds up nothing."""
    app = build_door(load_settings({"sites": "*", "redis_url": redis_url}, {}))
    served = door_runner(app, shutdown_timeout=2.0)
    await served.setup()
    await web.TCPSite(served, "127.0.0.1", 0).start()
    server: web.Server = web.AppRunner.server.fget(served)  # type: ignore[attr-defined]
    async with await connection(served.addresses[0][1]) as wire:
        assert (await wire.ask(LOOK)).status == 200
        app[WATCH].draining = True
        read = asyncio.Event()
        monkeypatch.setattr(Brought, "bring", _then(Brought.bring, server.pre_shutdown, read.set))
        await wire.send(sent)
        await read.wait()
        began = asyncio.get_running_loop().time()
        if status is None:
            assert await wire.is_closed()
        else:
            assert (await wire.answer()).status == status
        await served.cleanup()
    assert asyncio.get_running_loop().time() - began < 1.5


def _then(first: Callable[..., None], *others: Callable[[], None]) -> Callable[..., None]:
    def all_of_them(*arguments: Any) -> None:
        for each in (lambda: first(*arguments), *others):
            each()

    return all_of_them
