"""Connections of the client: used again, given up in time, never believed beyond their answer; and TLS."""

import asyncio
import os
import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest

from relay.rules.judge import NoAnswer, Trouble
from tests.queue.samples import until
from tests.workers.wire import DELIVERED, EVENT, OK, Answer, Peer, answering, client_to, post, serving
from workers import connection as connection_module
from workers.client import Client


async def test_a_connection_is_used_again() -> None:
    """One event after the other goes over one connection."""
    async with client_to(answering) as (client, wire):
        assert [await post(client, EVENT) for _ in range(5)] == [DELIVERED] * 5
        assert (wire.connections, len(wire.requests)) == (1, 5)


async def test_each_event_side_by_side_has_its_own_connection() -> None:
    """Events side by side never share a connection at the same time."""
    async with client_to(answering) as (client, wire):
        assert await asyncio.gather(*(post(client, EVENT) for _ in range(8))) == [DELIVERED] * 8
        assert 1 <= wire.connections <= 8
        await asyncio.gather(*(post(client, EVENT) for _ in range(8)))
        assert wire.connections <= 8


CLOSING = {
    "says that it closes": b"HTTP/1.1 202 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "closes without a word": OK,
    "HTTP/1.0": b"HTTP/1.0 202 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0, until it closes": b"HTTP/1.0 202 OK\r\n\r\nok",
    "until it closes": b"HTTP/1.1 202 OK\r\n\r\nok",
}


@pytest.mark.parametrize("answer", CLOSING.values(), ids=CLOSING)
async def test_a_server_that_closes_is_met_anew(answer: bytes) -> None:
    """A connection that ends after its answer is not used again, and its answer counts."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer)

    async with client_to(script) as (client, wire):
        kept = client._idle  # noqa: SLF001 - that the end arrived here too shows nowhere else
        for n in range(3):
            assert await post(client, EVENT) == DELIVERED
            await until("the server closed", lambda: wire.open == 0)
            await until("the client knows", lambda: not any(connection.reusable for connection in kept))
            assert wire.connections == n + 1


async def test_idle_connections_are_retired_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept connection is given up before the other side might close it under a request."""
    monkeypatch.setattr(connection_module, "IDLE_S", 0.05)
    async with client_to(answering) as (client, wire):
        await post(client, EVENT)
        await until("the connection is retired", lambda: wire.open == 0)
        assert await post(client, EVENT) == DELIVERED
        assert wire.connections == 2


async def test_what_takes_the_place_of_a_request_that_is_given_up_has_its_own_time() -> None:
    """After a stall all connections are due at once; the next event goes out on one of them, and is waited for."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            if b"unanswered" not in peer.wire.requests[-1]:
                await peer.say(OK)

    async with client_to(script) as (client, _):
        assert await asyncio.gather(*(post(client, EVENT) for _ in range(8))) == [DELIVERED] * 8
        given_up = asyncio.create_task(post(client, EVENT._replace(body=b"unanswered")))
        await until("it is under way", lambda: len(client._idle) == 7)  # noqa: SLF001 - shows nowhere else
        next_one: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        for connection in client._open:  # noqa: SLF001 - as if the process had been stopped meanwhile
            if connection.busy:
                connection._on_answer = lambda _: client.send(EVENT, next_one.set_result)  # noqa: SLF001
            connection.due_s = 0.0
        client._look()  # noqa: SLF001 - the timer's own call
        assert await next_one == DELIVERED
        given_up.cancel()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"Keep-Alive: timeout=1", False),
        (b"Keep-Alive: max=9, TIMEOUT=0", False),
        (b"Keep-Alive: timeout=60", True),
        (b"Keep-Alive: timeout=soon", True),
        (b"Keep-Alive: timeout=99999999999999999999", True),
        (b"Connection: keep-alive", True),
    ],
)
async def test_keep_alive_is_obeyed(line: bytes, *, kept: bool) -> None:
    """A server that keeps a connection for a second gets no second request on it."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.say(b"HTTP/1.1 202 OK\r\nContent-Length: 2\r\n" + line + b"\r\n\r\nok")

    async with client_to(script) as (client, wire):
        for _ in range(3):
            assert await post(client, EVENT) == DELIVERED
            await until("it is retired", lambda: kept or wire.open == 0)
        assert wire.connections == (1 if kept else 3)


UNASKED = b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "parts", [(OK, UNASKED), (OK + UNASKED,), (OK + UNASKED[:9],)], ids=["apart", "together", "half"]
)
async def test_an_answer_nobody_asked_for_ends_the_connection(parts: tuple[bytes, ...]) -> None:
    """What comes behind an answer is no answer to the next event."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(*parts)
        if wire.connections == 1:
            await peer.hung_up()

    async with client_to(script) as (client, wire):
        assert await post(client, EVENT) == DELIVERED
        await until("the client hung up", lambda: wire.open == 0, within_s=connection_module.IDLE_S / 2)
        assert await post(client, EVENT) == DELIVERED
        assert wire.connections == 2


async def test_reaching_sends_no_request() -> None:
    """A look whether the upstream is there connects and hangs up."""
    async with client_to(answering) as (client, wire):
        assert await client.reach() is None
        await until("it hung up", lambda: wire.connections == 1 and wire.open == 0)
        assert wire.requests == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a self-signed certificate for 127.0.0.1 and its key."""
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(
        [openssl, *words.split(), "subjectAltName=IP:127.0.0.1", *files],
        check=True,
        capture_output=True,
        env=os.environ,
    )
    return folder


def server_tls(certificate: Path) -> ssl.SSLContext:
    """A server's side of TLS with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    """A self-signed certificate is UNREACHABLE, with words that tell an operator why; no event is sent."""
    async with serving(answering, tls=server_tls(certificate)) as wire:
        client = Client(wire.url, 5.0, 5.0)
        answer = await post(client, EVENT)
    assert answer == NoAnswer(Trouble.UNREACHABLE, "TLS: self-signed certificate")
    assert wire.requests == []


async def test_a_trusted_certificate_is_taken(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a certificate that the system trusts events go over TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate.pem"))
    async with serving(answering, tls=server_tls(certificate)) as wire:
        client = Client(wire.url, 5.0, 5.0)
        assert [await post(client, EVENT) for _ in range(2)] == [DELIVERED] * 2
        assert wire.connections == 1
        client.close()
        await until("it hung up", lambda: wire.open == 0)


async def test_plain_http_in_tls_s_place_is_unreachable() -> None:
    """A server that speaks no TLS where https is named is UNREACHABLE; nothing was sent."""

    async def script(peer: Peer) -> None:
        await peer.reader.read(100)
        await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(script) as wire:
        answer = await post(Client(wire.url.replace("http:", "https:"), 5.0, 5.0), EVENT)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.UNREACHABLE


async def test_a_server_that_never_finishes_tls_is_unreachable() -> None:
    """A handshake that hangs ends with the connection's own time limit."""

    async def script(peer: Peer) -> None:
        await peer.hung_up()

    async with serving(script) as wire:
        answer = await post(Client(wire.url.replace("http:", "https:"), 0.1, 5.0), EVENT)
    assert answer == NoAnswer(Trouble.UNREACHABLE, "no connection in 0.1 s")
