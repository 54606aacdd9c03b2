"""Posting as a source or as somebody else, and what a refusal must look like."""

from typing import Any

from aiohttp import ClientResponse

from relay.queue import sources
from relay.queue.connection import connect
from relay.rules.admission import parse_sites
from relay.rules.source import Kind, Source
from tests.http.door import Door, body, errors, has_cors

NAMED = {"X-Forwarded-For": "81.2.69.142"}


def source(name: str, kind: Kind, *sites: str, **more: Any) -> Source:
    """A source that may post for the sites."""
    return Source(name, kind, parse_sites(sites), **({"speaks": kind is Kind.BACKEND} | more))


SHOP = source("shop", Kind.BACKEND, "shop.example")
APP = source("app", Kind.APP, "app.example", "shop.example")
PAGES = source("pages", Kind.WEB, "example.com")


def bearer(key: str) -> dict[str, str]:
    """The header that shows the key."""
    return {"Authorization": f"Bearer {key}"}


async def post(door: Door, site: str, key: str | None = None, **headers: str) -> ClientResponse:
    """Post an event of the site; header names are given with underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.post(body(domain=site), headers=sent | ({} if key is None else bearer(key)))


async def made(url: str, *given: Source) -> list[str]:
    """Keep the sources; their keys."""
    async with connect(url) as redis:
        return [await sources.add(redis, each) for each in given]


async def refused(answer: ClientResponse, status: int, field: str = "source") -> str:
    """The message of a refusal, whose form is checked."""
    assert (answer.status, answer.content_type, has_cors(answer)) == (status, "application/json", True)
    told = errors(await answer.read())
    assert list(told) == [field]
    (message,) = told[field]
    assert answer.headers.get("WWW-Authenticate") == ('Bearer realm="relay"' if status == 401 else None)
    return message
