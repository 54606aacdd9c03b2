"""The answers of Plausible's endpoints, header for header (contract section 3), and those of an injected fault.

Building an answer is all that happens here.
"""

from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from relay.rules.event import Refused
from relay.sandbox.faults import Rule

CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "",
    "access-control-allow-credentials": "true",
}
"""What Plausible's CORSPlug puts on every answer that gets as far as the router (its defaults)."""

_PREFLIGHT: Final = {
    "access-control-max-age": "1728000",
    "access-control-allow-headers": "Authorization,Content-Type,Accept,Origin,User-Agent,DNT,Cache-Control,"
    "X-Mx-ReqToken,Keep-Alive,X-Requested-With,If-Modified-Since,X-CSRF-Token",
    "access-control-allow-methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
}


def accepted(dropped: int) -> web.Response:
    """202 `ok`, with the number of dropped sites if there are any."""
    headers = CORS | ({"x-plausible-dropped": str(dropped)} if dropped else {})
    return web.Response(status=202, text="ok", headers=headers)


def bare(status: int) -> web.Response:
    """A status without errors, from Plug's parsers: they run ahead of CORSPlug, so without its headers."""
    return web.Response(status=status, text=HTTPStatus(status).phrase)


def refused(refusal: Refused) -> web.Response:
    """The refusal's errors as JSON."""
    return json_answer({"errors": refusal.errors}, status=refusal.status, headers=CORS)


def not_acceptable() -> web.Response:
    """406: the Accept header has no room for JSON."""
    return web.Response(status=406, text="Not Acceptable", headers=CORS)


def not_found() -> web.Response:
    """404, for every method but POST and OPTIONS."""
    return web.Response(status=404, text="Not Found", headers=CORS)


def preflight() -> web.Response:
    """204 with all that a browser asks about; X-Forwarded-For is not among the allowed headers."""
    return web.Response(status=204, headers=CORS | _PREFLIGHT)


def address(ip: str) -> web.Response:
    """The answer to `X-Debug-Request: true`: the address that Plausible would use."""
    return web.Response(text=ip, headers=CORS)


def faulty(rule: Rule, status: int) -> web.Response:
    """The status that a fault asks for, as from infrastructure in front of Plausible: no CORS."""
    headers = dict(rule.headers)
    if rule.retry_after is not None:
        headers["Retry-After"] = rule.retry_after
    if status in {204, 205, 304}:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, text=f"{status}: a fault injected by the sandbox\n", headers=headers)


def json_answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Any value as JSON; never cached."""
    return web.Response(
        status=status,
        body=orjson.dumps(value),
        content_type="application/json",
        charset="utf-8",
        headers={"cache-control": "no-store"} | (headers or {}),
    )
