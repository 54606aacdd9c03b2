"""The relay's own reading of a request is aiohttp's wherever it reads at all, and it reads what real clients send."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from relay.http.framing import HEAD_BYTES, SHORT_BYTES, frame, may_become_post, rest_of
from tests.http.door import body, request
from tests.http.framing_law import Heads, judge_framing
from tests.http.mutations import seeds

USUAL = request(body(), b"User-Agent: M\xf6zilla", b"X-Forwarded-For: 81.2.69.142", b"Connection: Keep-Alive")
HEAD = b"POST /api/event HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a loop that parsers may have; it does not run."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def test_what_is_read_is_read_as_aiohttp_reads_it(loop: asyncio.AbstractEventLoop) -> None:
    """A hundred thousand heads that are nearly plain: where each ends, its headers, its body, and what it asks for."""
    heads = Heads(seed=11)
    found = Counter(judge_framing(heads.segment(), loop) for _ in range(100_000))
    assert found.keys() >= {"post", "part", "other", "left", "more"}
    assert min(found.values()) > 100


def test_each_part_of_a_post_is_one(loop: asyncio.AbstractEventLoop) -> None:
    """From its first byte to the last but one; then it is whole."""
    for end in range(1, len(USUAL)):
        part = USUAL[:end]
        is_head = b"\r\n\r\n" not in part
        assert may_become_post(part) is is_head
        assert judge_framing(part, loop) == ("left" if is_head else "part")
    assert judge_framing(USUAL, loop) == "post"
    assert judge_framing(USUAL + USUAL[:1], loop) == "more"


def test_it_reads_what_real_clients_send(loop: asyncio.AbstractEventLoop) -> None:
    """All the corpus."""
    for seed in seeds():
        lines = [b"%b: %b" % pair for pair in seed.headers]
        assert judge_framing(request(seed.body, *lines), loop) == "post", lines


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2\r\nHOST: y",
        b"Content-Length: 2, 2",
        b"Content-Length: +2",
        b"Content-Length: 0000000002",
        b"Content-Length:2",
        b"Content-Length: 2 ",
        b"Content-Length : 2",
        b"Content-Length:  2",
        b"Content-Length: 2\r\nX:",
        b"Content-Length: 2\r\nX: a\r\n b",
        b"Content-Length: 2\r\nX: a\rb",
        b"Content-Length: 2\nX: a",
        b"Content-Length: 2\r\nX: a\0b",
        b"Content-Length: 2\r\nX_y: a",
        b"Content-Length: 2\r\nConnection: close",
        b"Content-Length: 2\r\nConnection: Upgrade, HTTP2-Settings",
        b"Content-Length: 2\r\nProxy-Connection: close",
        b"Content-Length: 2\r\nUpgrade: h2c",
        b"Content-Length: 2\r\nX: " + b"x" * HEAD_BYTES,
        b"Content-Length: 2\r\n" + b"\r\n".join(b"X-%d: x" % n for n in range(100)),
    ],
)
def test_whatever_may_be_read_in_another_way_is_left_to_the_parser(lines: bytes) -> None:
    """No proxy in front and no parser behind can see another request than this one does, for it sees none."""
    assert frame(HEAD + lines + b"\r\n\r\n{}") is None


def test_a_request_without_a_host_is_left_to_the_parser() -> None:
    """Which refuses it."""
    assert frame(b"POST /api/event HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}") is None


@pytest.mark.parametrize(
    "segment",
    [
        HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        HEAD + b"Content-Length: %d\r\n\r\n" % (SHORT_BYTES + 1),
        HEAD.replace(b"event ", b"event?a=b ") + b"Content-Length: 2\r\n\r\n{}",
        b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS /api/event HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["waits for a 100", "long", "query", "GET", "OPTIONS"],
)
def test_of_others_the_end_is_known(segment: bytes, loop: asyncio.AbstractEventLoop) -> None:
    """They are no posts for the short way, but what follows them may be one."""
    framed = frame(segment)
    assert framed is not None
    assert framed.path is None
    assert rest_of(framed, segment) is not None
    assert judge_framing(segment, loop) == "other"


def test_to_make_a_head_longer_and_longer_has_an_end() -> None:
    """So that nobody's bytes are looked through again and again."""
    assert may_become_post(HEAD + b"X: " + b"x" * 1_000)
    assert not may_become_post(HEAD + b"X: " + b"x" * HEAD_BYTES)
    assert not may_become_post(b"GET /")
