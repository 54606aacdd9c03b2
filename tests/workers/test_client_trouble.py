"""Requests without an answer, against servers that misbehave: each end is told for what it is.

The question is always whether the event may have been counted.
"""

import asyncio
import fcntl
import socket
import termios

import pytest

from relay.rules.judge import NoAnswer, Reply, Trouble
from tests.queue.samples import until
from tests.workers.wire import DELIVERED, EVENT, OK, Peer, Script, client_to, post, serving, silent
from workers.client import Client, Outbound

PATIENCE_S = 0.15


async def one_answer(script: Script, event: Outbound = EVENT) -> Reply | NoAnswer:
    """What the client makes of one request to such a server that waits for an answer only shortly."""
    async with client_to(script, PATIENCE_S) as (client, _):
        answer = await post(client, event)
    assert answer is not None
    return answer


async def test_what_must_not_be_written_is_not() -> None:
    """When the connection stands and the lease has ended meanwhile, not a byte is sent."""
    async with client_to(silent, PATIENCE_S) as (client, wire):
        assert await post(client, EVENT, may_write=lambda: False) is None
        await until("the server saw the end", lambda: wire.connections == 1 and wire.open == 0)
        assert wire.requests == []


async def test_nothing_listens() -> None:
    """A refused connection is UNREACHABLE: nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    client = Client(url, 2.0, 2.0)
    answer = await post(client, EVENT)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.UNREACHABLE
    assert "refused" in answer.detail.lower() or "connect" in answer.detail.lower()
    assert await client.reach() == answer


async def test_a_name_that_nobody_has() -> None:
    """An upstream whose name is not known is UNREACHABLE."""
    answer = await post(Client("http://plausible.invalid", 5.0, 2.0), EVENT)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.UNREACHABLE


async def says_half(peer: Peer) -> None:
    """Answer with half a head and stop."""
    await peer.request()
    await peer.say(b"HTTP/1.1 202 Acc")
    await peer.hung_up()


async def hangs_up(peer: Peer) -> None:
    """Read the request and close."""
    await peer.request()


async def hangs_up_midway(peer: Peer) -> None:
    """Close in the middle of the head."""
    await peer.request()
    await peer.say(b"HTTP/1.1 202 OK\r\nContent-")


async def breaks(peer: Peer) -> None:
    """Read the request and reset."""
    await peer.request()
    peer.reset()


async def arrives_unread(peer: Peer) -> None:
    """Return when the kernel has bytes of the request, which stay there."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport can
    number = peer.writer.get_extra_info("socket").fileno()
    await until("bytes of the request", lambda: any(fcntl.ioctl(number, termios.FIONREAD, bytes(4))))


async def breaks_unread(peer: Peer) -> None:
    """Reset without reading: what was written to the kernel may have been read for all the sender knows."""
    await arrives_unread(peer)
    peer.reset()


async def babbles(peer: Peer) -> None:
    """Answer with something else than HTTP."""
    await peer.request()
    await peer.say(b"SSH-2.0-OpenSSH_9.9\r\n")
    await peer.hung_up()


async def only_interim(peer: Peer) -> None:
    """Answer 100 and then nothing."""
    await peer.request()
    await peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
    await peer.hung_up()


async def changes_protocol(peer: Peer) -> None:
    """Want another protocol."""
    await peer.request()
    await peer.say(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
    await peer.hung_up()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (silent, "no answer in 0.15 s"),
        (says_half, "no answer in 0.15 s"),
        (only_interim, "no answer in 0.15 s"),
        (hangs_up, "closed without an answer"),
        (hangs_up_midway, "closed without an answer"),
        (breaks, "connection reset"),
        (breaks_unread, "connection reset"),
        (babbles, "not HTTP"),
        (changes_protocol, "another protocol"),
    ],
)
async def test_a_request_without_an_answer_may_have_been_counted(script: Script, words: str) -> None:
    """Whatever goes wrong after the request was written whole is UNANSWERED, and says what was seen."""
    answer = await one_answer(script)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.UNANSWERED
    assert words in answer.detail


async def endless(peer: Peer) -> None:
    """Answer 202 with a body that never ends."""
    await peer.request()
    await peer.say(b"HTTP/1.1 202 OK\r\nContent-Length: 1000000000\r\n\r\nok")
    await peer.hung_up()


async def cut(peer: Peer) -> None:
    """Answer 202 and close in the middle of its body."""
    await peer.request()
    await peer.say(b"HTTP/1.1 202 OK\r\nContent-Length: 10\r\n\r\nok")


@pytest.mark.parametrize("script", [endless, cut])
async def test_an_answer_stands_once_its_head_is_there(script: Script) -> None:
    """A body that is slow, endless or cut takes nothing from what the status said."""
    assert await one_answer(script) == DELIVERED


async def test_a_request_that_did_not_go_out_was_not_counted() -> None:
    """A connection that breaks while part of the request is still here is BROKEN: it is safe to send it again."""
    given_up = asyncio.Event()

    async def script(peer: Peer) -> None:
        await arrives_unread(peer)
        if peer.wire.connections > 1:
            await given_up.wait()
        peer.reset()

    huge = Outbound(b"Firefox/140", "9.9.9.9", b"x" * 16_000_000)  # more than the kernel keeps for two sockets
    async with serving(script, small=True) as wire:
        client = Client(wire.url, 2.0, 5.0)
        answer = await post(client, huge)
        assert isinstance(answer, NoAnswer)
        assert answer.trouble is Trouble.BROKEN
        client.answer_timeout_s = 0.05
        answer = await post(client, huge)
        given_up.set()
        assert answer == NoAnswer(Trouble.BROKEN, "no answer in 0.05 s")


async def test_a_large_request_that_went_out_whole_may_have_been_counted() -> None:
    """Once the last byte was handed on, a large request is like any other."""
    large = Outbound(b"Firefox/140", "9.9.9.9", b"x" * 1_000_000)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(OK)
        await peer.request()

    async with client_to(script) as (client, wire):
        assert await post(client, large) == DELIVERED
        assert len(wire.requests[0]) > 1_000_000
        answer = await post(client, large)
        assert isinstance(answer, NoAnswer)
        assert answer.trouble is Trouble.UNANSWERED


async def test_an_early_answer_to_half_a_request_counts() -> None:
    """A 413 that comes before the request was read is an answer; the connection is not used again."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await peer.hung_up()

    async with client_to(script) as (client, wire):
        assert await post(client, Outbound(None, "9.9.9.9", b"x" * 3_000_000)) == Reply(413)
        assert await post(client, EVENT) == Reply(413)
        assert wire.connections == 2
