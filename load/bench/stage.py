"""What every measurement stands on: a folder that passes, a sink, and whatever else was started, ended in the end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import urllib.request
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from load.bench import events, wrk
from load.bench.board import Board
from load.bench.processes import LOAD_CORE, ROOT, Program, free_port, listens, pin

REQUESTS: Final = 1_000
BATCHES: Final = 40
PEERS_PYTHON: Final = str(ROOT / ".venv" / ".load" / "bin" / "python")


class Stops(Protocol):
    """Something that can be ended."""

    def stop(self) -> None:
        """End it."""


@dataclass(slots=True)
class Stage:
    """A folder, a sink with its board, scripts of wrk for events and for batches; `keep` ends things with the stage."""

    folder: Path
    sink: Program
    sink_port: int
    board: Board
    script: Path
    batches: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def keep(self, thing: Stops) -> None:
        """End it with the stage."""
        self.stack.callback(thing.stop)

    def mood(self, **how: float | bool) -> None:
        """Tell the sink how to answer (see load.bench.sink.Mood)."""
        asked = urllib.request.Request(f"{self.upstream}/mood", json.dumps(how).encode(), method="PUT")
        urllib.request.urlopen(asked, timeout=10).close()

    def arrivals(self) -> list[tuple[int, float]]:
        """What arrived since the last question, while the sink recorded: number, time (monotonic seconds)."""
        with urllib.request.urlopen(f"{self.upstream}/arrivals", timeout=60) as answer:
            flat = array("d", answer.read())
        return [(int(flat[at]), flat[at + 1]) for at in range(0, len(flat), 2)]

    @property
    def upstream(self) -> str:
        """The sink's address."""
        return f"http://127.0.0.1:{self.sink_port}"

    def peer(self, name: str, *words: str, python: str = sys.executable, **env: str) -> Program:
        """A peer that is a Python program, started on the servers' core; it ends with the stage."""
        program = Program(name, (python, "-m", *words), self.folder / f"{name}.log", env=plain_env() | env)
        program.start()
        self.keep(program)
        return program

    def door(
        self, name: str, module: str, *words: str, python: str = sys.executable, **env: str
    ) -> tuple[Program, int]:
        """A peer that takes events on a port (`--port`), started and listening."""
        port = free_port()
        program = self.peer(name, module, "--port", str(port), *words, python=python, **env)
        program.until(lambda: listens(port))
        return program, port


def has_peers() -> bool:
    """Whether the packages of FastAPI, arq and Celery are installed for the peers (`make load`)."""
    return Path(PEERS_PYTHON).exists()


def plain_env() -> dict[str, str]:
    """The environment without anything of a relay's."""
    return {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}


@contextmanager
def stage() -> Iterator[Stage]:
    """Set it up: this process and the sink on the load's core; everything ends with the block."""
    pin(os.getpid(), LOAD_CORE)
    with tempfile.TemporaryDirectory(prefix="bench-") as passing, ExitStack() as stack:
        folder, port = Path(passing), free_port()
        board = folder / "sink.board"
        made = Board(board)
        words = (sys.executable, "-m", "load.bench.sink", "--port", str(port), "--board", str(board))
        sink = Program("sink", words, folder / "sink.log", core=LOAD_CORE)
        sink.start()
        stack.callback(sink.stop)
        sink.until(lambda: listens(port))
        script = wrk.write_script(folder, "events", (events.request(n, 80) for n in range(REQUESTS)))
        batches = wrk.write_script(folder, "batches", (events.batch_request(n, 80) for n in range(BATCHES)))
        yield Stage(folder, sink, port, made, script, batches, stack)
