"""Plausible's CORS headers, on every answer of the door, errors too, or a browser's sender can't read them.

They are those of the CORSPlug that Plausible uses (contract section 3): X-Forwarded-For is not allowed. What the relay
has beyond Plausible is told only to who asks for it, so that to everybody else the answers are Plausible's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

ANY_ANSWER: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "",
}

PREFLIGHT: Final = ANY_ANSWER | {
    "Access-Control-Max-Age": "1728000",
    "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Accept,Origin,User-Agent,DNT,Cache-Control,"
    "X-Mx-ReqToken,Keep-Alive,X-Requested-With,If-Modified-Since,X-CSRF-Token",
}


IDEMPOTENCY_KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
WARNING: Final = "X-Relay-Warning"


async def add_cors(_: web.Request, response: web.StreamResponse) -> None:
    """Signal handler of aiohttp's `on_response_prepare`."""
    response.headers.update(cors_of(response.headers))


def cors_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The CORS headers of an answer with these headers."""
    ours = [name for name in (REPLAYED, WARNING) if name in headers]
    return ANY_ANSWER | {"Access-Control-Expose-Headers": ",".join(ours)} if ours else ANY_ANSWER


async def preflight(request: web.Request) -> web.Response:
    """OPTIONS: 204, as Plausible; a page that would send a key, or a packed batch, may."""
    answer = web.Response(status=204, headers=PREFLIGHT)
    asked = {name.strip() for name in request.headers.get("Access-Control-Request-Headers", "").lower().split(",")}
    for name in (IDEMPOTENCY_KEY, "Content-Encoding"):
        if name.lower() in asked:
            answer.headers["Access-Control-Allow-Headers"] += f",{name}"
    return answer
