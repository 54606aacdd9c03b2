"""What the tests of known clients share: a running relay with its sandbox, a site's static server, a Chromium."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from clients.chromium import Browser
from clients.pages import Pages
from tests.system.rig import Relay


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """`relay up`, open to everybody as at its first start."""
    async with Relay(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """A site's static server; by its origin the test's events are found."""
    with Pages(tmp_path) as pages:
        yield pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium for all tests; each visit is a visitor of its own."""
    with Browser() as browser:
        yield browser
