"""What nine healthy sites notice of a dead tenth one: their time from due to Plausible's door, with it and without.

Starts `relay up` with a sink of its own in Plausible's place, posts for ten sites at a fixed rate (open loop: a late
answer delays nobody), and takes all times with one clock. Rounds alternate: the tenth site is well, or its requests are
never answered. A round begins when nothing is left of the one before. Bounded in time; all traffic stays on loopback.

    .venv/bin/python -m load.deadsite --rate 200 --seconds 4 --pairs 30
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from load.latency import relay_on, summary

SITES = 10
TENTH = f"site{SITES - 1}.example"
ANSWER_S = 0.02  # as a real Plausible would take
DRAIN_S = 30.0


@dataclass(slots=True)
class Sink:
    """Answers 202, but the tenth site never while `dead`, or with `status` if that is set.

    Notes when each event first arrived, by its name.
    """

    status: int | None = None
    dead: bool = False
    arrived_s: dict[str, float] = field(default_factory=dict)
    hanging: list[web.Request] = field(default_factory=list)

    async def event(self, request: web.Request) -> web.Response:
        """Take one event."""
        now_s = time.perf_counter()
        told = await request.json()
        if told["domain"] == TENTH and self.dead:
            if self.status is not None:
                return web.Response(status=self.status)
            self.hanging.append(request)
            await asyncio.sleep(3_600)
        self.arrived_s.setdefault(told["name"], now_s)
        await asyncio.sleep(ANSWER_S)
        return web.Response(status=202, text="ok")

    def revive(self) -> None:
        """Let the tenth site be well; what hangs is cut."""
        self.dead = False
        while self.hanging:
            transport = self.hanging.pop().transport
            if transport is not None:
                transport.abort()


@contextlib.asynccontextmanager
async def sink_on(port: int, status: int | None) -> AsyncIterator[Sink]:
    """The sink on that port."""
    sink = Sink(status)
    app = web.Application()
    app.router.add_post("/api/event", sink.event)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield sink
    finally:
        await runner.cleanup()


async def post_round(
    http: aiohttp.ClientSession, door: str, label: str, rate: float, seconds: float
) -> dict[str, float]:
    """Post for all sites in turn at that rate; the names of the nine's events → when each was due."""
    began_s = time.perf_counter()
    due: dict[str, float] = {}

    async def one(n: int) -> None:
        due_s = began_s + n / rate
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        site, name = f"site{n % SITES}.example", f"{label}-{n}"
        body = {"name": name, "domain": site, "url": f"https://{site}/"}
        async with http.post(
            f"{door}/api/event", json=body, headers={"User-Agent": f"Mozilla/5.0 v{n % 400}"}
        ) as answer:
            assert answer.ok, await answer.text()
        if site != TENTH:
            due[name] = due_s

    await asyncio.gather(*(one(n) for n in range(int(rate * seconds))))
    return due


async def drained(http: aiohttp.ClientSession, door: str, sink: Sink, names: dict[str, float], *, whole: bool) -> None:
    """Wait until the nine's events have arrived, or, for the `whole`, nothing is pending."""
    deadline_s = time.perf_counter() + DRAIN_S
    while time.perf_counter() < deadline_s:
        async with http.get(f"{door}/metrics") as answer:
            empty = "\nrelay_pending 0.0" in await answer.text()
        if (empty or not whole) and names.keys() <= sink.arrived_s.keys():
            return
        await asyncio.sleep(0.1)
    raise SystemExit(f"not drained within {DRAIN_S:g} s")


async def measure(rate: float, seconds: float, pairs: int, port: int, status: int | None) -> dict[str, object]:
    """Alternate rounds; the nine's times of all rounds of a kind together, and of each."""
    door = f"http://127.0.0.1:{port}"
    times_s: dict[str, list[list[float]]] = {"well": [], "dead": []}
    async with (
        sink_on(port + 1, status) as sink,
        relay_on(port, f"http://127.0.0.1:{port + 1}"),
        aiohttp.ClientSession() as http,
    ):
        await drained(http, door, sink, await post_round(http, door, "warm", rate, 1.0), whole=True)
        for n in range(2 * pairs):
            kind = "dead" if n % 4 in {1, 2} else "well"  # well dead dead well: a trend favours neither
            sink.dead = kind == "dead"
            due_s = await post_round(http, door, f"{kind}{n}", rate, seconds)
            await drained(http, door, sink, due_s, whole=False)
            times_s[kind].append([sink.arrived_s[name] - at_s for name, at_s in due_s.items()])
            sink.revive()
            await drained(http, door, sink, due_s, whole=True)
    told = {kind: summary([t for one in rounds for t in one]) for kind, rounds in times_s.items()}
    each = {kind: [summary(one)["p99_ms"] for one in rounds] for kind, rounds in times_s.items()}
    return {
        "rate": rate,
        "the_tenth": "never answers" if status is None else f"answers {status}",
        "nine_due_to_arrival": told,
        "p99_ms_of_each_round": each,
        "ratio_p50": round(told["dead"]["p50_ms"] / told["well"]["p50_ms"], 3),
        "ratio_p99": round(told["dead"]["p99_ms"] / told["well"]["p99_ms"], 3),
        "ratio_of_median_p99s": round(statistics.median(each["dead"]) / statistics.median(each["well"]), 3),
    }


def main() -> None:
    """Read the options, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200, help="events a second of all ten sites together")
    parser.add_argument("--seconds", type=float, default=4, help="of each round")
    parser.add_argument("--pairs", type=int, default=8, help="rounds of each kind")
    parser.add_argument("--port", type=int, default=8410, help="of the door; the sink takes the next one")
    parser.add_argument("--status", type=int, help="what the tenth site answers while it is dead; without it, nothing")
    told = parser.parse_args()
    result = asyncio.run(measure(told.rate, told.seconds, told.pairs, told.port, told.status))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
