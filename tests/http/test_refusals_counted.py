"""Refusals are counted, by the field that was wrong, and counting them never ends the door.

A real server, the real door; only the clock's second between two looks is waited for.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from relay.config_files import config_file
from relay.http.app import FAILED, WATCH, build_door
from relay.queue import keys
from relay.queue.connection import AWAY, connect
from relay.settings import Settings
from relay.up.server_binary import find_server

PATIENCE_S = 20.0


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a server that lives as long as the test."""
    socket = tmp_path / "s"
    server = await asyncio.create_subprocess_exec(
        find_server().path,
        config_file("valkey.conf"),
        *("--dir", tmp_path, "--unixsocket", socket, "--logfile", tmp_path / "log"),
    )
    url = f"unix://{socket}"
    async with asyncio.timeout(PATIENCE_S), connect(url) as redis:
        while True:
            try:
                await redis.ping()
            except AWAY:
                await asyncio.sleep(0.02)
            else:
                break
    yield url
    server.terminate()
    await server.wait()


async def test_a_refused_event_is_counted_and_the_door_goes_on(redis_url: str) -> None:
    """Two wrong fields of one event count once each, here and for all doors, and the door keeps looking."""
    app = build_door(Settings.model_validate({"redis_url": redis_url, "sites": "*"}))
    async with TestClient(TestServer(app)) as door, connect(redis_url) as redis:
        wrong = {"name": "", "url": "https://example.com/", "revenue": {"amount": 1, "currency": "usd"}}
        for _ in range(2):
            assert (await door.post("/api/event", json=wrong)).status == 400
        assert app[WATCH].refused == {"event_name": 2, "revenue": 2}
        async with asyncio.timeout(PATIENCE_S):
            while await redis.hgetall(keys.REFUSED) != {b"event_name": b"2", b"revenue": b"2"}:  # type: ignore[misc] # redis-py types both worlds
                assert not app[FAILED].done(), "a background part of the door failed"
                await asyncio.sleep(0.02)
