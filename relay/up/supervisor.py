"""Starts the processes in order, keeps them running, and ends them: side by side, but for what others need until last.

Knows no setting and no port; what the processes are is said by their specs.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Final

from relay.up.children import Child, ChildSpec
from relay.up.embedded import EmbeddedServer
from relay.up.faults import StartError

_log = logging.getLogger(__name__)

HURRIED_S: Final = 3.0
_ONE_PRESS_S: Final = 0.2  # a wrapper may pass on the Ctrl-C that the terminal has sent already


class Supervisor:
    """Runs the embedded server, if there is one, and the other processes.

    `specs` is the order of starting. The server ends last.
    """

    def __init__(
        self, specs: Sequence[ChildSpec], server: EmbeddedServer | None, server_env: Mapping[str, str]
    ) -> None:
        self._specs = specs
        self._server = server
        self._server_env = server_env
        self._children: list[Child] = []  # in the order of starting
        self._keepers: dict[Child, asyncio.Task[None]] = {}
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()
        self._told_s = 0.0

    async def run(self, when_kept: Callable[[], Awaitable[None]], when_up: Callable[[], Awaitable[None]]) -> int:
        """Run until SIGTERM, SIGINT or SIGHUP.

        Calls `when_kept` when the server is ready and nothing else has started, `when_up` when everything serves.
        Returns the exit code: 0, or 1 if a process had to be killed. Raises StartError; all processes have ended then.
        """
        self._watch_signals()
        starting = self._watched(self._start(when_kept, when_up))
        try:
            await self._over
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._end()
        return 1 if any(child.was_killed for child in self._children) else 0

    async def _start(self, when_kept: Callable[[], Awaitable[None]], when_up: Callable[[], Awaitable[None]]) -> None:
        if self._server is not None:
            child = await self._launch(self._server.spec(self._server_env))
            await self._server.wait_until_ready(child)
            self._keepers[child] = self._watched(child.keep())
        await when_kept()
        for spec in self._specs:
            child = await self._launch(spec)
            self._keepers[child] = self._watched(child.keep())
            if spec.ready is not None:
                await spec.ready()
        await when_up()

    async def _launch(self, spec: ChildSpec) -> Child:
        try:
            child = await Child.start(spec)
        except OSError as error:
            raise StartError(f"The {spec.name} cannot be started ({spec.argv[0]}): {error}") from error
        self._children.append(child)
        _log.info("→ %s started as process %d", spec.name, child.process.pid)
        return child

    def _watched(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the work beside; its failure is the end of everything."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_failure)
        return task

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None and not self._over.done():
            self._over.set_exception(failure)

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup wants it ignored
                loop.add_signal_handler(number, self._heard, number)

    def _heard(self, number: signal.Signals) -> None:
        if not self._over.done():
            _log.info("← %s: ending, within %g s; Ctrl-C hurries it", number.name, self.ends_within_s)
            self._told_s = time.monotonic()
            self._over.set_result(None)
        elif number == signal.SIGINT and time.monotonic() - self._told_s > _ONE_PRESS_S:
            self._hurry.set()

    @property
    def ends_within_s(self) -> float:
        """The longest that an end may take."""
        return sum(max((child.spec.stop_within_s for child in turn), default=0.0) for turn in self._turns())

    def _turns(self) -> tuple[list[Child], list[Child]]:
        """Who is told to end at once, and who when these have ended."""
        last = [child for child in self._children if child.spec.ends_last]
        return [child for child in self._children if not child.spec.ends_last], last

    async def _end(self) -> None:
        orderly = asyncio.create_task(self._end_in_order())
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({orderly, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if orderly.done():
            return orderly.result()
        _log.warning("hurrying: everything is told to end at once and gets %g s", HURRIED_S)
        orderly.cancel()
        await asyncio.gather(orderly, return_exceptions=True)
        await asyncio.gather(*(self._end_child(child, HURRIED_S) for child in self._children))
        return None

    async def _end_in_order(self) -> None:
        for turn in self._turns():
            await asyncio.gather(*(self._end_child(child, child.spec.stop_within_s) for child in turn))

    async def _end_child(self, child: Child, within_s: float) -> None:
        """End a process; those whose turn has not come are still kept running."""
        if (keeper := self._keepers.pop(child, None)) is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        await child.stop(within_s)
        _log.info("← %s ended", child.spec.name)
