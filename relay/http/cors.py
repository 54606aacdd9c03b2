"""Plausible's CORS headers, on every answer of the door, errors too, or a browser's sender can't read them.

They are those of the CORSPlug that Plausible uses (contract section 3): X-Forwarded-For is not allowed.
"""

from __future__ import annotations

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


async def add_cors(_: web.Request, response: web.StreamResponse) -> None:
    """Signal handler of aiohttp's `on_response_prepare`."""
    response.headers.update(ANY_ANSWER)


async def preflight(_: web.Request) -> web.Response:
    """OPTIONS: 204, as Plausible."""
    return web.Response(status=204, headers=PREFLIGHT)
