"""How long an event takes from its 202 to Plausible's door, and what an idle relay costs.

Starts `relay up` with a sink of its own in Plausible's place, posts at a fixed rate (open loop: a late answer
delays nobody), and takes all times with one clock. Beside it, in the same run, the same events go straight to
the sink: the physical limit. Bounded in time; all traffic stays on loopback.

    .venv/bin/python load/latency.py --rate 50 --seconds 20
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

IDLE_S = 10.0


def percentile(sorted_ms: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return round(sorted_ms[min(len(sorted_ms) - 1, int(share * len(sorted_ms)))], 2)


def summary(times_s: list[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    ms = sorted(t * 1_000 for t in times_s)
    return {"n": len(ms), "p50_ms": percentile(ms, 0.5), "p90_ms": percentile(ms, 0.9), "p99_ms": percentile(ms, 0.99)}


class Sink:
    """Answers 202 and notes when each event arrived, by the name it carries."""

    def __init__(self) -> None:
        self.arrived_s: dict[str, float] = {}

    async def event(self, request: web.Request) -> web.Response:
        """Take one event."""
        now_s = time.perf_counter()
        self.arrived_s.setdefault((await request.json())["name"], now_s)
        return web.Response(status=202, text="ok")


async def post_at_rate(url: str, label: str, rate: float, seconds: float) -> tuple[dict[str, float], list[float]]:
    """Post `rate` events a second for so long; returns when each was acknowledged, and how long that took."""
    acknowledged_s: dict[str, float] = {}
    took_s: list[float] = []
    began_s = time.perf_counter()
    async with aiohttp.ClientSession() as session:

        async def one(n: int) -> None:
            due_s = began_s + n / rate
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            body = {"name": f"{label}{n}", "domain": "example.com", "url": "https://example.com/"}
            async with session.post(
                f"{url}/api/event", json=body, headers={"User-Agent": f"Mozilla/5.0 v{n % 100}"}
            ) as r:
                assert r.ok, await r.text()
                acknowledged_s[body["name"]] = time.perf_counter()
                took_s.append(acknowledged_s[body["name"]] - due_s)

        await asyncio.gather(*(one(n) for n in range(int(rate * seconds))))
    return acknowledged_s, took_s


def cpu_s(pid: int) -> float:
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> dict[str, int]:
    """The processes that `relay up` started, by what they do."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        found[next((w for w in words if w in {"serve", "work"}), "server")] = int(child)
    return found


async def idle_cost(pid: int) -> dict[str, float]:
    """Percent of one core that each process uses while nothing happens."""
    pids = children_of(pid)
    before = {name: cpu_s(child) for name, child in pids.items()}
    await asyncio.sleep(IDLE_S)
    return {name: round(100 * (cpu_s(child) - before[name]) / IDLE_S, 2) for name, child in pids.items()}


async def until_ready(url: str) -> None:
    """Wait until the relay owns its partitions and takes events."""
    deadline_s = time.perf_counter() + 30
    async with aiohttp.ClientSession() as session:
        while time.perf_counter() < deadline_s:
            try:
                async with session.get(f"{url}/metrics") as answer:
                    if "relay_partitions_owned 8.0" in await answer.text():
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("the relay did not start within 30 s")


@contextlib.asynccontextmanager
async def sink_on(port: int) -> AsyncIterator[Sink]:
    """A server in Plausible's place that answers at once and notes when each event came."""
    sink = Sink()
    app = web.Application()
    app.router.add_post("/api/event", sink.event)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield sink
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def relay_on(port: int, upstream: str) -> AsyncIterator[int]:
    """A whole relay with a data folder of its own, ready; its supervisor's process id."""
    with tempfile.TemporaryDirectory() as data:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")} | {
            "RELAY_LISTEN": f"127.0.0.1:{port}",
            "RELAY_UPSTREAM": upstream,
            "RELAY_SITES": "*",
            "RELAY_DATA": data,
            "RELAY_LOG_LEVEL": "error",
        }
        up = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "relay", "up", env=environ, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await until_ready(f"http://127.0.0.1:{port}")
            yield up.pid
        finally:
            up.terminate()
            await up.wait()


async def measure(rate: float, seconds: float, port: int) -> dict[str, object]:
    """One run: the sink, the relay before it, the events through it, the same straight."""
    door, straight = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
    async with sink_on(port + 1) as sink, relay_on(port, straight) as up_pid:
        await post_at_rate(door, "warm", rate, 2)
        acknowledged_s, took_s = await post_at_rate(door, "relay", rate, seconds)
        await asyncio.sleep(1)
        _, straight_s = await post_at_rate(straight, "straight", rate, seconds)
        idle = await idle_cost(up_pid)
    arrival_s = [max(0.0, sink.arrived_s[name] - at_s) for name, at_s in acknowledged_s.items()]
    return {
        "rate": rate,
        "seconds": seconds,
        "due_to_202": summary(took_s),
        "202_to_arrival": summary(arrival_s),
        "straight_due_to_202": summary(straight_s),
        "ratio_p50": round(statistics.median(took_s) / statistics.median(straight_s), 2),
        "idle_cpu_percent": idle,
    }


def main() -> None:
    """Read the options, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50, help="events a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=8400, help="of the door; the sink takes the next one")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.rate, options.seconds, options.port)), indent=2))


if __name__ == "__main__":
    main()
