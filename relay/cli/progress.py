"""How far a replay is: a bar that is redrawn on a terminal, a line every ten seconds elsewhere. On standard error."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import Final

import click

DRAW_S: Final = 0.2
LINE_S: Final = 10.0
BAR: Final = 24


@dataclass(slots=True)
class Progress:
    """`total` bytes are to be read; None if that is not known."""

    total: int | None
    terminal: bool = field(default_factory=sys.stderr.isatty)
    done: int = 0
    """Bytes of the logs that were read whole."""
    _began_s: float = field(default_factory=time.monotonic)
    _told_s: float = field(default_factory=time.monotonic)
    _from: int | None = None
    _drawn: bool = False

    def tell(self, name: str, read: int, lines: int, queued: int, waiting: str = "") -> None:
        """So far; what is written is up to the time since it was written last. `read`: bytes of this log."""
        now_s = time.monotonic()
        if self._from is None:
            self._from = self.done + read  # a resumed log is not read from its beginning
        if now_s - self._told_s < (DRAW_S if self.terminal else LINE_S):
            return
        self._told_s = now_s
        text = self._text(name, self.done + read, f"{lines:,} lines", f"{queued:,} events") + waiting
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r{text[:width]:<{width}}", nl=False, err=True)
            self._drawn = True
        else:
            click.echo(text, err=True)

    def note(self, text: str) -> None:
        """A line of its own."""
        self.end()
        click.echo(text, err=True)

    def end(self) -> None:
        """Leave what is drawn."""
        if self._drawn:
            click.echo(err=True)
        self._drawn = False

    def _text(self, name: str, read: int, lines: str, events: str) -> str:
        per_s = (read - (self._from or 0)) / max(0.001, time.monotonic() - self._began_s)
        rate = f"{per_s / 1e6:,.1f} MB/s"
        if not self.total or not self.terminal:
            share = f"{read / self.total:4.0%}, " if self.total else ""
            return f"{name}: {share}{lines}, {events}, {rate}{self._left(read, per_s)}"
        full = min(BAR, int(BAR * read / self.total))
        return f"{name} [{'#' * full}{'-' * (BAR - full)}] {read / self.total:4.0%}  {lines}  {events}  {rate}" + (
            self._left(read, per_s)
        )

    def _left(self, read: int, per_s: float) -> str:
        if not self.total or per_s <= 0:
            return ""
        left_s = int(max(0, self.total - read) / per_s)
        return f", {left_s // 3600}:{left_s // 60 % 60:02}:{left_s % 60:02} left"
