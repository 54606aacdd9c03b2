"""A real HTTP server in the place of the Plausible that serves scripts: it answers as told, and writes down who asked.

Its base URL has a path, as that of a Plausible behind a proxy may have.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

SCRIPT = b"/* a script */ plausible = 1"
AS_PLAUSIBLE = {
    "Content-Type": "application/javascript",
    "Cache-Control": "public, max-age=86400, must-revalidate",
    "Set-Cookie": "visitor=1; Path=/",
}


@dataclass
class Upstream:
    """What it answers next, and what it was asked. While `open` is not set it answers nobody."""

    url: str = ""
    status: int = 200
    body: bytes = SCRIPT
    headers: dict[str, str] = field(default_factory=lambda: dict(AS_PLAUSIBLE))
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.raw_path, dict(request.headers)))
        await self.open.wait()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@asynccontextmanager
async def serving() -> AsyncIterator[Upstream]:
    """Serve on a free port of loopback, at a base URL with a path; it is open."""
    upstream = Upstream()
    upstream.open.set()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", upstream._answer)  # noqa: SLF001 - its own server
    server = TestServer(app)
    await server.start_server()
    upstream.url = str(server.make_url("/stats"))
    try:
        yield upstream
    finally:
        upstream.open.set()
        await server.close()
