"""Writing JSON, one object a line, to standard output or to a file that is there whole or not at all.

Lines are written as they come, so that a million of them take no memory. Files are for their owner's eyes only.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

Write = Callable[[Mapping[str, Any]], None]


@contextmanager
def lines_to(output: Path | None) -> Iterator[Write]:
    """Give the function that writes a line. A file must not be there yet; if the block fails, it never is.

    Raises click's exceptions when it cannot be written.
    """
    if output is None:
        with _said("standard output"):
            yield _writer(sys.stdout.buffer, "standard output")
            sys.stdout.buffer.flush()
        return
    if output.exists():
        raise click.ClickException(f"{output} is there already: name another file")
    part = output.with_name(f"{output.name}.{os.getpid()}.part")
    try:
        with _said(str(output)), os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield _writer(file, str(output))
            file.flush()
            os.fsync(file.fileno())  # what was exported may be purged next
        part.rename(output)
    finally:
        part.unlink(missing_ok=True)


def _writer(file: BinaryIO, name: str) -> Write:
    def write(line: Mapping[str, Any]) -> None:
        with _said(name):
            file.write(orjson.dumps(line) + b"\n")

    return write


@contextmanager
def _said(name: str) -> Iterator[None]:
    """Put a failure to write into words; a reader that has seen enough, as `head`, ends the command silently."""
    try:
        yield
    except BrokenPipeError:
        with contextlib.suppress(OSError):  # or Python would complain when it flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from None
    except OSError as error:
        raise click.ClickException(f"{name} cannot be written: {error.strerror}") from error
