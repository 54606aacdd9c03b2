"""The embedded server: where its socket is, how it is started, and when it is ready.

It is started with `config/valkey.conf`; what its last words mean stands in `last_words.py`.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis.asyncio
from redis.exceptions import BusyLoadingError, RedisError

from relay.config_files import config_file
from relay.up.children import Child, ChildSpec, said
from relay.up.faults import StartError
from relay.up.last_words import explain
from relay.up.server_binary import ServerBinary

_log = logging.getLogger(__name__)

LONGEST_SOCKET_PATH: Final = 103  # bytes; sockaddr_un holds 104 on macOS and 108 on Linux, with the final zero
LARGEST_LOG: Final = 10_000_000  # bytes; a larger one starts anew
STOP_WITHIN_S: Final = 4.0  # it ends within a second; killed, it would lose nothing either, as each write is on disk
PROGRESS_EVERY_S: Final = 3.0
PROBE_S: Final = 1.0  # a server that loads answers only now and then


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A server to run on a data folder that the caller has locked; `lock` is the lock's file descriptor."""

    binary: ServerBinary
    data: Path
    socket: Path
    lock: int

    @property
    def url(self) -> str:
        """The server's address for redis-py."""
        return f"unix://{quote(str(self.socket))}?db=0"

    @property
    def log(self) -> Path:
        """The file that the server logs to."""
        return self.data / "valkey.log"

    def spec(self, env: Mapping[str, str]) -> ChildSpec:
        """Return the process to start. It inherits the lock, so it holds the folder as long as it lives."""
        argv = (
            str(self.binary.path),
            str(config_file("valkey.conf")),
            *("--dir", str(self.data)),
            *("--unixsocket", str(self.socket)),
        )
        return ChildSpec("server", argv, env, STOP_WITHIN_S, ends_last=True, pass_fds=(self.lock,), log=self.log)

    async def wait_until_ready(self, child: Child) -> None:
        """Return once the server has read its data and answers; raises StartError if it ends before.

        A long log takes its time to read: there is no limit while the process lives, and progress is told.
        """
        started_s = told_s = time.monotonic()
        async with redis.asyncio.Redis.from_url(self.url, socket_timeout=PROBE_S) as client:
            while (progress := await _progress(client)) is not None:
                if child.process.returncode is not None:
                    raise StartError(self._died(child.process.returncode))
                if time.monotonic() - told_s >= PROGRESS_EVERY_S:
                    told_s = time.monotonic()
                    _log.info("… the server is reading its data back: %.0f s%s", told_s - started_s, progress)
                await asyncio.sleep(0.05)

    def _died(self, code: int) -> str:
        return f"The embedded server ended with {said(code)}.\n{explain(self.log, self.data, self.binary)}"


def socket_path(data: Path) -> Path:
    """Choose where the socket of the data folder goes; a path too long for a socket moves to a folder of its own.

    Raises StartError if even that is too long.
    """
    path = data / "valkey.sock"
    if _fits(path):
        return path
    path = Path(tempfile.mkdtemp(prefix="relay-")) / "valkey.sock"  # mode 0700
    if _fits(path):
        return path
    path.parent.rmdir()
    raise StartError(
        f"The paths of the data folder {data} and of temporary files are too long for a unix socket "
        f"({LONGEST_SOCKET_PATH} bytes).\nName a shorter folder with RELAY_DATA or TMPDIR."
    )


def remove_socket_folder(socket: Path, data: Path) -> None:
    """Remove the folder that `socket_path` made, if it made one."""
    if socket.parent != data:
        shutil.rmtree(socket.parent, ignore_errors=True)


def bound_log(log: Path) -> None:
    """Start the server's log anew if it has grown too large."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        os.truncate(log, 0)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


async def _progress(client: redis.asyncio.Redis) -> str | None:
    """Return None if the server is ready, else what it says of its loading."""
    try:
        await client.ping()
    except BusyLoadingError:
        with contextlib.suppress(RedisError, KeyError, OSError):
            info = await client.info("persistence")
            return f", {float(info['loading_loaded_perc']):.0f} %"
        return ""
    except (RedisError, OSError):
        return ""
    return None
