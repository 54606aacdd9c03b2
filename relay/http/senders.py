"""From a request to the source that posts it, or to a refusal that says what would be right.

Each door knows all sources and looks for changes once a second. While Redis is away those last known stay in force;
a door that never read them takes nothing: it opens for nobody by accident.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.http.refusal_log import RefusalLog
from relay.queue.connection import AWAY, describe
from relay.queue.sources import Found, load
from relay.queue.waiting import UnavailableError
from relay.rules.source import Denied, Source, Sources, browsers_of, key_in
from relay.rules.visitor import RawHeaders

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
FRESH_S: Final = 0.25  # a burst of requests to a door that knows no sources yet is one try to read them
READ_WITHIN_S: Final = 0.8  # a sender is told 503 within a second (docs/promises.md)


@dataclass(slots=True)
class Senders:
    """The sources as this door knows them. `anybody` posts while there is none; `refused` counts by reason."""

    redis: Redis
    anybody: Source
    refused: Counter[str]
    _found: Found | None = None
    _sources: Sources | None = None
    _trouble: str = ""
    _tried_s: float = -1e9
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _log: RefusalLog = field(default_factory=RefusalLog)

    async def of(self, request: web.Request, *, keyless: bool = True) -> Source | Denied:
        """Who posts this. With `keyless` false browsers need a key, too: for endpoints that are not for them.

        Without sources Authorization is not looked at: go-plausible sends one always. Raises UnavailableError.
        """
        if self._found is None:
            await self.refresh(FRESH_S)
        known = self.known(request.raw_headers, keyless=keyless)
        if known is None:
            raise UnavailableError(f"who may post is not known yet: {self._trouble}")
        return known

    def known(self, headers: RawHeaders, *, keyless: bool = True) -> Source | Denied | None:
        """Who posts a request with these headers, as `of`; None if this door never read who may."""
        if self._found is None:
            return None
        if self._sources is None:
            return self.anybody
        return self._sources.identify(key_in(headers), time.time_ns() // 1_000_000, keyless=keyless)

    def named_sites(self) -> frozenset[str]:
        """The sites that the operator named, for whoever may post now; `*` names none."""
        if self._found is None or self._found.is_open:
            return self.anybody.sites.names
        return frozenset[str]().union(*(kept.source.sites.names for kept in self._found.kept))

    def note(self, denied: Denied) -> None:
        """Count it and log it."""
        self.refused[denied.reason] += 1
        self._log.say(denied, time.monotonic())

    def refuse(self, denied: Denied) -> web.Response:
        """Count it, log it, answer it."""
        self.note(denied)
        answer = web.Response(
            status=denied.status, body=orjson.dumps({"errors": denied.errors}), content_type="application/json"
        )
        if denied.retry_after_s is not None:
            answer.headers["Retry-After"] = str(denied.retry_after_s)
        if denied.status == web.HTTPUnauthorized.status_code:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="relay"'  # RFC 9110 15.5.2
        return answer

    async def run(self) -> None:
        """Follow the changes until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.refresh()
            self._log.sum_up(time.monotonic())

    async def refresh(self, fresh_s: float = 0.0) -> None:
        """Read the sources, unless the last try is younger than `fresh_s`. What fails leaves those in force."""
        async with self._reading:
            if time.monotonic() - self._tried_s < fresh_s:
                return
            try:
                async with asyncio.timeout(READ_WITHIN_S):
                    found = await load(self.redis)
            except (*AWAY, RedisError) as error:
                self._now_in_trouble(describe(error))
            else:
                self._take(found)
            self._tried_s = time.monotonic()

    def _take(self, found: Found) -> None:
        known = self._found
        if known is not None and not known.is_open and found.is_open and found.changes == 0:
            self._now_in_trouble("they are gone, and nobody removed them")
            return
        self._trouble = ""
        if found == known:
            return
        for name in found.damaged:
            log.error("what is kept of a source can't be read, nobody can post as it", extra={"source": name})
        if known is not None or not found.is_open:
            log.info("the sources have changed", extra={"sources": len(found.kept), "open": found.is_open})
        browsers = browsers_of((kept.source for kept in found.kept), self.anybody.address_rate)
        self._found = found
        self._sources = None if found.is_open else Sources(found.by_key, browsers)

    def _now_in_trouble(self, trouble: str) -> None:
        if self._trouble != trouble:
            force = "those last known stay in force" if self._found is not None else "nobody can post"
            log.error("the sources can't be read, %s: %s", force, trouble)
        self._trouble = trouble
