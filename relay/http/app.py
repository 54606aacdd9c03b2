"""The door put together, and the process that serves it until it is told to stop.

Building is apart from serving: tests build the same application.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from aiohttp import HttpVersion11, web
from redis.asyncio import Redis

from relay.http.batch import Batches
from relay.http.brought import Brought, Way
from relay.http.connections import SERVER, allow_many_connections
from relay.http.cors import add_cors, preflight
from relay.http.events import BODY_LIMIT_BYTES, Events
from relay.http.exposed import Exposed
from relay.http.health import Health
from relay.http.intake import Intake, Policy
from relay.http.openapi import contract
from relay.http.operators import Operators
from relay.http.paths import EVENT, EVENTS
from relay.http.runner import DoorRunner
from relay.http.scripts import Scripts
from relay.http.senders import Senders
from relay.http.usual import Usual
from relay.http.usual_batch import UsualBatch
from relay.http.watch import Watch
from relay.queue.committing import Committer
from relay.queue.connection import connect
from relay.queue.limits import Limits
from relay.rules.admission import parse_sites
from relay.rules.source import anybody, rate_of
from relay.settings import Settings

log = logging.getLogger(__name__)

DRAIN_S = 0.5  # busy kept connections end with an answer that says so, not with a request that gets none
SHUTDOWN_S = 2.0  # for writes under way, which take a second at most; aiohttp reads no bodies any more by now
WATCH: Final = web.AppKey("watch", Watch)
BROUGHT: Final = web.AppKey("brought", Brought)
FAILED: Final = web.AppKey("failed", asyncio.Future[None])


def build_door(settings: Settings) -> web.Application:
    """The application. `settings.redis_url` must be set; nothing is connected before it starts."""
    assert settings.redis_url is not None  # noqa: S101 - `relay serve` refuses to start without
    redis = connect(settings.redis_url)
    committer = Committer(redis, settings.partitions, keep_ms=round(settings.idempotency_keep_s * 1_000))
    watch = Watch(redis, committer, settings.partitions, settings.max_backlog)
    address_rate = rate_of(settings.address_rate, settings.address_burst)
    senders = Senders(redis, anybody(parse_sites(settings.sites), address_rate), watch.refused)
    policy = Policy(settings.validation, settings.trusted_proxies, settings.missing_ip, settings.occurred_at_prop)
    operators = Operators(settings.admin_key)
    intake = Intake(policy, senders, Limits(redis), committer, watch)
    health, exposed = Health(watch, operators), Exposed(watch, operators, senders.named_sites)
    scripts = Scripts(settings.upstream, watch.scripts)
    app = web.Application(client_max_size=BODY_LIMIT_BYTES)
    batches = Batches(intake)
    ways: dict[str, Way[Any]] = {EVENT: Usual(intake), EVENTS: UsualBatch(intake, batches.held)}
    app[WATCH], app[BROUGHT] = watch, Brought(watch, ways)
    for path, post in ((EVENT, Events(intake).post), (EVENTS, batches.post)):
        app.router.add_post(path, post, expect_handler=_go_on)
        app.router.add_route("OPTIONS", path, preflight)
        app.router.add_route("*", path, _not_found, expect_handler=_go_on)
    looks = {"/health/live": health.live, "/health/ready": health.ready, "/metrics": exposed.get}
    for path, told in (looks | {"/openapi.json": contract, "/js/{name}": scripts.get}).items():
        app.router.add_get(path, told, expect_handler=_go_on)
        app.router.add_route("*", path, _only_read, expect_handler=_go_on)
    app.router.add_route("*", "/{anything:.*}", _not_found, expect_handler=_go_on)
    app.on_response_prepare.append(add_cors)
    app.on_response_prepare.append(_name_us)
    app.on_response_prepare.append(_close_when_draining)
    app.cleanup_ctx.append(_background(redis, committer, senders))
    app.cleanup_ctx.append(scripts.run)
    return app


async def serve_door(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT: unready first, then no new connections, then the answers under way.

    In between the door goes on accepting for a moment, and each answer is its connection's last.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    app = build_door(settings)
    runner = door_runner(app, shutdown_timeout=SHUTDOWN_S)
    allow_many_connections()
    await runner.setup()
    stop: asyncio.Future[Any] = asyncio.create_task(stopping.wait())
    try:
        await web.TCPSite(runner, settings.listen.host, settings.listen.port, backlog=1024).start()
        log.info("the door listens on %s", ", ".join(f"http://{host}:{port}" for host, port, *_ in runner.addresses))
        await asyncio.wait({stop, app[FAILED]}, return_when=asyncio.FIRST_COMPLETED)
        if app[FAILED].done():
            app[FAILED].result()
        app[WATCH].draining = True
        await asyncio.sleep(DRAIN_S)
    finally:
        stop.cancel()
        app[WATCH].draining = True
        await runner.cleanup()
    log.info("the door ended")


def door_runner(app: web.Application, **options: Any) -> DoorRunner:
    """What serves an application of `build_door`; the options are those of aiohttp's runner."""
    return DoorRunner(app, app[WATCH].refused, app[BROUGHT], **options)


async def _go_on(request: web.Request) -> None:
    """`Expect`: what is no 100-continue is not minded; aiohttp's own handler fails on bytes that are no text."""
    if request.headers["Expect"].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


async def _not_found(_: web.Request) -> web.Response:
    """GET and the rest: Plausible answers 404 (contract section 3), aiohttp by itself 405."""
    raise web.HTTPNotFound


async def _only_read(request: web.Request) -> web.Response:
    raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD"))


async def _name_us(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def _close_when_draining(request: web.Request, response: web.StreamResponse) -> None:
    """While stopping, each answer is its connection's last: Chromium repeats what got no answer on a kept one."""
    if request.app[WATCH].draining:
        response.force_close()
        response.headers["Connection"] = "close"  # aiohttp has written its own headers by now


def _background(
    redis: Redis, committer: Committer, senders: Senders
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(app: web.Application) -> AsyncIterator[None]:
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        app[FAILED] = failed
        await senders.refresh()  # so that the first request finds them known
        tasks = [asyncio.create_task(part) for part in (committer.run(), app[WATCH].run(), senders.run())]
        for task in tasks:
            task.add_done_callback(lambda done: _pass_on(done, failed))
        yield
        await app[WATCH].refresh(0.0)  # what was refused last is counted, too
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        failed.cancel()
        await redis.aclose()

    return run


def _pass_on(done: asyncio.Task[None], failed: asyncio.Future[None]) -> None:
    """A background part ends only by cancelling or by a failure, and then the door must end, not go on without it."""
    if not done.cancelled() and (error := done.exception()) is not None and not failed.done():
        failed.set_exception(error)
