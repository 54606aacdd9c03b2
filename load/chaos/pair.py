"""A master, its replica and a Sentinel: real servers, of which the master can be killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from load.chaos.ports import free_port
from relay.up.leash import leash
from relay.up.server_binary import find_server

SERVICE: Final = "main"
PATIENCE_S: Final = 60.0


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
                    preexec_fn=leash(),  # noqa: PLW1509 - no threads are started
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
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"port {port} is not as it should be")
            time.sleep(0.02)

    def replicated(self) -> bool:
        """Whether the replica has all that the master wrote."""
        with redis.Redis(port=self.ports[0]) as client:
            return int(client.wait(1, 5_000)) == 1

    def has_elected(self) -> bool:
        """Whether Sentinel says that the replica is the master now."""
        with redis.Redis(port=self.ports[2]) as client:
            told: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(told[1]) == self.ports[1]

    def kill_master(self) -> None:
        """As a crash of its machine would."""
        self.processes[0].send_signal(signal.SIGKILL)
        self.processes[0].wait(PATIENCE_S)

    def close(self) -> None:
        """End all."""
        for process in self.processes:
            process.kill()
            process.wait(PATIENCE_S)
