"""The contract put together, and the endpoint that gives it: to everybody, as it says nothing of anybody."""

from functools import cache
from typing import Final

import orjson
from aiohttp import web

from relay import __version__
from relay.http.openapi import looking, told
from relay.http.openapi.asked import PARAMETERS, SECURITY_SCHEMES
from relay.http.openapi.event import EVENT, FIELDS
from relay.http.openapi.item import BATCH, DEVICE, ITEM
from relay.http.openapi.looking import LOOKING
from relay.http.openapi.pieces import Json
from relay.http.openapi.posting import POSTING
from relay.http.openapi.script import SCRIPT

_ABOUT: Final = """\
A durable event relay in front of Plausible Analytics: it takes events as Plausible does, answers 202 when they are on \
disk, and delivers them.

What is not described here: another method on `/api/event` and `/api/events` is 404, as Plausible has it, elsewhere \
405, and HEAD is GET without its body. What is no HTTP gets 400 with `errors`, like an event that is wrong, and the \
connection ends. Every answer may be read by any page (CORS).
"""


def document() -> Json:
    """The contract of this version, as `json.dumps` takes it."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Plausible Relay",
            "version": __version__,
            "summary": "Events for Plausible Analytics, kept before they are answered",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The relay that gives this document."}],
        "tags": [
            {"name": "events", "description": "For senders."},
            {"name": "operating", "description": "For who runs the relay. Not for the internet."},
        ],
        "paths": POSTING | SCRIPT | LOOKING,
        "components": {
            "schemas": {"Event": EVENT, "Item": ITEM, "Batch": BATCH, "Device": DEVICE}
            | FIELDS
            | told.SCHEMAS
            | looking.SCHEMAS,
            "parameters": PARAMETERS,
            "headers": told.HEADERS,
            "responses": told.RESPONSES,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


@cache
def _written() -> bytes:
    return orjson.dumps(document())


async def contract(_: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return web.Response(body=_written(), content_type="application/json")
