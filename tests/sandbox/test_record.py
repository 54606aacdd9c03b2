"""What the sandbox says it received is what was sent: bytes, order and case; kept within bounds and easy to ask for."""

import asyncio
import base64
import gzip
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from relay.sandbox import record
from tests.sandbox.sender import PAGEVIEW, PHONE, Sender


async def test_event_as_read(sender: Sender) -> None:
    """An entry shows the event as Plausible would keep it."""
    body = (
        '{"name":"Purchase","domain":"www.example.com","url":"https://example.com/x?a=1","props":{"plan":"trial","n":5},'
        '"revenue":{"amount":19.9,"currency":"EUR"},"interactive":false}'
    )
    await sender.post(body, Content_Type="application/json", X_Forwarded_For="203.0.113.9")

    (entry,) = await sender.events()
    headers = entry.pop("headers")
    assert ["X-Forwarded-For", "203.0.113.9"] in headers
    assert entry.pop("at").endswith("Z")
    assert entry == {
        "seq": 1,
        "request": 1,
        "name": "Purchase",
        "sites": ["example.com"],
        "url": "https://example.com/x?a=1",
        "props": {"plan": "trial", "n": "5"},
        "revenue": {"amount": "19.9", "currency": "EUR"},
        "interactive": False,
        "user_agent": PHONE,
        "ip": "203.0.113.9",
        "content_type": "application/json",
        "body": body,
        "outcome": "recorded",
        "cause": None,
        "status": 202,
    }


async def test_headers_byte_for_byte(sender: Sender) -> None:
    """Headers keep their order, case, doubles and bytes; as Latin-1 they are the wire's own."""
    host, port = sender.url.removeprefix("http://").split(":")
    lines = [b"hOST: x", b"X-b: 2", b"x-A: 1", b"X-b: 3", b"User-Agent: Caf\xc3\xa9/\xe9", b"Content-Length: 2"]
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /api/event HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n{}")
    await reader.readuntil(b"\r\n")
    writer.close()

    (entry,) = await sender.events()
    assert [f"{name}: {value}".encode("latin-1") for name, value in entry["headers"]] == lines
    assert entry["user_agent"] == "Café/\\xe9"


@pytest.mark.parametrize("body", [b'{"n":"\xff"}', b"\x00\x80", b"\xed\xa0\x80"])
async def test_body_that_is_no_text(sender: Sender, body: bytes) -> None:
    """A body that is not UTF-8 is shown with its odd bytes escaped, and whole as base64."""
    await sender.post(body)

    (entry,) = await sender.events()
    assert base64.b64decode(entry["body_base64"]) == body
    assert "\\x" in entry["body"]


@pytest.mark.parametrize("body", [PAGEVIEW, ' \n{"n" : "\\u00e9é\u202e",\t"u":"/x","d":"x"}\r\n', "\ufeff{}", "{"])
async def test_text_byte_for_byte(sender: Sender, body: str) -> None:
    """A body that is UTF-8 is shown as it came, with its spaces, escapes and marks, and without base64."""
    await sender.post(body)

    (entry,) = await sender.events()
    assert entry["body"] == body
    assert "body_base64" not in entry


async def test_compressed_body_is_not_unpacked(sender: Sender) -> None:
    """A compressed body is no JSON to Plausible, and is recorded as it came."""
    packed = gzip.compress(PAGEVIEW.encode())

    assert (await sender.post(packed, Content_Encoding="gzip"))[0] == 400
    (entry,) = await sender.events()
    assert base64.b64decode(entry["body_base64"]) == packed


async def test_sender_that_leaves(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    """A request that breaks off within its body is refused as unreadable, answered to nobody, and no error of ours."""
    host, port = sender.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    await writer.drain()
    writer.close()

    async with asyncio.timeout(5):
        while not (events := await sender.events()):
            continue
    assert [(e["outcome"], e["cause"], e["status"]) for e in events] == [("refused", "unreadable", None)]
    assert caplog.records == []


async def test_keep(opened: Callable[..., Awaitable[Sender]]) -> None:
    """Only the newest are kept in detail; the counters go on."""
    sender = await opened(keep=3)
    for _ in range(5):
        await sender.post()

    state = await sender.call("GET", "/events")
    assert [entry["seq"] for entry in state["events"]] == [3, 4, 5]
    assert (state["total"], state["recorded"]) == (5, 5)


async def test_kept_bytes_are_bounded(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large bodies make room sooner than the number of entries asks for."""
    monkeypatch.setattr(record, "KEEP_BYTES", 2 * len(PAGEVIEW))
    for _ in range(3):
        await sender.post()

    assert [entry["seq"] for entry in await sender.events()] == [2, 3]


async def test_asking(sender: Sender) -> None:
    """`since`, `limit`, `name` and `outcome` choose entries; of those the newest `limit`, newest last."""
    for name in ("a", "b", "a", "a"):
        await sender.post(PAGEVIEW.replace("pageview", name))
    await sender.post("{}")

    async def asked(**query: str | int) -> list[int]:
        return [entry["seq"] for entry in await sender.events(**query)]

    assert await asked() == [1, 2, 3, 4, 5]
    assert await asked(since=3) == [4, 5]
    assert await asked(limit=2) == [4, 5]
    assert await asked(name="a", limit=2) == [3, 4]
    assert await asked(name="a", since=1) == [3, 4]
    assert await asked(outcome="refused") == [5]


@pytest.mark.parametrize("query", ["since=x", "limit=-1", "outcome=lost", "nmae=a"])
async def test_bad_question(sender: Sender, query: str) -> None:
    """A question that is not understood is refused by name, instead of being answered with everything."""
    async with sender.session.get(f"{sender.url}/events?{query}") as answer:
        assert answer.status == 400
        assert list((await answer.json())["errors"]) == [query.partition("=")[0]]


async def test_clearing(sender: Sender) -> None:
    """DELETE /events forgets entries, counters and sessions; numbers go on, and `run` tells who polls."""
    await sender.post()
    before = await sender.call("GET", "/events")
    cleared = await sender.call("DELETE", "/events")
    await sender.post('{"n":"engagement","u":"https://example.com/a","d":"example.com","sd":1}')
    after = await sender.call("GET", "/events")

    assert (cleared["total"], cleared["requests"], cleared["events"]) == (0, 0, [])
    assert before["run"] != cleared["run"] == after["run"]
    assert [(entry["seq"], entry["cause"]) for entry in after["events"]] == [(2, "no_session_for_engagement")]


async def test_other_origins_are_shut_out(sender: Sender) -> None:
    """The sandbox's own endpoints carry no CORS header: a stranger's page cannot read or change what is here."""
    for path in ("/events", "/faults", "/"):
        async with sender.session.get(f"{sender.url}{path}", headers={"Origin": "https://evil.example"}) as answer:
            assert "access-control-allow-origin" not in answer.headers
        async with sender.session.options(f"{sender.url}{path}") as answer:
            assert answer.status == 405


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_process_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    """`serve_sandbox` says where it listens, and ends cleanly on SIGTERM and SIGINT."""
    program = (
        "import asyncio, logging\nfrom relay.sandbox import serve_sandbox\n"
        "logging.basicConfig(level='INFO')\nasyncio.run(serve_sandbox('127.0.0.1', 0))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE, cwd=Path.cwd(), env=dict(os.environ)
    )
    assert process.stderr is not None
    first = await asyncio.wait_for(process.stderr.readline(), 20)
    process.send_signal(number)

    assert b"http://127.0.0.1:" in first
    assert await asyncio.wait_for(process.wait(), 10) == 0
