"""The worker: one job is one request with its visitor's headers; what is not answered 2xx is tried again by arq.

.venv/.load/bin/python -m load.peers.with_arq.worker --upstream http://127.0.0.1:8500 --redis unix:///… --tuned
"""

from __future__ import annotations

import argparse
import asyncio
import logging.config
from typing import Any

import aiohttp
import uvloop
from arq import Retry
from arq.logs import default_log_config
from arq.worker import Worker, func

from load.peers.with_arq.jobs import FUNCTION, deserializer, serializer, settings_of

HEADERS = {"Content-Type": "text/plain", "Accept": "*/*"}
TUNING: dict[str, Any] = {"max_jobs": 256, "poll_delay": 0.01, "keep_result": 0, "max_tries": 1_000}


def build(upstream: str, redis: str, *, tuned: bool) -> Worker:
    """The worker; it runs in the current loop."""

    async def deliver(ctx: dict[Any, Any], ip: str, user_agent: str, body: str) -> None:
        headers = HEADERS | {"User-Agent": user_agent, "X-Forwarded-For": ip}
        async with ctx["http"].post(f"{upstream}/api/event", data=body.encode(), headers=headers) as answer:
            if not answer.ok:
                raise Retry(defer=1)

    async def start(ctx: dict[Any, Any]) -> None:
        ctx["http"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))

    async def stop(ctx: dict[Any, Any]) -> None:
        await ctx["http"].close()

    return Worker(
        functions=[func(deliver, name=FUNCTION)],
        redis_settings=settings_of(redis),
        on_startup=start,
        on_shutdown=stop,
        handle_signals=True,
        job_serializer=serializer(tuned=tuned),
        job_deserializer=deserializer(tuned=tuned),
        **(TUNING if tuned else {}),
    )


def main() -> None:
    """Read the options and work; with arq's own log lines unless tuned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--tuned", action="store_true")
    told = parser.parse_args()
    if not told.tuned:
        logging.config.dictConfig(default_log_config(verbose=False))
    loop = uvloop.new_event_loop() if told.tuned else asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    build(told.upstream, told.redis, tuned=told.tuned).run()


if __name__ == "__main__":
    main()
