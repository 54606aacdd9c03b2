"""One child process of the supervisor: started, watched, started again when it dies, stopped.

Knows nothing of what the child does.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from relay.up.faults import StartError
from relay.up.leash import leash

_log = logging.getLogger(__name__)

BACKOFF_S: Final = 0.5  # before the first new start; doubles up to the cap
BACKOFF_CAP_S: Final = 5.0  # so that a server that died again and again, too, is back within the 10 s that are promised
HEALTHY_S: Final = 30.0  # a child that lived this long starts over with the shortest pause
WRONG_CONFIGURATION: Final = 2  # exit code with which a relay command refuses its settings


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep running.

    `stop_within_s` is what it may take from SIGTERM to its end. Those with `ends_last` are told to end when all others
    have ended: these need them until then. `ready` returns once the child serves. Output is inherited, or appended to
    `log`.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stop_within_s: float
    ends_last: bool = False
    ready: Callable[[], Awaitable[None]] | None = None
    pass_fds: tuple[int, ...] = ()
    log: Path | None = None


class Child:
    """A running child. `was_killed` says that it had to be ended with SIGKILL."""

    def __init__(self, spec: ChildSpec, process: Process) -> None:
        self.spec = spec
        self.process = process
        self.was_killed = False
        self._started_s = time.monotonic()
        self._was_told = False

    @classmethod
    async def start(cls, spec: ChildSpec) -> Self:
        """Start the process. Raises OSError if the system cannot."""
        return cls(spec, await _spawn(spec))

    async def keep(self) -> None:
        """Start the process again whenever it ends; runs until cancelled.

        Raises StartError if it refuses its configuration: starting again would not mend that.
        """
        pause_s = BACKOFF_S
        while True:
            code = await self.process.wait()
            lived_s = time.monotonic() - self._started_s
            if code == WRONG_CONFIGURATION and lived_s < HEALTHY_S:
                raise StartError(
                    f"The {self.spec.name} refuses its configuration; its own message stands above.",
                    exit_code=WRONG_CONFIGURATION,
                )
            if lived_s >= HEALTHY_S:
                pause_s = BACKOFF_S
            ended = f"{self.spec.name} ended with {said(code)} after {lived_s:.1f} s"
            _log.warning("! %s, starting it again in %g s", ended, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_CAP_S)
            await self._start_again()

    async def _start_again(self) -> None:
        while True:
            try:
                self.process = await _spawn(self.spec)
            except OSError as error:  # no memory or no process left: that passes
                _log.warning("! %s cannot be started: %s", self.spec.name, error)
                await asyncio.sleep(BACKOFF_CAP_S)
            else:
                self._started_s = time.monotonic()
                _log.info("↻ %s started again as process %d", self.spec.name, self.process.pid)
                return

    async def stop(self, within_s: float) -> None:
        """Tell the process to end (SIGTERM, once) and wait; past the limit end it with SIGKILL and say so."""
        if self.process.returncode is not None:
            return
        if not self._was_told:
            self._was_told = True
            self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await self.process.wait()
        except TimeoutError:
            _log.warning("! %s did not end within %g s, killing it", self.spec.name, within_s)
            self.was_killed = True
            self._signal(signal.SIGKILL)
            await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


def _appended(log: Path) -> BinaryIO:
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


async def _spawn(spec: ChildSpec) -> Process:
    """Start a process in a session of its own: Ctrl-C on the terminal reaches only the supervisor."""
    with contextlib.ExitStack() as files:
        output = files.enter_context(_appended(spec.log)) if spec.log else None
        return await asyncio.create_subprocess_exec(
            *spec.argv,
            env=spec.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=spec.pass_fds,
            start_new_session=True,
            preexec_fn=leash(),
            umask=0o077,  # what a child writes, IP addresses among it, is its user's alone
        )


def said(code: int) -> str:
    """Name how a process ended: `exit code 3`, or `signal SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
