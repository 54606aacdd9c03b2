"""Processes beside the relay: a site's server, its edge. Each says its address when it is ready, and is ended."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clients.needs import node
from tests.up.rig import wait_for

Command = Sequence[str | Path]
HERE: Final = Path(__file__).parent
ADDRESS: Final = re.compile(r"http://(?:127\.0\.0\.1|localhost):(\d+)")
START_S: Final = 60.0
END_S: Final = 10.0
ENVIRON: Final = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}  # nothing leaves this machine


@contextmanager
def running(command: Command, log: Path, *, cwd: Path = HERE) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until the block ends. What it writes goes into `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=ENVIRON, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(END_S)


@contextmanager
def server(command: Command, log: Path, *, cwd: Path = HERE) -> Iterator[str]:
    """Run it until the block ends; gives the address that it says it listens on. What it writes goes into `log`."""
    with running(command, log, cwd=cwd) as process:

        def port() -> str | None:
            assert process.poll() is None, log.read_text()
            found = ADDRESS.search(log.read_text())
            return found and found[1]

        yield f"http://127.0.0.1:{wait_for(f'an address in {log.name}', port, within_s=START_S)}"


@contextmanager
def edge(log: Path, target: str, *, visitor: str = "-") -> Iterator[str]:
    """Give the address of a proxy before `target`, which names the `visitor` as the sender; "-": nobody."""
    with server((node(), HERE / "edge.mjs", visitor, target), log) as address:
        yield address
