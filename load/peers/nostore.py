"""The limit of an aiohttp door: the relay's own validation and visitor rules, 202, and nothing kept.

.venv/bin/python -m load.peers.nostore --port 8501
"""

from __future__ import annotations

import argparse
import asyncio

import uvloop
from aiohttp import web

from load.peers.rules import accepted


async def post(request: web.Request) -> web.Response:
    """Take one event and forget it."""
    told = accepted(request.remote or "", request.raw_headers, await request.read())
    return web.Response(status=202 if told else 400, text="ok" if told else "refused")


async def serve(port: int) -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/api/event", post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
