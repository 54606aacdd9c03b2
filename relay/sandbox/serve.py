"""Starting and stopping the sandbox as a real server.

`open_sandbox` is for tests and for whoever has a loop already; `serve_sandbox` is the process of `relay sandbox`.
"""

import asyncio
import ipaddress
import logging
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from relay.sandbox.app import build_sandbox
from relay.sandbox.state import KEEP_EVENTS

_log: Final = logging.getLogger(__name__)

_KEEPALIVE_S: Final = 60.0
_STOP_WITHIN_S: Final = 1.0


@asynccontextmanager
async def open_sandbox(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    keep: int = KEEP_EVENTS,
    sites: Iterable[str] | None = None,
    key: str | None = None,
) -> AsyncIterator[str]:
    """Serve a sandbox while the context lasts and give its base URL; port 0 takes a free one. OSError if it cannot."""
    runner = web.AppRunner(
        build_sandbox(keep=keep, sites=sites, key=key),
        access_log=None,
        auto_decompress=False,  # a body is recorded as it came
        keepalive_timeout=_KEEPALIVE_S,
        shutdown_timeout=_STOP_WITHIN_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound_port = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"
    finally:
        await runner.cleanup()


async def serve_sandbox(host: str, port: int, *, key: str | None = None) -> None:
    """Serve a sandbox until SIGTERM or SIGINT. `key` opens its pages to other machines."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_sandbox(host, port, key=key) as url:
        _log.info("sandbox in Plausible's place: %s (its page shows what arrives)", url)
        if key is None and not _is_loopback(host):
            _log.warning("the page answers this machine only: RELAY_ADMIN_KEY opens it to others")
        await stop.wait()
    _log.info("sandbox stopped")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
