"""`GET /health/live` and `/health/ready`: the process runs; it can keep its promise now, and if not, why not.

Plausible being down is a warning, not a reason to be unready: accepting while it is away is what the relay is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from relay.http.operators import Operators
from relay.http.watch import Watch


@dataclass(frozen=True, slots=True)
class Health:
    """The endpoints, answered from the watch. What is more than yes or no is told to operators only."""

    watch: Watch
    operators: Operators

    async def live(self, _: web.Request) -> web.Response:
        """200 as long as the process answers at all."""
        return web.json_response({"status": "live"})

    async def ready(self, request: web.Request) -> web.Response:
        """200 or 503; for operators with the reasons, the warnings, and the state of queue and upstream."""
        await self.watch.refresh()
        unready = self.watch.unready()
        told: dict[str, Any] = {"status": "unready" if unready else "ready"}
        if self.operators.include(request):
            told |= {
                "reasons": unready,
                "warnings": self.watch.warnings(),
                "durability": self.watch.promise.durability,
                "pending": None if self.watch.trouble else self.watch.pending,
                "workers": 0 if self.watch.seen is None else len(self.watch.seen.workers),
                "upstream": self.watch.upstreams(),
            }
        return web.Response(status=503 if unready else 200, body=orjson.dumps(told), content_type="application/json")
