"""The worker as a process: it ends when it is told to, whatever its queue does."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.queue.samples import until
from tests.server import TestServer


async def test_sigterm_ends_it_while_the_queue_is_frozen(own_server: TestServer, tmp_path: Path) -> None:
    """Told to end while its upkeep gives up on a frozen server, it ends within its time, and not by a kill."""
    log = tmp_path / "log"
    env = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")} | {
        "RELAY_REDIS_URL": own_server.url,
        "RELAY_UPSTREAM": "http://127.0.0.1:9",
        "RELAY_LOG_FORMAT": "json",
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "relay", "work", env=env, stdout=output, stderr=output
        )
    try:
        await until("it works", lambda: "the upstream is down" in log.read_text(), within_s=30.0)
        own_server.freeze()
        await until("its upkeep gives up", lambda: "upkeep pauses" in log.read_text(), within_s=30.0)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30.0):
            assert await process.wait() == 0, log.read_text()
    finally:
        own_server.thaw()
        if process.returncode is None:
            process.kill()
            await process.wait()
