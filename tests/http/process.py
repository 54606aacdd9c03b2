"""`relay serve` as a real process on a free port, to be stopped by real signals, and what it wrote to its log."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.http.door import PATIENCE_S, Connection, connection


@dataclass(slots=True)
class Serve:
    """A running `relay serve`."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    @classmethod
    async def start(cls, log: Path, redis_url: str, *options: str) -> Self:
        """Start it at the debug level, for every site, and return when it listens."""
        given = ("--redis-url", redis_url, "--upstream", "http://127.0.0.1:9", "--sites", "*", *options)
        command = (sys.executable, "-m", "relay", "serve", "--listen", "127.0.0.1:0", "--log-level", "debug", *given)
        environ = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        with log.open("wb") as file:
            started = cls(subprocess.Popen(command, env=environ, cwd=log.parent, stderr=file), log)  # noqa: ASYNC220 - a millisecond
        deadline_s = time.monotonic() + PATIENCE_S
        while not (listening := re.search(r"the door listens on http://127\.0\.0\.1:(\d+)", started.said())):
            assert started.process.poll() is None, started.said()
            assert time.monotonic() < deadline_s, started.said()
            await asyncio.sleep(0.02)
        started.port = int(listening[1])
        return started

    def said(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text()

    async def connection(self) -> Connection:
        """Connect a socket to it."""
        return await connection(self.port)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self.process.send_signal(signal.SIGTERM)

    async def exit_code(self) -> int:
        """Wait for its end."""
        return await asyncio.to_thread(self.process.wait, PATIENCE_S)

    def close(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
