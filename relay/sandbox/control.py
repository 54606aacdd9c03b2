"""The sandbox's own endpoints, which Plausible has not: `/events`, `/faults` and the page at `/`.

They carry no CORS headers on purpose: a page of another origin must neither read nor change what is here, nor may
another machine without the key.
"""

from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from relay.rules.access import may_look
from relay.sandbox.answers import json_answer
from relay.sandbox.faults import BadRulesError, read_rules
from relay.sandbox.page import load_page
from relay.sandbox.record import Outcome, Query
from relay.sandbox.state import SANDBOX


def add_routes(app: web.Application) -> None:
    """Add the sandbox's own endpoints to the application."""
    page = load_page()
    app.middlewares.append(_for_operators)

    async def show_page(_: web.Request) -> web.Response:
        return web.Response(text=page.html, content_type="text/html", headers=page.headers)

    app.router.add_get("/", show_page)
    app.router.add_get("/events", show_events)
    app.router.add_delete("/events", forget_events)
    app.router.add_get("/faults", show_faults)
    app.router.add_put("/faults", replace_faults)
    app.router.add_delete("/faults", lift_faults)


@web.middleware
async def _for_operators(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Addresses and bodies are shown, and faults taken, on loopback or with the key."""
    if not request.path.startswith(("/api/", "/js/")) and not may_look(
        request.remote or "", request.raw_headers, request.app[SANDBOX].key
    ):
        told = {"error": "not from here without the key: set RELAY_ADMIN_KEY and send it as Authorization: Bearer …"}
        answer = json_answer(told, status=HTTPStatus.UNAUTHORIZED)
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox"'
        return answer
    return await handler(request)


async def show_events(request: web.Request) -> web.Response:
    """Return the counters and the entries asked for by `since`, `limit`, `name`, `outcome`; newest last."""
    try:
        query = _read_query(request)
    except _BadQueryError as error:
        return json_answer({"errors": {error.field: [error.message]}}, status=HTTPStatus.BAD_REQUEST)
    book = request.app[SANDBOX].book
    shown = [entry.as_json() for entry in book.select(query)]
    return json_answer(_counters(request) | {"events": shown})


async def forget_events(request: web.Request) -> web.Response:
    """Forget events and sessions; return the counters, now 0."""
    request.app[SANDBOX].forget()
    return json_answer(_counters(request) | {"events": []})


async def show_faults(request: web.Request) -> web.Response:
    """Return the rules in force."""
    return json_answer({"rules": request.app[SANDBOX].faults.as_json()})


async def replace_faults(request: web.Request) -> web.Response:
    """Put the rules of the body in force; 400 names every place that is wrong, and changes nothing."""
    try:
        rules = read_rules(await request.read())
    except BadRulesError as error:
        return json_answer({"errors": error.errors}, status=HTTPStatus.BAD_REQUEST)
    request.app[SANDBOX].faults.replace(rules)
    return await show_faults(request)


async def lift_faults(request: web.Request) -> web.Response:
    """Answer normally again."""
    request.app[SANDBOX].faults.replace([])
    return await show_faults(request)


class _BadQueryError(ValueError):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def _read_query(request: web.Request) -> Query:
    given = request.query
    unknown = set(given) - {"since", "limit", "name", "outcome"}
    if unknown:
        raise _BadQueryError(min(unknown), "is not known; known: since, limit, name, outcome")
    outcome = given.get("outcome")
    if outcome is not None and outcome not in set(Outcome):
        raise _BadQueryError("outcome", f"must be one of {', '.join(Outcome)}")
    return Query(
        since=_whole_number(given.get("since"), "since") or 0,
        limit=_whole_number(given.get("limit"), "limit"),
        name=given.get("name"),
        outcome=None if outcome is None else Outcome(outcome),
    )


def _whole_number(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(2**63))):
        raise _BadQueryError(field, "must be a whole number")
    return int(text)


def _counters(request: web.Request) -> dict[str, Any]:
    book = request.app[SANDBOX].book
    return {"run": book.run, "requests": book.requests, "total": book.counts.total()} | {
        outcome.value: book.counts[outcome] for outcome in Outcome
    }
