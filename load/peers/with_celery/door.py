"""The door: FastAPI on uvicorn, tuned, the relay's rules, one task an event, 202 when Redis has it.

`delay` blocks the loop for its round trip; moving it to a thread costs more than it gives here.

    REDIS=redis+socket:///… .venv/.load/bin/python -m load.peers.with_celery.door --port 8503
"""

from __future__ import annotations

import argparse
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from load.peers.rules import accepted
from load.peers.with_celery.tasks import task


async def post(request: Request) -> Response:
    """Take one event."""
    jobs = accepted(request.client.host if request.client else "", request.headers.raw, await request.body())
    if jobs is None:
        return PlainTextResponse("refused", 400)
    for job in jobs:
        task.delay(job.ip, job.user_agent, job.body.decode())
    return PlainTextResponse("ok", 202)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    app: Any = FastAPI()
    app.add_api_route("/api/event", post, methods=["POST"], response_model=None)
    port = parser.parse_args().port
    uvicorn.run(app, port=port, access_log=False, log_level="warning", loop="uvloop", http="httptools")


if __name__ == "__main__":
    main()
