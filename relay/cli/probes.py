"""Asks Redis and Plausible whether they answer, and says it in one line each.

Nothing is written anywhere, no event is sent, and no password is printed.
"""

from dataclasses import dataclass
from time import perf_counter

from aiohttp import ClientError, ClientSession, ClientTimeout
from redis.exceptions import RedisError

from relay import __version__
from relay.cli.target import running
from relay.queue.connection import connect, server_promise
from relay.settings import Settings
from relay.settings.urls import where_of
from relay.up.faults import StartError
from relay.up.server_binary import find_server

FIRST_REDIRECT, FIRST_ERROR, FIRST_FAILURE = 300, 400, 500


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: `says` is a line for people, with what would be right where it is not `ok`."""

    name: str
    ok: bool
    says: str


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
            promise = await server_promise(client)
    except (RedisError, OSError, TimeoutError, ValueError) as error:
        says = f"{where}: {_words(error)}; right would be a running Redis or Valkey in RELAY_REDIS_URL"
        return Finding("redis", ok=False, says=says)
    says = "; ".join([f"{where} answers, durability {promise.durability}", *promise.shortcomings])
    return Finding("redis", ok=not promise.evicts, says=says)


def _embedded(settings: Settings) -> Finding:
    try:
        server = find_server()
    except StartError as error:
        return Finding("redis", ok=False, says=str(error))
    return Finding(
        "redis", ok=True, says=f"none is named or running; `relay up` would start {server} on {settings.data}"
    )


async def ask_upstream(settings: Settings) -> Finding:
    """Ask Plausible's event endpoint with a GET, which it answers 404 and does not count (contract section 3)."""
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
            status, to = reply.status, reply.headers.get("Location", "elsewhere")
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        says = f"{upstream}: {_words(error)}; right would be the base URL of a running Plausible in RELAY_UPSTREAM"
        return Finding("upstream", ok=False, says=says)
    if FIRST_REDIRECT <= status < FIRST_ERROR:
        says = f"{upstream} sends us to {to}; right would be the URL that it leads to in RELAY_UPSTREAM"
        return Finding("upstream", ok=False, says=says)
    if status >= FIRST_FAILURE:
        says = f"{upstream} answers {status}; right would be any status below {FIRST_FAILURE}"
        return Finding("upstream", ok=False, says=says)
    return Finding("upstream", ok=True, says=f"{upstream} answers in {1000 * (perf_counter() - began_s):.0f} ms")


def _words(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
