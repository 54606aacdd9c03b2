"""The report of `relay replay`: a JSON line for each refused line of a log, with its reason and nothing of a person."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from relay.replay.batch import Batch


class Report:
    """An open report, or none at all."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file

    def add(self, log: str, batch: Batch) -> None:
        """Write what was refused of these lines."""
        if self._file is None or not batch.refused:
            return
        for one in batch.refused:
            row = {"file": log, "line": one.number, "reason": one.refusal.reason, "detail": one.refusal.detail}
            self._file.write(orjson.dumps(row) + b"\n")
        self._file.flush()


@contextmanager
def report_to(path: Path | None) -> Iterator[Report]:
    """Open the report; it is added to, as a replay may go on. A file that cannot be written ends the command."""
    if path is None:
        yield Report(None)
        return
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            yield Report(file)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
