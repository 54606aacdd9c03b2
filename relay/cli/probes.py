"""Asks Redis and Plausible whether they answer and whether they fit, and says it in one line each.

Nothing is written anywhere, no event is sent, and no password is printed.
"""

from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Final

from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ClientTimeout
from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay import __version__
from relay.cli.target import running
from relay.http.connections import SERVER
from relay.queue.connection import Durability, ServerPromise, connect, kept_partitions, server_promise
from relay.queue.server import UnfitServerError, refuse_unfit
from relay.settings import Settings
from relay.settings.urls import where_of
from relay.up.datadir import in_the_way
from relay.up.faults import StartError
from relay.up.server_binary import find_server

FIRST_REDIRECT, FIRST_ERROR, FIRST_FAILURE = 300, 400, 500
LOCKED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
NO_PROMISE: Final = {Durability.MEMORY, Durability.NO}  # a crash loses events for which a sender got his 202


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: `says` is a line for people, with what would be right where it is not `ok`.

    `warnings` are shortcomings that one can start with, knowing them.
    """

    name: str
    ok: bool
    says: str
    warnings: tuple[str, ...] = ()


async def ask_redis(settings: Settings) -> Finding:
    """Ask the named Redis, else that of a running `relay up`; else say which server `up` would start."""
    run = running(settings)
    url = settings.redis_url or (run.redis_url if run else None)
    if url is None:
        return _embedded(settings)
    where = where_of(url)
    try:
        async with connect(url, timeout_s=settings.connect_timeout_s, connections=2) as client:
            await client.ping()
            misfit = await _misfit(client, settings.partitions)
            promise = await server_promise(client)
    except (RedisError, OSError, TimeoutError, ValueError) as error:
        says = f"{where}: {_words(error)}; right would be a running Redis or Valkey in RELAY_REDIS_URL"
        return Finding("redis", ok=False, says=says)
    if misfit is not None:
        return Finding("redis", ok=False, says=f"{where}: {misfit}")
    return _worth(where, promise)


async def _misfit(client: Redis, partitions: int) -> str | None:
    """Say why `serve` and `work` would refuse this server or its data set, or None."""
    try:
        await refuse_unfit(client)
    except UnfitServerError as error:
        return str(error)
    kept = await kept_partitions(client)
    if kept in {None, partitions}:
        return None
    return (
        f"its data set was begun with {kept} partitions, and RELAY_PARTITIONS is {partitions}; right would be "
        f"RELAY_PARTITIONS={kept} (docs/operating.md says how the number is changed)"
    )


def _worth(where: str, promise: ServerPromise) -> Finding:
    answers = f"{where} answers, durability {promise.durability}"
    if promise.evicts or promise.durability in NO_PROMISE:
        return Finding("redis", ok=False, says="; ".join([answers, *promise.shortcomings]))
    return Finding("redis", ok=True, says=answers, warnings=tuple(promise.shortcomings))


def _embedded(settings: Settings) -> Finding:
    wrong = in_the_way(settings.data)
    if wrong is not None:
        return Finding("redis", ok=False, says=f"{wrong}; right would be a folder in RELAY_DATA")
    try:
        server = find_server()
    except StartError as error:
        return Finding("redis", ok=False, says=str(error))
    return Finding(
        "redis", ok=True, says=f"none is named or running; `relay up` would start {server} on {settings.data}"
    )


async def ask_upstream(settings: Settings) -> Finding:
    """Ask Plausible's event endpoint with a GET, which it answers 404 and does not count (contract section 3).

    Without a name it is that of the running `relay up` whose Redis is asked.
    """
    run = running(settings)
    upstream = settings.upstream or (run.upstream if run else None)
    if upstream is None:
        says = f"none is named; `relay up` would start the sandbox on {settings.sandbox_listen}"
        return Finding("upstream", ok=True, says=says)
    timeout = ClientTimeout(total=settings.answer_timeout_s, connect=settings.connect_timeout_s)
    began_s = perf_counter()
    try:
        async with (
            ClientSession(timeout=timeout, headers={"User-Agent": f"plausible-relay/{__version__}"}) as session,
            session.get(f"{upstream}/api/event", allow_redirects=False) as reply,
        ):
            wrong = _wrong_with(reply)
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        wrong = f": {_words(error)}; right would be the base URL of a running Plausible in RELAY_UPSTREAM"
    if wrong is not None:
        return Finding("upstream", ok=False, says=f"{upstream}{wrong}")
    return Finding("upstream", ok=True, says=f"{upstream} answers in {1000 * (perf_counter() - began_s):.0f} ms")


def _wrong_with(reply: ClientResponse) -> str | None:
    """Say what keeps events from reaching a Plausible there and what would be right, or None."""
    status = reply.status
    if reply.headers.get("Server") == SERVER:
        return (
            " is a door of this relay's own kind, events would go round in a circle; "
            "right would be the base URL of Plausible in RELAY_UPSTREAM"
        )
    if status in LOCKED:
        return (
            f" answers {status}, something before Plausible asks who we are; "
            "right would be to let POST /api/event through from here, or another URL in RELAY_UPSTREAM"
        )
    if FIRST_REDIRECT <= status < FIRST_ERROR:
        to = reply.headers.get("Location", "elsewhere")
        return f" sends us to {to}; right would be the URL that it leads to in RELAY_UPSTREAM"
    if status >= FIRST_FAILURE:
        return f" answers {status}; right would be any status below {FIRST_FAILURE}"
    return None


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ClientConnectorError) and error.os_error.strerror:
        return error.os_error.strerror  # aiohttp's own words speak of TLS where there is none
    return str(error) or type(error).__name__
