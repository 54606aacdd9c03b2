"""`GET /js/{name}`: Plausible's script, passed on, for clients that fetch it from the host that they post events to.

It is no open proxy: what can be asked for is a name as Plausible's scripts have them, at one host, and nothing else.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

from aiohttp import web

from relay.http.script_copies import RETRY_S, Copies, Copy
from relay.http.script_fetch import Absent, Failed, fetch, open_session

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.js")
"""script.js, script.hash.outbound-links.js, plausible.js, pa-XXXXX.js; the longest has some 140 characters."""

CONTENT_TYPE: Final = "application/javascript"
PASSED_ON: Final = {  # as Plausible's own: for pages of any origin, and taken for a script alone
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class Result(StrEnum):
    """What became of a request for a script: the labels of its metric."""

    SERVED = "served"
    STALE = "stale"
    ABSENT = "absent"
    UNAVAILABLE = "unavailable"


@dataclass(eq=False)
class Scripts:
    """The endpoint. `upstream` is Plausible's base URL; `results` counts the answers; `clock` as in `Copies`."""

    upstream: str | None
    results: Counter[str]
    clock: Callable[[], float] = time.monotonic
    _copies: Copies | None = field(default=None, init=False)

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Open what it fetches with, and close it; for aiohttp's `cleanup_ctx`. It connects when it is first asked."""
        async with open_session() as session:
            self._copies = Copies(lambda name: fetch(session, f"{self.upstream}/js/{name}"), self.clock)
            yield
            await self._copies.end()

    async def get(self, request: web.Request) -> web.Response:
        """200, 304, 404, or 502 and 503, which say why. The query is not read, nor any header but If-None-Match."""
        name = request.match_info["name"]
        if NAME.fullmatch(name) is None:
            return self._no_such("the names of Plausible's scripts are like script.js, script.hash.js or pa-XXXXX.js")
        if self.upstream is None or self._copies is None:
            return self._unavailable(Failed("is not named: set RELAY_UPSTREAM", answered=False))
        found = await self._copies.find(name)
        match found:
            case Copy():
                return self._passed_on(request, found)
            case Absent():
                return self._no_such("Plausible has none of this name")
            case Failed():
                return self._unavailable(found)
        assert_never(found)

    def _passed_on(self, request: web.Request, copy: Copy) -> web.Response:
        self.results[Result.SERVED if copy.left_s > 0 else Result.STALE] += 1
        left = {"Cache-Control": f"public, max-age={int(copy.left_s)}", "ETag": copy.script.etag}
        if copy.script.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=PASSED_ON | left)
        return web.Response(body=copy.script.content, content_type=CONTENT_TYPE, headers=PASSED_ON | left)

    def _no_such(self, why: str) -> web.Response:
        self.results[Result.ABSENT] += 1
        return _told(404, f"no such script: {why}")

    def _unavailable(self, failed: Failed) -> web.Response:
        self.results[Result.UNAVAILABLE] += 1
        answer = _told(502 if failed.answered else 503, f"no script now: Plausible {failed.why}; events are taken")
        answer.headers["Retry-After"] = f"{RETRY_S:.0f}"
        return answer


def _told(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={"Cache-Control": "no-store"})
