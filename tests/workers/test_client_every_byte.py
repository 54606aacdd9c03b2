"""Connections that end at every single byte of a request and of its answer, and answers that never end.

The law: nothing is sent again as a matter of course that Plausible may have counted, and what it answered stands.
"""

import itertools

import pytest

from relay.rules.judge import NoAnswer, Reply, Trouble
from tests.workers.wire import EVENT, Peer, Script, client_to, post

ANSWER = b"HTTP/1.1 202 Accepted\r\nx-plausible-dropped: 1\r\nContent-Length: 2\r\n\r\nok"
HEAD = ANSWER.index(b"\r\n\r\n") + 4


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_an_answer_that_ends_at_any_byte(end: str) -> None:
    """Up to its head's last byte it is UNANSWERED, so ambiguous; from there on the answer stands, its drop too."""
    lengths = iter(range(len(ANSWER) + 1))

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(ANSWER[: next(lengths)])
        if end == "reset":
            peer.reset()

    async with client_to(script) as (client, wire):
        answers = [await post(client, EVENT) for _ in range(len(ANSWER) + 1)]
    assert all(isinstance(a, NoAnswer) and a.trouble is Trouble.UNANSWERED for a in answers[:HEAD])
    assert answers[HEAD:] == [Reply(202, 1, text="ok"[:n]) for n in range(3)]
    assert len(wire.requests) == len(ANSWER) + 1, "and nothing was sent twice"


async def test_a_request_that_is_read_up_to_any_byte() -> None:
    """Wherever the other side stops reading and resets: it was written whole, so it may have been counted."""
    lengths = itertools.count(1)

    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(next(lengths))
        peer.reset()

    async with client_to(script) as (client, wire):
        size = len(client._bytes_of(EVENT))  # noqa: SLF001 - how long a request is shows nowhere else before it is sent
        answers = [await post(client, EVENT) for _ in range(size)]
    assert wire.connections == size
    assert all(isinstance(a, NoAnswer) and a.trouble is Trouble.UNANSWERED for a in answers)


async def endless_headers(peer: Peer) -> None:
    """Send one header after the other."""
    await peer.request()
    await peer.say(b"HTTP/1.1 202 Accepted\r\n")
    while not peer.writer.is_closing():
        await peer.say(b"X-More: of this\r\n" * 500)


async def endless_header(peer: Peer) -> None:
    """Send one header without an end."""
    await peer.request()
    await peer.say(b"HTTP/1.1 202 Accepted\r\nX-Long: ")
    while not peer.writer.is_closing():
        await peer.say(b"x" * 8_000)


async def endless_interim(peer: Peer) -> None:
    """Send one interim answer after the other."""
    await peer.request()
    while not peer.writer.is_closing():
        await peer.say(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 200)


@pytest.mark.parametrize("script", [endless_headers, endless_header, endless_interim])
async def test_a_head_without_an_end_is_cut(script: Script) -> None:
    """An answer whose head does not end costs neither memory nor the whole time limit, and is no answer."""
    async with client_to(script, answer_timeout_s=30.0) as (client, _):
        answer = await post(client, EVENT)
    assert answer == NoAnswer(Trouble.UNANSWERED, "the answer's head has no end")
