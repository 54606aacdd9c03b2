"""The door: FastAPI on uvicorn, the relay's rules, one job an event, 202 when Redis has it.

.venv/.load/bin/python -m load.peers.with_arq.door --port 8502 --redis unix:///…/valkey.sock --tuned
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from load.peers.rules import accepted
from load.peers.with_arq.jobs import FUNCTION, pool_of


def build(redis: str, *, tuned: bool) -> Any:
    """The application."""
    kept: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        kept["pool"] = await pool_of(redis, tuned=tuned)
        yield
        await kept["pool"].aclose()

    async def post(request: Request) -> Response:
        jobs = accepted(request.client.host if request.client else "", request.headers.raw, await request.body())
        if jobs is None:
            return PlainTextResponse("refused", 400)
        for job in jobs:
            if await kept["pool"].enqueue_job(FUNCTION, job.ip, job.user_agent, job.body.decode()) is None:
                return PlainTextResponse("not kept", 503)
        return PlainTextResponse("ok", 202)

    app = FastAPI(lifespan=lifespan)
    app.add_api_route("/api/event", post, methods=["POST"], response_model=None)
    return app


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--tuned", action="store_true")
    told = parser.parse_args()
    tuning: dict[str, Any] = {"access_log": False, "log_level": "warning", "loop": "uvloop", "http": "httptools"}
    uvicorn.run(build(told.redis, tuned=told.tuned), port=told.port, **(tuning if told.tuned else {}))


if __name__ == "__main__":
    main()
