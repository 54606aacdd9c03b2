"""The limit of an aiohttp door: the relay's own validation and visitor rules, 202, and nothing kept.

`--unchecked`: without the rules, too: nothing of ours, and so a yardstick.

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


async def take(request: web.Request) -> web.Response:
    """Take anything and forget it."""
    await request.read()
    return web.Response(status=202, text="ok")


async def serve(port: int, *, unchecked: bool) -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/api/event", take if unchecked else post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--unchecked", action="store_true")
    told = parser.parse_args()
    uvloop.run(serve(told.port, unchecked=told.unchecked))


if __name__ == "__main__":
    main()
