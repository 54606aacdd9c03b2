"""The sandbox's application: its routes, and the way of one event through it.

The way: read as Plausible reads, choose a fault, write the outcome into the book, then answer (or break). The outcome
is written before a slow answer starts, because Plausible too has counted an event whose answer nobody waited for.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from relay.rules.document import MAX_BODY_BYTES
from relay.rules.event import Event, Refused
from relay.sandbox import answers, control, script
from relay.sandbox.faults import Facts, Rule
from relay.sandbox.ingest import Bare, Drop, accepts_json, address_of, admit, header, read_event
from relay.sandbox.record import Arrival, Outcome
from relay.sandbox.state import KEEP_EVENTS, SANDBOX, Sandbox

_UNREAD: Final = Bare(400)
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_LOOK_FOR_END_S: Final = 0.1


def build_sandbox(
    *,
    keep: int = KEEP_EVENTS,
    sites: Iterable[str] | None = None,
    clock: Callable[[], float] = time.time,
    key: str | None = None,
) -> web.Application:
    """Return the application. `keep`: events kept in detail; `sites`: those that exist (None: all); `clock`: Unix s.

    `key` opens its own pages to other machines. Serve it with `auto_decompress=False` (as `serve.py` does), or a
    compressed body is not recorded as it came.
    """
    app = web.Application()
    app[SANDBOX] = Sandbox.of(keep=keep, sites=sites, clock=clock, key=key)
    app.on_shutdown.append(_let_go)
    app.router.add_post("/api/event", post_event)
    app.router.add_options("/api/event", _preflight)
    app.router.add_route("*", "/api/event", _no_such_route)
    app.router.add_get("/api/health", _health)
    app.router.add_get("/js/{name}", script.get)
    control.add_routes(app)
    return app


async def post_event(request: web.Request) -> web.Response:
    """Take one event as Plausible would, or fail as told."""
    sandbox = request.app[SANDBOX]
    arrival = _arrival_of(request, sandbox)
    call = _Call(sandbox, arrival, request)
    if not sandbox.faults.cuts_unread(call.facts()):
        await call.read()
    call.rule = sandbox.faults.pick(call.facts())
    answer = call.settle()
    if call.rule is not None:
        await _make_trouble(request, call.rule, sandbox.closing)
    return answer


@dataclass(slots=True)
class _Call:
    """One request on its way: what is known of it so far."""

    sandbox: Sandbox
    arrival: Arrival
    request: web.Request
    body: bytes = b""
    reading: Event | Refused | Bare = _UNREAD
    rule: Rule | None = None

    @property
    def event(self) -> Event | None:
        return self.reading if isinstance(self.reading, Event) else None

    def facts(self) -> Facts:
        agent = (self.arrival.user_agent or b"").decode("utf-8", "backslashreplace")
        return Facts(self.arrival.ip, agent, self.event)

    async def read(self) -> None:
        """Read the body up to just above the limit; a body broken on its way is a bare 400."""
        parts = bytearray()
        try:
            async for chunk in self.request.content.iter_any():
                parts += chunk
                if len(parts) > MAX_BODY_BYTES:
                    break
        except (web.RequestPayloadError, ConnectionError):
            return
        finally:
            self.body = bytes(parts[: MAX_BODY_BYTES + 1])
        self.reading = read_event(self.arrival.content_type, self.body)

    def settle(self) -> web.Response:
        """Write the outcome into the book and return the answer to it."""
        rule = self.rule
        if rule is not None and (rule.status is not None or rule.hang or rule.reset == "before"):
            self._note(Outcome.FAILED, rule.describe(), rule.status)
            return answers.faulty(rule, rule.status or 503)
        if isinstance(self.reading, Bare):
            return self._refuse(answers.bare(self.reading.status), "unreadable")
        if not accepts_json(self.arrival.headers):
            return self._refuse(answers.not_acceptable(), "not_acceptable")
        if header(self.arrival.headers, "x-debug-request") == b"true":
            return answers.address(self.arrival.ip)
        match self.reading:
            case Refused(errors=errors):
                cause = "; ".join(f"{name}: {', '.join(messages)}" for name, messages in errors.items())
                return self._refuse(answers.refused(self.reading), cause)
            case Event() as event:
                return self._take(event)

    def _take(self, event: Event) -> web.Response:
        sandbox, rule = self.sandbox, self.rule
        if rule is not None and rule.drop:
            dropped = dict.fromkeys(event.sites, Drop.INJECTED)
        else:
            dropped = dict(admit(event, self.arrival, sandbox.sites, sandbox.sessions))
        for site in event.sites:
            cause = dropped.get(site) or (rule.describe() if rule is not None else None)
            outcome = Outcome.DROPPED if site in dropped else Outcome.RECORDED
            self._note(outcome, cause, 202, (site,))
        return answers.accepted(sum(site in dropped for site in event.sites))

    def _refuse(self, answer: web.Response, cause: str) -> web.Response:
        self._note(Outcome.REFUSED, cause, answer.status)
        return answer

    def _note(
        self, outcome: Outcome, cause: str | None, status: int | None, sites: tuple[str, ...] | None = None
    ) -> None:
        resets = self.rule is not None and self.rule.reset is not None
        if resets or self.request.transport is None:
            status = None  # nobody is answered
        if sites is None:
            sites = self.event.sites if self.event else ()
        self.sandbox.book.add(self.arrival, self.body, self.event, sites, (outcome, cause, status))


def _arrival_of(request: web.Request, sandbox: Sandbox) -> Arrival:
    headers = request.raw_headers
    return Arrival(
        request=sandbox.book.number_request(),
        at_s=sandbox.clock(),
        headers=headers,
        content_type=(header(headers, "content-type") or b"").decode("latin-1"),
        user_agent=header(headers, "user-agent"),
        ip=address_of(request.remote or "", headers),
    )


async def _make_trouble(request: web.Request, rule: Rule, closing: asyncio.Event) -> None:
    """Wait, hang or break the connection, as the rule says."""
    if rule.delay_s:
        await _pause(rule.delay_s, closing)
    while rule.hang and request.transport is not None and not closing.is_set():
        await _pause(_LOOK_FOR_END_S, closing)
    if rule.hang or rule.reset is not None:
        await _reset(request)


async def _pause(duration_s: float, closing: asyncio.Event) -> None:
    """Wait so long, or until the sandbox stops."""
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            await closing.wait()


async def _reset(request: web.Request) -> None:
    """Break the connection with a TCP RST: closing without lingering, or unread input decides between RST and FIN."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await asyncio.sleep(0)  # the loop closes the socket in its next round, before anything could be written


async def _preflight(_: web.Request) -> web.Response:
    return answers.preflight()


async def _no_such_route(_: web.Request) -> web.Response:
    return answers.not_found()


async def _health(_: web.Request) -> web.Response:
    return answers.json_answer({"postgres": "ok", "clickhouse": "ok", "sites_cache": "ok"}, headers=answers.CORS)


async def _let_go(app: web.Application) -> None:
    """Let hanging requests end, so that stopping does not wait for them."""
    app[SANDBOX].closing.set()
