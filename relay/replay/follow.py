"""`--follow`: a log that is being written, through its rotation, until somebody says stop.

Renamed and made anew: the old file is read until nothing comes any more, then the new one. Copied and truncated: the
file begins anew. What was rotated while no replay ran is found beside the log, by what is known of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.queue.marked import Marks
from relay.replay import known
from relay.replay.batch import Lines
from relay.replay.opening import Opened, Plan, open_with
from relay.replay.run import Replay
from relay.replay.source import HEAD_BYTES, Log, UnreadableLogError, open_log

POLL_S: Final = 0.2
QUIET_S: Final = 2.0  # a server writes on to a renamed log until it is told of the new one
ROTATED_S: Final = 2 * 86_400.0  # a rotated file that was written since then may have lines that are not queued


@dataclass(slots=True)
class Follower:
    """Follows one log by its name."""

    replay: Replay
    plan: Plan
    name: str

    async def run(self) -> None:
        """Replay what there is and what comes, until `stop` is set. Raises as a replay does."""
        await self._finish_rotated()
        while not self.replay.stop.is_set():
            if not self._has_a_line():
                await self._pause()
                continue
            opened = open_with(self.name, self.plan)
            try:
                await self._read(opened, await self.replay.marks_of(opened))
            finally:
                opened.log.close()
            await self._finish_rotated()  # what was not read yet is there now

    def _has_a_line(self) -> bool:
        """Whether the log is there, and so much of it that its format can be seen."""
        if not Path(self.name).exists():
            return False  # it was renamed, and is about to be made again
        log = open_log(self.name)
        log.close()
        if log.compressed or log.inode is None:
            raise UnreadableLogError(f"{self.name} cannot be followed: it is compressed, or no file")
        return b"\n" in log.head or len(log.head) == HEAD_BYTES

    def _rotated(self) -> list[str]:
        """Files beside the log that may have been it, the oldest first."""
        path = Path(self.name)
        beside = [one for one in path.parent.iterdir() if one.name.startswith((f"{path.name}.", f"{path.name}-"))]
        ages = []
        for one in beside:
            with contextlib.suppress(FileNotFoundError):  # whoever rotates renames and removes at this moment
                ages.append((one.stat().st_mtime, str(one)))
        return [one for at, one in sorted(ages) if at > time.time() - ROTATED_S and Path(one).is_file()]

    async def _finish_rotated(self) -> None:
        """Replay the rest of what was rotated before it was read to its end."""
        for rotated in self._rotated():
            if not self.replay.stop.is_set():
                await self._finish(rotated)

    async def _finish(self, name: str) -> None:
        """Replay the rest of a rotated log, if its replay had begun."""
        with contextlib.suppress(UnreadableLogError):  # something else that is named alike
            opened = open_with(name, self.plan)
            try:
                marks = await known.find(self.replay.redis, self.replay.partitions, opened.log, self.replay.keep_ms)
                if marks is not None and marks.lowest:
                    opened.go_to(marks.lowest)
                    await self.replay.run(opened, marks)
            finally:
                opened.log.close()

    async def _read(self, opened: Opened, marks: Marks) -> None:
        """Read one file, until it is no longer the log's and gives nothing more."""
        log, quiet_s = opened.log, time.monotonic()
        while not self.replay.stop.is_set():
            lines = log.take()
            if _is_another(log):
                return  # its text began anew, so the lines may be of the new one; those of the old are in its copy
            if lines is not None and not lines.open_end:
                await self._know_better(marks, log)
                await self.replay.take(opened, marks, lines)
                quiet_s = time.monotonic()
                continue
            if time.monotonic() - quiet_s > QUIET_S and _has_moved(log, self.name):
                if lines is not None:
                    await self.replay.take(opened, marks, lines)
                return
            if lines is not None:
                _put_back(log, lines)
            await self._pause()

    async def _know_better(self, marks: Marks, log: Log) -> None:
        """A log that was begun when it was short is known by more of its text, once it has more.

        Before its lines are put, which may take long: a copy made meanwhile has to be known by it.
        """
        if len(log.head) < HEAD_BYTES <= log.offset:
            head = os.pread(log.file.fileno(), HEAD_BYTES, 0)
            if len(head) == HEAD_BYTES and head.startswith(log.head):  # else it was truncated just now
                log.head = head
                if marks.lowest:
                    await self.replay.patiently(lambda: known.keep(marks, log))

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.replay.stop.wait(), POLL_S)


def _put_back(log: Log, lines: Lines) -> None:
    """The last line has no end yet: it is read again when there is more."""
    log.back(lines.offset, lines.number)


def _is_another(log: Log) -> bool:
    """Whether the file was truncated, and perhaps written anew."""
    number = log.file.fileno()
    return os.fstat(number).st_size < log.offset or os.pread(number, len(log.head), 0) != log.head


def _has_moved(log: Log, name: str) -> bool:
    """Whether another file has the log's name now."""
    try:
        status = os.stat(name)  # noqa: PTH116 - beside fstat
    except FileNotFoundError:
        return False  # it is about to be made
    return (status.st_dev, status.st_ino) != (log.device, log.inode)
