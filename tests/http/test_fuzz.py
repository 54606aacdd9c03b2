"""Anything at all through the real door: every answer is below 500, and a 202 is given for exactly what is kept."""

import asyncio
import random
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from relay.queue.connection import connect
from relay.queue.ledger import look
from relay.rules.event import Validation
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, chunks, connection, request, until_ready
from tests.http.mutations import Mutator, judge
from tests.http.process import Serve

KEYS = [*"nudmprhieov$", "name", "url", "domain", "props", "revenue", "hashMode", "sd", "amount", "currency"]
DAMAGE = [b"", b"\0", b"\r\n", b"\n", b" ", b":", b"9", b"\xff"]
TEXTS = ["", "engagement", "a.com,b.com", "www.a.com", "http://a.com/", "data:", "1,299.00", "EUR", "{}", "9" * 400]
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.sampled_from(TEXTS)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
LEGAL: dict[str, Any] = {"n": "x", "u": "http://a.com/"}
BODIES = st.binary(max_size=60) | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8).flatmap(
    lambda fields: st.sampled_from([orjson.dumps(fields), orjson.dumps(LEGAL | fields)])
)
NAMES = st.sampled_from(
    b"User-Agent X-Forwarded-For Forwarded CF-Connecting-IP X-Plausible-IP Content-Type Content-Encoding Accept "
    b"X-Debug-Request Origin Cookie Authorization Referer Accept-Encoding Range If-Match Upgrade Via Date".split()
)
LINE = st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n")
TOKENS = st.sampled_from(
    [b"true", b"gzip", b"br", b"application/json", b";charset=x", b'for="[', b"::1%lo", b"1.2.3.4, x", b"bytes=0-1"]
)
HEADERS = st.lists(st.tuples(NAMES, TOKENS | st.text(LINE, max_size=30).map(lambda text: text.encode("latin-1"))))


@pytest.fixture(params=Validation)
async def fuzzed(request: pytest.FixtureRequest, open_door: OpenDoor) -> Door:
    """Give a door that believes every header."""
    door = await open_door(validation=request.param.value, trusted_proxies="127.0.0.1")
    await until_ready(door)
    return door


@settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(BODIES, HEADERS, st.booleans())
@example(b"[" * 900_000, [], False)  # noqa: FBT003 - the order of `given`
@example(b'{"n":' + b"9" * 900_000, [], False)  # noqa: FBT003 - the same
@example(b'{"n":1e999,"u":"http://a.com/","d":"\\ud83d"}', [], False)  # noqa: FBT003 - the same
@example(b'{"n":"x","u":"http://a.com/","d":"' + b"," * 900_000 + b'"}', [], True)  # noqa: FBT003 - the same
async def test_any_request_is_answered(
    fuzzed: Door,
    content: bytes,
    headers: list[tuple[bytes, bytes]],
    chunked: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whatever body and headers a sender thinks of, the door answers, and never with its own failure."""
    lines = [name + b": " + value for name, value in headers]
    if chunked:
        content = chunks(*(content[i : i + 50_000] for i in range(0, len(content), 50_000)))
        lines.append(b"Transfer-Encoding: chunked")
    before = await look(fuzzed.redis, 8)
    answer = await fuzzed.converse(request(content, *lines))
    assert answer.status < 500, answer
    after = await look(fuzzed.redis, 8)
    assert (after.ledger["accepted"] > before.ledger["accepted"]) is (answer.status == 202)


def damaged(dice: random.Random) -> bytes:
    """Return a request with some bytes changed, taken out or doubled."""
    headers = (b"User-Agent: x", b"X-Forwarded-For: 1.2.3.4", b"Content-Type: text/plain", b"Expect: 100-continue")
    sent = bytearray(request(body(), *dice.sample(headers, 2)))
    if dice.random() < 0.5:
        sent = bytearray(request(chunks(body()[:20], body()[20:]), b"Transfer-Encoding: chunked"))
    for _ in range(dice.randint(1, 4)):
        at, size = dice.randrange(len(sent)), dice.choice([0, 1, 1, 3])
        sent[at : at + size] = dice.choice(
            [b"", b"\0", b"\r\n", b"\n", b" ", b":", b"9", b"\xff", bytes(sent[at : at + 9])]
        )
    return bytes(sent)


async def test_damaged_requests_harm_nobody(fuzzed: Door) -> None:
    """Hundreds of requests that a network mangled: no answer is a failure, and the door goes on."""
    dice = random.Random(7)

    async def send(content: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", fuzzed.port)
        writer.write(content)
        heard = b""
        try:
            async with asyncio.timeout(0.3):  # many wait for a rest that does not come
                while piece := await reader.read(4_096):
                    heard += piece
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        return heard

    for _ in range(3):
        sent = [damaged(dice) for _ in range(100)]
        heard = await asyncio.gather(*map(send, sent))
        failed = [pair for pair in zip(sent, heard, strict=True) if re.search(rb"HTTP/1\.[01] 5", pair[1])]
        assert failed == []
    assert (await fuzzed.post(b"last" + body())).status == 400
    assert (await fuzzed.post()).status == 202


def test_fourteen_thousand_mutants_break_no_rule() -> None:
    """The corpus, mutated, goes through all rules in both modes: none raises, and their laws hold."""
    mutator = Mutator(seed=4)
    statuses = {judge(mutator.body(), mutator.headers()) for _ in range(14_000)}
    assert statuses == {202, 400}


async def test_six_thousand_mutants_in_pipelines(tmp_path: Path, redis_url: str) -> None:
    """Each of a hundred requests on one connection gets its own answer, below 500, and a 202 only if it is kept."""
    serve = await Serve.start(tmp_path / "serve.log", redis_url, "--trusted-proxies", "127.0.0.1")
    try:
        told = []
        for first in range(0, 60, 15):  # all at once would make a busy machine's queue late, and a 503 right
            told += await asyncio.gather(*(pipelined(serve.port, first + n) for n in range(15)))
        statuses = [status for answers in told for status in answers]
        assert len(statuses) == 6_000
        assert set(statuses) <= {200, 202, 400}, statuses
        errors = [line for line in serve.said().splitlines() if '"level": "error"' in line]
        assert [line for line in errors if "no answer in time" not in line] == []  # a busy machine's queue is late
    finally:
        serve.close()
    redis = connect(redis_url)
    kept = (await look(redis, 8)).ledger["accepted"]
    await redis.aclose()
    assert kept >= statuses.count(202) > 1_000  # some are for two sites


async def pipelined(port: int, seed: int) -> list[int]:
    """Send a hundred mutants in one piece; the statuses of their answers, in their order."""
    mutator = Mutator(seed)
    async with await connection(port) as socket:
        sent = [mutator.request() for _ in range(100)]
        sending = asyncio.create_task(socket.send(b"".join(sent)))
        statuses = [(await socket.answer()).status for _ in sent]
        await sending
    return statuses
