"""Processes that are measured: each pinned to a core, its CPU time read from the kernel's own clock, ended with us.

CPU time counts what a process ran, not what it waited for, so it is the steadier figure on a machine with neighbours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.up.leash import leash

SERVER_CORE: Final = 0
LOAD_CORE: Final = (os.cpu_count() or 1) - 1  # the same one on a machine with a single core
PATIENCE_S: Final = 60.0
ROOT: Final = Path(__file__).parents[2]
NS_A_SECOND: Final = 1e9


class NotReadyError(RuntimeError):
    """A process did not come up; the text says which, and where its log is."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S, step_s: float = 0.005) -> None:
    """Wait until it holds; raises NotReadyError after `patience_s`."""
    deadline_s = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise NotReadyError(f"{what} did not come within {patience_s:g} s")
        time.sleep(step_s)


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(thread.name), {core})


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process itself on another core, for the length of the block."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in tree(int(child)))]


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and of all that it started, so far (/proc/<pid>/task/<tid>/schedstat, nanoseconds)."""
    total_ns = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{one}/task").iterdir():
                total_ns += int((thread / "schedstat").read_text().split()[0])
    return total_ns / NS_A_SECOND


@dataclass(slots=True)
class Program:
    """A process of a name: started on its core, its output in a log, ended by its own number."""

    name: str
    argv: Sequence[str]
    log: Path
    core: int = SERVER_CORE
    env: Mapping[str, str] | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. It ends when we do."""
        tie = leash()

        def prepare() -> None:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {self.core})
            if tie is not None:
                tie()

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self.env,
                preexec_fn=prepare,  # noqa: PLW1509 - no threads here
            )

    @property
    def pid(self) -> int:
        """Its number. It must have been started."""
        assert self.process is not None, self.name
        return self.process.pid

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, with those of its children."""
        return cpu_s(self.pid)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is ready; raises NotReadyError with the log's end if it dies before."""

        def ready() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise NotReadyError(f"{self.name} ended: {self.log.read_text()[-2_000:]}")
            return condition()

        until(f"{self.name} (see {self.log})", ready, step_s=0.02)

    def stop(self) -> None:
        """End it cleanly, or by force if it does not care."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def listens(port: int) -> bool:
    """Whether something takes connections on that port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False
