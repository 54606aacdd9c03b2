"""What the tests of the door share: doors that are opened on a real Redis with the settings that a test names."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from redis.asyncio import Redis

from relay.http.app import build_door
from relay.queue.connection import connect
from relay.settings import load_settings
from tests.http.conformity import Answers
from tests.http.door import Door, DoorServer, until_ready
from tests.http.process import Serve
from tests.server import TestServer

OpenDoor = Callable[..., Awaitable[Door]]


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Give what the test's doors answer, all of which has to be as the contract says."""
    seen = Answers()
    yield seen
    assert seen.wrong == []


@pytest.fixture
async def open_door(
    aiohttp_client: AiohttpClient, request: pytest.FixtureRequest, answers: Answers
) -> AsyncIterator[OpenDoor]:
    """Open a door with settings as an operator writes them: every site, and the shared Redis emptied, by default."""
    clients: list[Redis] = []

    async def go(**options: str) -> Door:
        url = options.get("redis_url") or request.getfixturevalue("redis_url")
        settings = load_settings({"sites": "*", "redis_url": url} | options, {})
        clients.append(connect(url))
        app = build_door(settings)
        app.on_response_prepare.append(answers.look)
        client: TestClient[Any, Any] = await aiohttp_client(DoorServer(app))
        return Door(client, clients[-1])

    yield go
    for client in clients:
        await client.aclose()


@pytest.fixture
async def door(open_door: OpenDoor) -> Door:
    """Give a strict door for every site that is ready."""
    opened = await open_door()
    await until_ready(opened)
    return opened


@pytest.fixture(scope="module")
def served(shared_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Give a door as a process of its own for a whole module, none of whose tests may empty the shared Redis."""
    shared_server.empty()
    serve = asyncio.run(Serve.start(tmp_path_factory.mktemp("served") / "serve.log", shared_server.url))
    yield serve
    serve.close()


@pytest.fixture
async def behind_a_proxy(open_door: OpenDoor) -> Door:
    """Give a door that believes its neighbours' X-Forwarded-For, for two sites."""
    door = await open_door(trusted_proxies="127.0.0.1", sites="example.com,example.org")
    await until_ready(door)
    return door
