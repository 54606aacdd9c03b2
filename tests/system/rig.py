"""Starts the real relay as its users do, speaks to it over HTTP, and looks at it from outside only.

Only while it waits does it look into Redis: a command for each look would cost more than what is looked at.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from relay.queue.connection import AWAY, connect, kept_partitions
from relay.queue.ledger import look
from relay.up import read_run

PATIENCE_S = 60.0  # two busy cores and a cold start of five processes
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


async def until(what: str, condition: Callable[[], Awaitable[Any]], *, within_s: float = PATIENCE_S) -> Any:
    """Return the condition's first truthy value; fails the test with `what` if there is none in time."""
    deadline_s = time.monotonic() + within_s
    while not (value := await condition()):
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.02)
    return value


def event(name: str = "pageview", **more: Any) -> dict[str, Any]:
    """A legal event's body."""
    return {"name": name, "domain": "example.com", "url": "https://example.com/"} | more


@dataclass(slots=True)
class Relay:
    """A `relay up` in `folder`, its sandbox, and a client for both."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    http: aiohttp.ClientSession = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)
    door: str = ""
    sandbox: str | None = None

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession()
        try:
            await self.start()
        except BaseException:
            await self.http.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await self.http.close()

    @property
    def env(self) -> dict[str, str]:
        """The environment it runs in: fast retries, loopback trusted, free ports."""
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("RELAY_")}
        return inherited | {
            "RELAY_LISTEN": "127.0.0.1:0",
            "RELAY_SANDBOX_LISTEN": "127.0.0.1:0",
            "RELAY_DATA": str(self.folder / "data"),
            "RELAY_TRUSTED_PROXIES": "127.0.0.1",
            "RELAY_RETRY_BASE_S": "0.1",
            "RELAY_RETRY_CAP_S": "2",
            **self.environ,
        }

    async def start(self) -> None:
        """Start it, and wait until the door takes events and every partition has a worker."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - started, not waited for
                (sys.executable, "-m", "relay", "up"),
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        run = await until(f"a start; it said:\n{self.said()}", self._run)
        self.door, self.sandbox = run["door"], run["sandbox"]
        await until("all partitions owned", self._owned)

    async def _run(self) -> Any:
        assert self.process.poll() is None, self.said()
        try:
            run = json.loads((self.folder / "data" / "run.json").read_bytes())
        except (OSError, ValueError):
            return None
        return run if run["pid"] == self.process.pid else None

    async def _owned(self) -> bool:
        try:
            async with self.http.get(f"{self.door}/metrics") as answer:
                return "relay_partitions_owned 8.0" in await answer.text()
        except aiohttp.ClientError:
            return False

    def said(self) -> str:
        """All that it and its children wrote."""
        return (self.folder / "log").read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def child(self, role: str) -> int:
        """Process id of the child `relay <role>`, or of the server for `valkey`."""
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode()
            is_server = "valkey-server" in command or "redis-server" in command  # what `up` finds on the machine
            if role in command.split("\0") or (role == "valkey" and is_server):
                return int(child)
        raise AssertionError(f"there is no {role}")

    async def killed(self, role: str) -> None:
        """Kill a child (SIGKILL) and wait for the one that takes its place."""
        await self.restarted(role, signal.SIGKILL)

    async def restarted(self, role: str, number: signal.Signals) -> None:
        """Send the signal to a child and wait for the one that takes its place."""
        before = self.child(role)
        os.kill(before, number)

        async def another() -> bool:
            try:
                return self.child(role) != before
            except (AssertionError, OSError):
                return False

        await until(f"another {role}", another)

    async def post(self, body: dict[str, Any] | bytes, **headers: str) -> int:
        """Post one event to the door; the status. Header names are given with underscores."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"User-Agent": BROWSER} | {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.http.post(f"{self.door}/api/event", data=data, headers=sent) as answer:
            await answer.read()
            return answer.status

    async def faults(self, *rules: dict[str, Any]) -> None:
        """Tell the sandbox how to fail; nothing makes it well again."""
        async with self.http.put(f"{self.sandbox}/faults", json=list(rules)) as answer:
            assert answer.status == 200, await answer.text()

    async def forget(self) -> None:
        """Let the sandbox forget what it received."""
        async with self.http.delete(f"{self.sandbox}/events") as answer:
            assert answer.ok, await answer.text()

    async def arrived(self) -> dict[str, Any]:
        """What the sandbox received."""
        async with self.http.get(f"{self.sandbox}/events") as answer:
            told: dict[str, Any] = await answer.json()
            return told

    async def recorded(self, count: int, *, within_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Wait until that many events are recorded; they, in their order."""

        async def enough() -> list[dict[str, Any]] | None:
            found = [e for e in (await self.arrived())["events"] if e["outcome"] == "recorded"]
            return found if len(found) >= count else None

        found: list[dict[str, Any]] = await until(f"{count} events at the sandbox", enough, within_s=within_s)
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `relay …` beside it."""
        return subprocess.run(
            (sys.executable, "-m", "relay", *words), env=self.env, capture_output=True, text=True, check=False
        )

    def ledger(self) -> dict[str, int]:
        """The five numbers of `relay status --json`; they must balance."""
        told = json.loads(self.command("status", "--json").stdout)
        numbers: dict[str, int] = told["ledger"]
        outcomes = sum(numbers[name] for name in ("delivered", "dropped", "dead", "pending"))
        assert numbers["accepted"] == outcomes, numbers
        return numbers

    async def settled(self, **expected: int) -> None:
        """Wait until `relay status` has these numbers, and do not start it before Redis has them."""
        run = read_run(self.folder / "data")
        assert run is not None, "there is no run.json"
        redis = connect(run.redis_url)

        async def there() -> bool:
            try:
                kept = (await look(redis, await kept_partitions(redis) or 0)).ledger
            except AWAY:
                return False
            return expected.items() <= kept.items() and expected.items() <= self.ledger().items()

        try:
            await until(f"{expected}", there)
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {self.ledger()}; it said:\n{self.said()[-4_000:]}") from late
        finally:
            await redis.aclose()
