"""What the tests of known clients share: a running relay with its sandbox, a site's static server, a Chromium."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from clients.chromium import Browser
from clients.pages import Pages
from tests.system.rig import Relay


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    """`relay up`, open to everybody as at its first start; a visitor's events are found by the User-Agent."""
    async with Relay(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A site's static server."""
    with Pages(tmp_path_factory.mktemp("pages")) as pages:
        yield pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium for all tests; each visit is a visitor of its own."""
    with Browser() as browser:
        yield browser
