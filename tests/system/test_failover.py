"""The queue's server dies, and Sentinel makes its replica the new one: the relay finds it by itself."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from relay.up.leash import leash
from relay.up.server_binary import find_server
from tests.system.rig import PATIENCE_S, Relay, event, until

SERVICE = "main"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Pair:
    """A master, its replica, and a Sentinel that watches them."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What RELAY_REDIS_URL has to be."""
        return f"redis+sentinel://127.0.0.1:{self.ports[2]}/{SERVICE}"

    def start(self) -> None:
        """Start all three; returns when the replica has its master's data."""
        master, replica, sentinel = self.ports
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        self._run("master", "--port", str(master), *durable)
        self._run("replica", "--port", str(replica), *durable, "--replicaof", "127.0.0.1", str(master))
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {sentinel}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {master} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 3000\n"
        )
        self._run("sentinel", str(config), "--sentinel", config=True)
        self._wait(replica, lambda told: told["master_link_status"] == "up")
        self._wait(sentinel, lambda told: told["master0"]["slaves"] == 1, section="sentinel")

    def _run(self, name: str, *words: str, config: bool = False) -> None:
        folder = self.folder / name
        folder.mkdir()
        here = () if config else ("--bind", "127.0.0.1", "--dir", str(folder))
        with (folder / "log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    (str(find_server().path), *words, *here),
                    cwd=folder,
                    stdout=log,
                    stderr=log,
                    preexec_fn=leash(),  # noqa: PLW1509 - the tests start no threads
                )
            )

    def _wait(self, port: int, condition: Callable[[Any], bool], section: str = "replication") -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with redis.Redis(port=port) as client:
                    if condition(client.info(section)):
                        return
            except (redis.RedisError, KeyError):
                pass
            assert time.monotonic() < deadline_s, f"port {port} is not as it should be"
            time.sleep(0.02)

    def replicated(self) -> bool:
        """Whether the replica has all that the master wrote."""
        with redis.Redis(port=self.ports[0]) as client:
            return int(client.wait(1, 5_000)) == 1

    def kill_master(self) -> None:
        """As a crash of its machine would."""
        self.processes[0].send_signal(signal.SIGKILL)
        self.processes[0].wait(PATIENCE_S)

    def close(self) -> None:
        """End all."""
        for process in self.processes:
            process.kill()
            process.wait(PATIENCE_S)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A running pair."""
    folder = tmp_path / "pair"
    folder.mkdir()
    made = Pair(folder)
    try:
        made.start()
        yield made
    finally:
        made.close()


async def test_a_failover_by_sentinel(tmp_path: Path, pair: Pair) -> None:
    """Doors and workers follow to the new master within seconds; what the replica had is delivered, in order."""
    async with Relay(tmp_path, {"RELAY_REDIS_URL": pair.url}) as relay:
        await relay.faults({"status": 503})
        for n in range(50):
            assert await relay.post(event(f"before{n}")) == 202
        assert pair.replicated()
        pair.kill_master()
        refused = set()

        async def taken() -> bool:
            refused.add(status := await relay.post(event("during")))
            return status == 202

        await until("events are taken by the new master", taken, within_s=20)
        assert refused <= {202, 503}
        for n in range(20):
            assert await relay.post(event(f"after{n}")) == 202
        await relay.faults()
        names = [entry["name"] for entry in await relay.recorded(71)]
        assert names == [f"before{n}" for n in range(50)] + ["during"] + [f"after{n}" for n in range(20)]
        await relay.settled(accepted=71, delivered=71)
