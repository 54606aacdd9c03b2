"""The worker process: an arq Worker hosts the runtime, and a loop builds a new one when Redis took the last.

arq is built in code, since misspelt class attributes are ignored silently; it carries upkeep jobs only, in
JSON, since pickle would run what it reads, and its logs are kept quiet, since they print arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import time
from typing import Any

import orjson
from arq.connections import ArqRedis
from arq.cron import cron
from arq.worker import Worker
from redis.exceptions import RedisError

from relay.queue import keys
from relay.queue.connection import AWAY, connect, describe
from relay.settings import Settings
from workers.runtime import Runtime, build_runtime
from workers.upkeep import tend

log = logging.getLogger(__name__)

JOB_TIMEOUT_S = 30
REBUILD_AFTER_S = 0.5
TEND_SECONDS = set(range(0, 60, 10))


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then end cleanly: in flight finished, settled, partitions given back."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
    runtime = build_runtime(name, settings)
    log.info("worker starts", extra={"worker": name, "upstream": settings.upstream})
    hosting = asyncio.create_task(_host(runtime))
    failing = asyncio.create_task(runtime.failed())
    stop = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait({hosting, failing, stop}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stop}:
            task.result()  # a bug, or another number of partitions: end loudly
    finally:
        told_s = time.monotonic()
        for task in (hosting, failing, stop):
            task.cancel()
        await asyncio.wait({hosting, failing, stop})
        with contextlib.suppress(*AWAY, RedisError):
            await runtime.stop(told_s)
    log.info("worker ended", extra={"worker": name})


async def _host(runtime: Runtime) -> None:
    """Run one arq Worker after the other; each ends when Redis goes away."""
    away = False
    while True:
        worker = _build(runtime)
        try:
            await worker.async_run()
        except (*AWAY, RedisError) as error:
            if not away:
                log.warning("upkeep pauses, the queue is away: %s", describe(error))
            away = True
        else:
            away = False
        finally:
            with contextlib.suppress(*AWAY, RedisError, asyncio.CancelledError):  # arq raises it for jobs it cancels
                await worker.close()
        ours = asyncio.current_task()
        if ours is not None and ours.cancelling():  # ours came while it closed, and must not end with it
            raise asyncio.CancelledError
        await asyncio.sleep(REBUILD_AFTER_S)


def _build(runtime: Runtime) -> Worker:
    assert runtime.settings.redis_url is not None  # noqa: S101 - build_runtime has seen it
    pool = connect(runtime.settings.redis_url, connections=8).connection_pool
    redis = ArqRedis(
        pool,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=keys.ARQ_QUEUE,
    )

    async def on_startup(ctx: dict[Any, Any]) -> None:
        await ctx["runtime"].start()

    return Worker(
        functions=[],
        cron_jobs=[cron(tend, second=TEND_SECONDS, timeout=JOB_TIMEOUT_S, keep_result=0)],
        redis_pool=redis,
        queue_name=keys.ARQ_QUEUE,
        ctx={"runtime": runtime},
        on_startup=on_startup,
        handle_signals=False,
        job_timeout=JOB_TIMEOUT_S,
        keep_result=0,
        poll_delay=0.5,
        max_jobs=4,
        max_tries=1,
        health_check_interval=30,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        log_results=False,
    )
