"""`GET /js/{name}`: a script of our own in the place of Plausible's, so that a page with its tag can be tried.

It is served under any name that Plausible might serve one by, whatever extensions the name asks for.
"""

import re
from importlib.resources import files
from typing import Final

from aiohttp import web

from relay.sandbox import answers

NAME: Final = re.compile(r"(script|plausible|analytics)(\.[a-z-]+)*\.js|pa-[A-Za-z0-9_-]+\.js")
HEADERS: Final = answers.CORS | {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "public, max-age=60, no-transform",
}
"""As on a site's own script there (lib/plausible_web/plugs/tracker_plug.ex)."""


async def get(request: web.Request) -> web.Response:
    """The script, or 404 for a name that is none of Plausible's."""
    if NAME.fullmatch(request.match_info["name"]) is None:
        return answers.not_found()
    content = files("relay.sandbox").joinpath("script.js").read_bytes()
    return web.Response(body=content, content_type="application/javascript", headers=HEADERS)
