"""Whose event it is: the User-Agent byte for byte, and an address that only trusted proxies can name."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from relay.http.app import build_door
from relay.queue.connection import connect
from relay.settings import load_settings
from tests.http.conftest import OpenDoor
from tests.http.door import Connection, Door, body, kept_in, request


async def ip_of(door: Door, *headers: bytes) -> str:
    """Send an event with the headers; return the address that was kept."""
    assert (await door.converse(request(body(), *headers))).status == 202
    return (await door.kept())[-1].ip


@pytest.mark.parametrize(
    ("headers", "agent"),
    [
        ((), None),
        ((b"User-Agent:",), b""),
        ((b"User-Agent: Mozilla/5.0 (X11)  double  space\t; x ",), b"Mozilla/5.0 (X11)  double  space\t; x"),
        ((b"user-agent: \xff\xfe\x80 K\xc3\xb6ln \xe4",), b"\xff\xfe\x80 K\xc3\xb6ln \xe4"),
        ((b"User-Agent: " + b"a" * 8_000,), b"a" * 8_000),
    ],
    ids=repr,
)
async def test_the_user_agent_is_kept_byte_for_byte(
    door: Door, headers: tuple[bytes, ...], agent: bytes | None
) -> None:
    """Another byte would make another visitor; none is not the same as an empty one."""
    assert (await door.converse(request(body(), *headers))).status == 202
    assert [event.user_agent for event in await door.kept()] == [agent]


@pytest.mark.parametrize(
    "header",
    [
        b"X-Forwarded-For: 198.51.100.23",
        b"X-Plausible-IP: 198.51.100.23",
        b"CF-Connecting-IP: 198.51.100.23",
        b"B-Forwarded-For: 198.51.100.23",
        b"Forwarded: for=198.51.100.23",
        b"X-Real-IP: 198.51.100.23",
    ],
)
async def test_nobody_can_forge_an_address(open_door: OpenDoor, header: bytes) -> None:
    """What an untrusted peer says of itself is not believed, whichever header it uses."""
    for trusted in ({}, {"trusted_proxies": "10.0.0.0/8,192.0.2.1"}):
        assert await ip_of(await open_door(**trusted), header) == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "ip"),
    [
        ([b"X-Forwarded-For: 198.51.100.23"], "198.51.100.23"),
        ([b"X-Forwarded-For: 6.6.6.6, 198.51.100.23, 10.0.0.7"], "198.51.100.23"),
        (
            [b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-For: 198.51.100.23", b"x-forwarded-for: 10.1.1.1"],
            "198.51.100.23",
        ),
        ([b"X-Forwarded-For: 10.0.0.9", b"X-Forwarded-For: 10.1.1.1"], "10.0.0.9"),
        ([b"X-Forwarded-For: 198.51.100.23:4711"], "198.51.100.23"),
        ([b"X-Forwarded-For: [2001:DB8::17]:4711"], "2001:db8::17"),
        ([b"X-Forwarded-For: fe80::1%eth0"], "fe80::1"),
        ([b"X-Forwarded-For: unknown"], "127.0.0.1"),
        ([b"X-Forwarded-For:"], "127.0.0.1"),
        ([b'X-Forwarded-For: \xff\xfe, ",;["'], "127.0.0.1"),
        ([b'Forwarded: for="[2001:db8::17]:80";proto=https, for=10.0.0.7'], "2001:db8::17"),
        ([b'Forwarded: for="[', b"Forwarded: ;;==,,"], "127.0.0.1"),
        ([b"CF-Connecting-IP: 198.51.100.23", b"X-Forwarded-For: 203.0.113.1"], "198.51.100.23"),
        ([b"CF-Connecting-IP: \x80", b"X-Forwarded-For: 203.0.113.1"], "203.0.113.1"),
    ],
    ids=repr,
)
async def test_a_trusted_proxy_names_the_visitor(open_door: OpenDoor, headers: list[bytes], ip: str) -> None:
    """Trusted hops are skipped from the right; garbage leaves the last address that is sure, never a 500."""
    door = await open_door(trusted_proxies="127.0.0.1,10.0.0.0/8")
    assert await ip_of(door, *headers) == ip


@pytest.mark.parametrize(("trusted", "ip"), [("", "127.0.0.1"), ("127.0.0.1", "198.51.100.23")])
async def test_a_peer_without_an_address(redis_url: str, tmp_path: Path, trusted: str, ip: str) -> None:
    """A proxy on a unix socket counts as 127.0.0.1, and is trusted if that is."""
    options = {"sites": "*", "redis_url": redis_url} | ({"trusted_proxies": trusted} if trusted else {})
    runner = web.AppRunner(build_door(load_settings(options, {})))
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "door")).start()
    async with Connection(*await asyncio.open_unix_connection(tmp_path / "door")) as socket:
        assert (await socket.ask(request(body(), b"X-Forwarded-For: 198.51.100.23"))).status == 202
    await runner.cleanup()
    async with connect(redis_url) as redis:
        assert [event.ip for event in await kept_in(redis)] == [ip]


async def test_a_peer_with_ipv6(redis_url: str) -> None:
    """A visitor over IPv6 is kept in the canonical form."""
    runner = web.AppRunner(build_door(load_settings({"sites": "*", "redis_url": redis_url}, {})))
    await runner.setup()
    try:
        await web.TCPSite(runner, "::1", 0).start()
    except OSError:
        await runner.cleanup()
        pytest.skip("this machine has no IPv6")
    async with Connection(*await asyncio.open_connection("::1", runner.addresses[0][1])) as socket:
        assert (await socket.ask(request(body()))).status == 202
    await runner.cleanup()
    async with connect(redis_url) as redis:
        assert [event.ip for event in await kept_in(redis)] == ["::1"]
