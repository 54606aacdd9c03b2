"""What serves the door's application: aiohttp's runner, with the door's own kind of connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import Any, cast

from aiohttp import web

from relay.http.brought import Brought
from relay.http.connections import KEPT_S, LINGER_S
from relay.http.short_way import ShortWayConnection


class DoorRunner(web.AppRunner):
    """Runs the application. `refused` counts what is no request, `brought` keeps usual posts.

    Compressed bodies are not inflated: Plausible doesn't either, and a bomb stays as small as it came.
    """

    def __init__(self, app: web.Application, refused: Counter[str], brought: Brought, **options: Any) -> None:
        super().__init__(app, access_log=None, **options)
        self._refused = refused
        self._brought = brought

    @property
    def server(self) -> web.Server | None:
        """What a site calls for each new connection."""
        server = super().server
        if server is None:
            return None
        new_connection = partial(
            ShortWayConnection,
            server,
            brought=self._brought,
            refused=self._refused,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEPT_S,
            lingering_time=LINGER_S,
        )
        return cast("web.Server", new_connection)  # of a server, sites use this alone
