"""How a batch may be compressed, and that none is ever larger in memory than its limit: bombs, pieces, broken ends."""

import asyncio
import gzip
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from relay.http import batch, judging
from relay.http.inflating import MEMBERS, BrokenError, TooLargeError, UnknownCodingError, whole_body
from relay.rules.batch import MAX_BATCH_BYTES
from tests.http.batches import array, item, post, statuses
from tests.http.conftest import OpenDoor
from tests.http.door import Door, chunks, errors, has_cors, request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(body: bytes) -> bytes:
    """Without zlib's frame, as many send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd.compress),
    "none": ("identity", bytes),
}
BOMB_BYTES = 200_000_000
BATCH = array(*map(item, range(20)))

packed = pytest.mark.parametrize(("coding", "pack"), PACKERS.values(), ids=list(PACKERS))
compressed = pytest.mark.parametrize(
    ("coding", "pack"), [each for name, each in PACKERS.items() if name != "none"], ids=[*PACKERS][:-1]
)


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    """The body as a connection may bring it."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def inflated(body: bytes, coding: str, size: int = 4_096) -> bytes:
    """The body as the door would read it."""
    return await whole_body(in_pieces(body, size), coding, MAX_BATCH_BYTES)


@packed
async def test_a_batch_may_be_compressed(door: Door, coding: str, pack: Callable[[bytes], bytes]) -> None:
    """All of it is read, in whatever pieces it comes, and also if its length is not told."""
    assert await statuses(await post(door, pack(BATCH), Content_Encoding=coding)) == ["accepted"] * 20
    body = pack(BATCH)
    pieces = [body[at : at + 40] for at in range(0, len(body), 40)]
    line = b"POST /api/events HTTP/1.1"
    headers = (b"Transfer-Encoding: chunked", b"Content-Encoding: " + coding.encode())
    answer = await door.converse(request(chunks(*pieces), *headers, line=line))
    assert (answer.status, orjson.loads(answer.content)["accepted"]) == (202, 20)
    assert len(await door.kept()) == 40


@packed
@pytest.mark.parametrize("size", [1, 7, 65_536])
async def test_pieces_change_nothing(coding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    """What comes out is what went in."""
    body = b"".join(b"%d," % n for n in range(20_000 if size > 1 else 500))
    assert await inflated(pack(body), coding, size) == body


@compressed
async def test_a_bomb_is_refused_as_soon_as_it_is_too_large(
    door: Door, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    """413, and nobody holds more than the limit and one step of it, however much would come out."""
    bomb = pack(bytes(BOMB_BYTES))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            await inflated(bomb, coding)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_BATCH_BYTES
    answer = await post(door, bomb, Content_Encoding=coding)
    assert (answer.status, has_cors(answer)) == (413, True)
    assert "5,000,000 bytes" in errors(await answer.read())["request"][0]


@packed
async def test_the_limit_is_exact(coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Five million bytes are read, one more is not."""
    assert await inflated(pack(bytes(MAX_BATCH_BYTES)), coding, 65_536) == bytes(MAX_BATCH_BYTES)
    with pytest.raises(TooLargeError):
        await inflated(pack(bytes(MAX_BATCH_BYTES + 1)), coding, 65_536)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_members_in_a_row_are_one_body(coding: str) -> None:
    """As the formats have it; so many that hold nothing are no body, whatever their bytes."""
    _, pack = PACKERS[coding]
    assert await inflated(pack(b"[") + pack(b"") + pack(b"]"), coding, 1) == b"[]"
    with pytest.raises(BrokenError, match=f"more than {MEMBERS}"):
        await inflated(pack(b"") * (MEMBERS + 1), coding)
    nested = pack(pack(BATCH))
    assert await inflated(nested, coding) == pack(BATCH)


@compressed
@pytest.mark.parametrize("wrong", ["cut", "cut to nothing", "behind", "other", "flipped"])
async def test_a_broken_body_is_told(door: Door, coding: str, pack: Callable[[bytes], bytes], wrong: str) -> None:
    """400 says what it is not; nothing of it is kept."""
    whole = pack(BATCH)
    half = len(whole) // 2
    body = {
        "cut": whole[:-2],
        "cut to nothing": b"",
        "behind": whole + b"\0\0\0",
        "other": BATCH,
        "flipped": whole[:half] + bytes(byte ^ 0xFF for byte in whole[half : half + 8]) + whole[half + 8 :],
    }[wrong]
    answer = await post(door, body, Content_Encoding=coding)
    assert answer.status == 400
    assert "request" in errors(await answer.read())
    assert await door.kept() == []


async def test_zstd_may_not_ask_for_much_memory() -> None:
    """A window of at most 8 MB, as RFC 9659 has it for HTTP."""
    big = zstd.compress(bytes(1_000), options={zstd.CompressionParameter.window_log: 27})
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    wide = stream.compress(bytes(1_000)) + stream.flush()
    assert await inflated(big, "zstd") == bytes(1_000)  # it tells its size, and needs no window
    with pytest.raises(BrokenError, match="8 MB"):
        await inflated(wide, "zstd")


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, gzip", "gzip,zstd", "utf-8", "\xff"])
async def test_other_codings_are_unknown(door: Door, coding: str) -> None:
    """415 says which there are, in the header made for it, too."""
    with pytest.raises(UnknownCodingError):
        await inflated(b"x", coding)
    if coding.isascii():
        answer = await post(door, BATCH, Content_Encoding=coding)
        assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "gzip, deflate, zstd")
        assert coding in errors(await answer.read())["request"][0]


@packed
async def test_all_bodies_together_have_a_limit(
    open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    """What a batch holds is given back, whatever becomes of it; beyond the limit it is 503, and small ones pass."""
    monkeypatch.setattr(batch, "HELD_BYTES", len(BATCH) + 10)
    door = await open_door()
    for content, status in ((BATCH, 202), (BATCH + b" " * 20, 503), (BATCH[:-1], 400), (b"[]", 202)) * 2:
        answer = await post(door, pack(content), Content_Encoding=coding)
        assert (answer.status, answer.headers.get("Retry-After")) == (status, "2" if status == 503 else None)


async def test_two_codings_are_two_in_two_headers_too(door: Door) -> None:
    """One on top of the other is unknown, however it is said."""
    body = gzip.compress(gzip.compress(BATCH))
    twice = (b"Content-Encoding: gzip", b"Content-Encoding: gzip")
    answer = await door.converse(request(body, *twice, line=b"POST /api/events HTTP/1.1"))
    assert (answer.status, answer.has_cors) == (415, True)


async def test_many_bombs_at_once_leave_the_door_as_it_was(door: Door) -> None:
    """Each is refused, and events of others are accepted meanwhile."""
    bomb = gzip.compress(bytes(BOMB_BYTES // 4), 1)
    answers = await asyncio.gather(*(post(door, bomb, Content_Encoding="gzip") for _ in range(8)), door.post())
    assert [answer.status for answer in answers] == [413] * 8 + [202]


@pytest.mark.parametrize("sizes", [[9] * 120, [40_000] * 5, [70_000, 9, 65_527, 9, 70_000], [20_000] * 60], ids=len)
def test_large_items_take_turns(sizes: list[int]) -> None:
    """Fifty of a hundred kilobytes each would hold up everybody else for half a second."""
    items = [b"x" * size for size in sizes]
    portions: list[list[bytes]] = []
    while (done := sum(map(len, portions))) < len(items):
        portions.append(list(judging.portion(items, done)))
    assert [one for some in portions for one in some] == items
    for some in portions:
        assert 0 < len(some) <= judging.AT_ONCE
        assert len(some) == 1 or sum(map(len, some)) <= judging.BYTES_AT_ONCE
    assert len(portions) == {9: 3, 40_000: 5, 70_000: 4, 20_000: 20}[sizes[0]]
