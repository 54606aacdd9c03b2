"""A few numbers in a shared file: the sink writes them, the bench reads them, and neither disturbs the other."""

from __future__ import annotations

import mmap
from enum import IntEnum
from pathlib import Path


class Field(IntEnum):
    """What each number is."""

    REQUESTS = 0  # came whole
    COUNTED = 1  # of these, counted as events
    CONNECTIONS = 2  # opened so far
    OPEN = 3  # open now
    MOST_OPEN = 4


class Board:
    """The numbers of one sink. The file is made when it is not there."""

    def __init__(self, path: Path) -> None:
        size = 8 * len(Field)
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        self.fields = memoryview(self._map).cast("Q")

    def __getitem__(self, field: Field) -> int:
        return self.fields[field]
