"""What tests of several parts share: a real Redis or Valkey. Everything else stands beside the tests that need it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from relay.queue.connection import connect
from tests.server import TestServer

LONGEST: Final = ("system", "up", "http", "cli", "docs", "workers")
"""Folders whose files take long, the longest first."""


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: most of a long test's time is waiting for what it has started."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where cores share the files, begin with the long ones, so that none is left to one core at the end.

    Needs `--no-loadscope-reorder`: pytest-xdist itself begins with the files of many tests, and those are quick.
    """
    if hasattr(config, "workerinput"):
        ranks = {name: rank for rank, name in enumerate(LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path.parent.name, len(LONGEST)))


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """One server for all tests that do it no harm; use `redis_url`, which empties it first."""
    server = TestServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.close()


@pytest.fixture
def redis_url(shared_server: TestServer) -> str:
    """Give the address of an empty server."""
    shared_server.empty()
    return shared_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Give a client, built as the relay builds it, of an empty server."""
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[TestServer]:
    """Give a running server that the test may stop, kill, freeze and start again."""
    server = TestServer(tmp_path / "redis")
    server.start()
    yield server
    server.close()
