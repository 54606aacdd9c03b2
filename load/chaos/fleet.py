"""The relay's processes: a `relay up`, and a second door and worker beside it that reach the queue through a proxy.

Whatever ends is started again at once, as a supervisor of the operating system would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from load.chaos.ports import free_port
from load.chaos.proxy import Proxy
from load.chaos.sink import Sink

START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 40.0
PARTITIONS: Final = 8  # the setting's default
FAIR: Final = 3  # of eight partitions; one is given back at a time, and the last may take a moment longer


class Role(StrEnum):
    """What can be hit. The first four are `relay up` and its children."""

    SUPERVISOR = "supervisor"
    DOOR = "door"
    WORKER = "worker"
    SERVER = "queue's server"
    SECOND_DOOR = "second door"
    SECOND_WORKER = "second worker"


_WORD: Final = {Role.DOOR: "serve", Role.WORKER: "work"}


def relay_environ(sink: Sink) -> dict[str, str]:
    """The environment of a relay that sends there. Times and limits are those in use, but for shorter waits."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("RELAY_")}
    return inherited | {
        "RELAY_UPSTREAM": sink.url,
        "RELAY_SITES": "example.com",
        "RELAY_TRUSTED_PROXIES": "127.0.0.1",
        "RELAY_RETRY_BASE_S": "0.2",
        "RELAY_RETRY_CAP_S": "2",
        "RELAY_RETRY_FOR_S": "10",
        "RELAY_ANSWER_TIMEOUT_S": "3",
        "RELAY_LOG_FORMAT": "json",
    }


async def command(env: dict[str, str], *words: str) -> tuple[int, str]:
    """Run `relay …`; its exit code, and what it said."""
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relay", *words, env=env, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asked.communicate()
    return await asked.wait(), said.decode()


async def until_ready(door: str, *, workers: int = 1) -> None:
    """Wait until a door is ready and sees so many workers."""

    async def ready() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{door}/health/ready") as answer:
                return answer.status == 200 and (await answer.json())["workers"] >= workers  # noqa: PLR2004 - ready
        except aiohttp.ClientError:
            return False

    deadline_s = time.monotonic() + START_WITHIN_S
    while not await ready():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{door} is not ready; see the logs beside its data")
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Kept:
    """A process that is started again whenever it ends."""

    words: tuple[str, ...]
    env: dict[str, str]
    log: Path
    process: Process | None = None
    starts: int = 0

    async def run(self) -> None:
        """Keep it running until cancelled; then end it with SIGTERM, and wait."""
        try:
            while True:
                with self.log.open("ab") as log:
                    self.process = await asyncio.create_subprocess_exec(
                        sys.executable, "-m", "relay", *self.words, env=self.env, stdout=log, stderr=log
                    )
                self.starts += 1
                await self.process.wait()
                await asyncio.sleep(0.2)
        finally:
            if self.process is not None and self.process.returncode is None:
                self.process.send_signal(signal.SIGCONT)
                self.process.terminate()
                async with asyncio.timeout(STOP_WITHIN_S):
                    await self.process.wait()


@dataclass(slots=True)
class Fleet:
    """All of it, in a folder of its own."""

    folder: Path
    sink: Sink
    proxy: Proxy = field(default_factory=Proxy)
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    kept: dict[Role, Kept] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def doors(self) -> list[str]:
        """Where events can be posted."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    async def start(self) -> None:
        """Start everything; returns when both doors are ready and the workers share the partitions."""
        await self.proxy.start()
        common = relay_environ(self.sink)
        listen = [f"127.0.0.1:{port}" for port in self.ports]
        self._keep(Role.SUPERVISOR, ("up",), common | {"RELAY_DATA": str(self._data), "RELAY_LISTEN": listen[0]})
        self.proxy.socket = str(await self._until("a start of relay up", self._socket))
        beside = common | {"RELAY_REDIS_URL": f"redis://127.0.0.1:{self.proxy.port}"}
        self._keep(Role.SECOND_DOOR, ("serve",), beside | {"RELAY_LISTEN": listen[1]})
        secure = {"RELAY_UPSTREAM": self.sink.secure_url}
        if self.sink.certificates:
            secure["SSL_CERT_FILE"] = str(self.sink.certificates.authority)
        self._keep(Role.SECOND_WORKER, ("work",), beside | secure)
        await self._until("two doors", self._pid_of_all)
        for door in self.doors:
            await until_ready(door, workers=2)
        async with asyncio.timeout(START_WITHIN_S):
            while not await self._is_shared():  # noqa: ASYNC110 - asked of other processes
                await asyncio.sleep(0.1)

    async def _is_shared(self) -> bool:
        """Whether each of both workers owns its share of the partitions, or nearly."""
        owned = [len(state["partitions"]) for state in (await self.status())["workers"].values()]
        return len(owned) == 2 and min(owned) >= FAIR  # noqa: PLR2004 - workers

    def _keep(self, role: Role, words: tuple[str, ...], env: dict[str, str]) -> None:
        name = role.replace(" ", "-")
        self.kept[role] = Kept(words, env, self.folder / f"{name}.log")
        self._tasks.append(asyncio.create_task(self.kept[role].run()))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self) -> Any:
        try:
            return json.loads((self._data / "run.json").read_bytes())
        except (OSError, ValueError):
            return None

    def _socket(self) -> str | None:
        run = self._run()
        return urlsplit(run["redis_url"]).path if run else None

    @property
    def redis_url(self) -> str:
        """The queue's server, past the proxy."""
        return f"unix://{self._socket()}"

    def _pid_of_all(self) -> bool:
        return all(self.pid(role) is not None for role in Role)

    def pid(self, role: Role) -> int | None:
        """Process id of what plays that role now, None while nothing does."""
        if role in self.kept:
            process = self.kept[role].process
            return process.pid if process is not None and process.returncode is None else None
        supervisor = self.pid(Role.SUPERVISOR)
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                if _WORD.get(role) in words or (role is Role.SERVER and "-server" in words[0]):
                    return int(child)
        return None

    async def signal(self, role: Role, number: signal.Signals) -> bool:
        """Send a signal; False if nothing plays the role just now."""
        pid = self.pid(role)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    async def _until(self, what: str, condition: Callable[[], Any]) -> Any:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not (value := condition()):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{what} did not come; see the logs in {self.folder}")
            await asyncio.sleep(0.02)
        return value

    async def command(self, *words: str) -> tuple[int, str]:
        """Run `relay …` beside it; its exit code, and what it said."""
        return await command(self.kept[Role.SUPERVISOR].env | {"RELAY_REDIS_URL": self.redis_url}, *words)

    async def status(self) -> dict[str, Any]:
        """What `relay status --json` tells."""
        _, said = await self.command("status", "--json")
        told: dict[str, Any] = json.loads(said)
        return told

    async def stop(self) -> None:
        """End everything cleanly, the second door and worker first."""
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.proxy.stop()
