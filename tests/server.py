"""A real Valkey or Redis for tests: the relay's own configuration, on a unix socket, to be stopped, killed or frozen.

It is started as `relay up` starts its embedded one. Tests of `relay up` itself start that instead.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from relay.up.datadir import lock_data_folder
from relay.up.embedded import EmbeddedServer, remove_socket_folder, socket_path
from relay.up.leash import leash
from relay.up.server_binary import find_server

PATIENCE_S: Final = 20.0  # two busy cores


@dataclass(slots=True)
class TestServer:
    """A server with its data in `data`; not running before `start`, which may follow `stop` and `kill`."""

    __test__ = False  # not a test, whatever pytest thinks of the name

    data: Path
    _embedded: EmbeddedServer = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        lock = lock_data_folder(self.data)
        self._embedded = EmbeddedServer(find_server(), self.data, socket_path(self.data), lock)

    @property
    def url(self) -> str:
        """Its address for `relay.queue.connection.connect`."""
        return self._embedded.url

    def start(self) -> None:
        """Start it and return when it answers."""
        spec = self._embedded.spec(os.environ)
        with self._embedded.log.open("ab") as log:
            self._process = subprocess.Popen(
                spec.argv,
                stdout=log,
                stderr=log,
                pass_fds=spec.pass_fds,
                start_new_session=True,
                preexec_fn=leash(),  # noqa: PLW1509 - the tests start no threads
            )
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, self._embedded.log.read_text()
            assert time.monotonic() < deadline_s, "the server did not start in time"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """End it cleanly (SIGTERM) and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL) and wait."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it neither answer nor end (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def empty(self) -> None:
        """Forget all data and scripts."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()

    def close(self) -> None:
        """End it if it runs, and give its folder free."""
        self.kill()
        remove_socket_folder(self._embedded.socket, self.data)
        os.close(self._embedded.lock)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server does not run"
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None
