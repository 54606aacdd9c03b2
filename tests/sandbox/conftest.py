"""A real sandbox on a free port of loopback for each test, and a client that speaks to it.

No mock: what the tests see is what a sender in the network sees.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from relay.sandbox import open_sandbox
from tests.sandbox.sender import Sender


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Awaitable[Sender]]]:
    """Give a function that opens a sandbox with the given options; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_one(**options: Any) -> Sender:
            url = await stack.enter_async_context(open_sandbox(**options))
            return Sender(url, await stack.enter_async_context(aiohttp.ClientSession()))

        yield open_one


@pytest.fixture
async def sender(opened: Callable[..., Awaitable[Sender]]) -> Sender:
    """Give a sender to a sandbox with nothing special about it."""
    return await opened()
