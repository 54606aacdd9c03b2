"""Whether each line of a log arrives once, when the process that replays it is killed again and again.

    .venv/bin/python -m load.replay_kills [--lines 1000000] [--kills 20] [--seed 1]

Everything is real: `relay up` with its queue and worker, a server in Plausible's place that notes every event, and
`relay replay`, which gets SIGKILL at random moments and is started again. The log, made in a temporary folder that is
removed afterwards, has a number in each page that counts. Exit code 1 if one is missing or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from load import access_log
from load.chaos.moods import Mood
from load.chaos.sink import Sink

START_WITHIN_S: Final = 120.0
STUCK_S: Final = 300.0  # without a new arrival, it is given up


@dataclass(slots=True)
class Numbers(Sink):
    """The server: how often each number came."""

    came_in: Counter[int] = field(default_factory=Counter)

    def name_of(self, _: bytes, body: bytes, /) -> str:
        """The number in its URL."""
        number: str = orjson.loads(body)["url"].rpartition("n=")[2]
        return number

    def came(self, name: str) -> Mood:
        """Count it."""
        self.requests += 1
        self.came_in[int(name)] += 1
        return Mood.FINE


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it happens."""

    folder: Path
    env: dict[str, str]

    async def start(self, *words: str, stdout: int | None = None) -> Process:
        """Start a command of the relay."""
        with (self.folder / "output").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "relay", *words, env=self.env, stdout=stdout or log, stderr=log
            )

    async def status(self) -> dict[str, Any] | None:
        """What `relay status` says; None if it cannot."""
        process = await self.start("status", "--json", stdout=PIPE)
        told, _ = await process.communicate()
        return json.loads(told) if process.returncode == 0 else None


async def campaign(stage: Stage, sink: Numbers, counted: int, kills: int, seed: int) -> None:
    """Replay with kills, until all that was queued is settled."""
    chance = random.Random(seed)
    words = ("replay", str(stage.folder / "access.log"), "--site", "example.com", "--max-age", "1d", "--json")
    for number, at in enumerate(sorted(chance.uniform(0.0, 0.95) for _ in range(kills)), 1):
        replay = await stage.start(*words, stdout=PIPE)
        await grown(sink, max(int(at * counted), len(sink.came_in) + 1), replay)
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        replay.send_signal(signal.SIGKILL)
        await replay.wait()
        print(f"kill {number:>2} at {len(sink.came_in):>9,} of {counted:,} arrived")
    replay = await stage.start(*words, stdout=PIPE)
    told, _ = await replay.communicate()
    print(f"the last run ended with {replay.returncode}: {told.decode().strip()}")
    await grown(sink, counted, None)
    deadline_s = time.monotonic() + STUCK_S
    while (status := await stage.status()) is None or status["ledger"]["pending"]:
        if time.monotonic() > deadline_s:
            raise SystemExit("events are still pending")
    print(f"account: {status['ledger']}")


async def grown(sink: Numbers, arrivals: int, replay: Process | None) -> None:
    """Wait until so many numbers arrived, or the replay ended, or nothing arrives any more."""
    seen, since_s = -1, time.monotonic()
    while len(sink.came_in) < arrivals and (replay is None or replay.returncode is None):
        if len(sink.came_in) != seen:
            seen, since_s = len(sink.came_in), time.monotonic()
        if time.monotonic() - since_s > STUCK_S:
            print(f"nothing arrived for {STUCK_S:g} s")
            return
        await asyncio.sleep(0.01)


async def run(lines: int, kills: int, seed: int) -> int:
    """One campaign; its exit code."""
    sink = Numbers()
    await sink.start()
    with tempfile.TemporaryDirectory(prefix="relay-kills-") as name:
        folder = Path(name)
        counted = access_log.write(folder / "access.log", count=lines, numbered=True)
        print(f"{lines:,} lines, {counted:,} count")
        env = {key: text for key, text in os.environ.items() if not key.startswith("RELAY_")}
        own = {"LISTEN": "127.0.0.1:0", "DATA": str(folder / "data"), "UPSTREAM": sink.url, "SITES": "example.com"}
        stage = Stage(folder, env | {f"RELAY_{key}": text for key, text in own.items()})
        up = await stage.start("up")
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(START_WITHIN_S):
                while (status := await stage.status()) is None or not status["workers"]:
                    pass  # asking takes a second by itself
            await campaign(stage, sink, counted, kills, seed)
        finally:
            up.send_signal(signal.SIGTERM)
            await up.wait()
            sink.stop()
    missing = counted - sum(number in sink.came_in for number in range(counted))
    twice = sum(count > 1 for count in sink.came_in.values())
    print(f"{len(sink.came_in):,} arrived in {time.monotonic() - began_s:,.0f} s: {missing} missing, {twice} twice")
    return 1 if missing or twice or len(sink.came_in) != counted else 0


def main() -> None:
    """Run it and end with its exit code."""
    asked = argparse.ArgumentParser(description="relay replay under SIGKILL")
    asked.add_argument("--lines", type=int, default=1_000_000)
    asked.add_argument("--kills", type=int, default=20)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    raise SystemExit(asyncio.run(run(options.lines, options.kills, options.seed)))


if __name__ == "__main__":
    main()
