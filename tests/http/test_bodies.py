"""How a body may arrive: its size, in chunks, compressed, after `100 Continue`."""

import gzip
import time
import zlib

import orjson
import pytest

from relay.rules.event import Validation
from tests.http.conftest import OpenDoor
from tests.http.door import Answer, Door, body, chunks, padded, request

CHUNKED = b"Transfer-Encoding: chunked"
LIMIT = 1_000_000


def framed(content: bytes, *headers: bytes, chunked: bool) -> bytes:
    """Return a request with its length told, or in chunks of 64 KiB without one."""
    if not chunked:
        return request(content, *headers)
    return request(chunks(*(content[i : i + 65_536] for i in range(0, len(content), 65_536))), CHUNKED, *headers)


def told(answer: Answer) -> str:
    """Return the one message of a refused body."""
    (message,) = orjson.loads(answer.content)["errors"]["request"]
    return str(message)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("validation", Validation)
async def test_a_body_of_exactly_the_limit_is_an_event(
    open_door: OpenDoor,
    validation: Validation,
    chunked: bool,  # noqa: FBT001 - a table's column
) -> None:
    """1,000,000 bytes are kept byte for byte, and the connection goes on."""
    door = await open_door(validation=validation.value)
    async with await door.connection() as socket:
        assert (await socket.ask(framed(padded(LIMIT), chunked=chunked))).status == 202
        assert (await socket.ask(request(body()))).status == 202
    assert [event.body for event in await door.kept()] == [padded(LIMIT), body()]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("validation", "headers", "status"),
    [
        ("strict", (), 413),
        ("strict", (b"Content-Type: application/json",), 413),
        ("plausible", (), 400),
        ("plausible", (b"Content-Type: text/plain",), 400),
        ("plausible", (b"Content-Type: application/json; charset=utf-8",), 413),
    ],
)
async def test_a_byte_more_is_refused(
    open_door: OpenDoor,
    validation: str,
    headers: tuple[bytes, ...],
    status: int,
    chunked: bool,  # noqa: FBT001 - a table's column
) -> None:
    """One byte over the limit gets an answer that arrives, then the connection is closed and the door goes on."""
    door = await open_door(validation=validation)
    async with await door.connection() as socket:
        answer = await socket.ask(framed(padded(LIMIT + 1), *headers, chunked=chunked))
        assert (answer.status, answer.has_cors, answer.headers["connection"]) == (status, True, "close")
        assert await socket.is_closed()
    if status == 400:
        assert told(answer) == "Unable to parse request body as json"
    assert (await door.post()).status == 202
    assert len(await door.kept()) == 1


async def test_a_huge_body_is_not_taken_in(door: Door) -> None:
    """The answer to 20 MB comes before they are there, and whoever goes on writing can still read it."""
    async with await door.connection() as socket:
        await socket.send(request(b"", b"Content-Length: 20000000"), *[b" " * 100_000] * 11)
        assert (await socket.answer()).status == 413


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_small_chunks_are_put_together(door: Door, size: int) -> None:
    """A chunked body is the same event, however it is cut; extensions and trailers are ignored."""
    sent = body(props={"town": "Köln"})
    pieces = [sent[i : i + size] for i in range(0, len(sent), size)]
    assert (await door.converse(request(chunks(*pieces), CHUNKED))).status == 202
    extended = b"%x;name=value\r\n%b\r\n0\r\nX-Trailer: 7\r\n\r\n" % (len(sent), sent)
    assert (await door.converse(request(extended, CHUNKED))).status == 202
    assert [event.body for event in await door.kept()] == [sent, sent]


@pytest.mark.parametrize("packed", [gzip.compress(body()), zlib.compress(body())], ids=["gzip", "deflate"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("validation", Validation)
async def test_a_compressed_body_is_no_json(
    open_door: OpenDoor, validation: Validation, encoding: str, packed: bytes
) -> None:
    """As with Plausible, which inflates nothing: 400, on a connection that goes on; strict says what would be right."""
    door = await open_door(validation=validation.value)
    async with await door.connection() as socket:
        answer = await socket.ask(request(packed, b"Content-Encoding: " + encoding.encode()))
        assert (answer.status, answer.has_cors) == (400, True)
        assert told(answer).startswith("Unable to parse request body as json")
        if validation is Validation.STRICT and packed[:1] == b"\x1f":
            assert "send it uncompressed" in told(answer)
        assert (await socket.ask(request(body(), b"Content-Encoding: identity"))).status == 202


async def test_a_bomb_does_not_go_off(door: Door) -> None:
    """200 MB in 200 kB are refused without being unpacked."""
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=1)[:LIMIT]
    began_s = time.process_time()
    assert (await door.converse(request(bomb, b"Content-Encoding: gzip"))).status == 400
    assert time.process_time() - began_s < 0.1


async def test_expectations(door: Door) -> None:
    """`curl` asks before a large body and is told to go on, an old client is not; what nobody knows is not minded."""
    sent = request(body(), b"Expect: 100-Continue")
    async with await door.connection() as socket:
        assert (await socket.ask(sent[: -len(body())])).status == 100
        assert (await socket.ask(body())).status == 202
        for odd in (b"tea", b"\xff", b""):
            assert (await socket.ask(request(body(), b"Expect: " + odd))).status == 202
        assert (await socket.ask(sent.replace(b"HTTP/1.1", b"HTTP/1.0"))).status == 202
