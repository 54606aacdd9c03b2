"""How far a replay is: redrawn on a terminal, a line now and then elsewhere, nothing when it is over in a moment."""

import re
from typing import Any

import pytest

from relay.cli.progress import Progress

LONG_AGO_S = -1e9


def progress(**fields: Any) -> Progress:
    """A progress that was never written."""
    return Progress(1_000_000, **{"_told_s": LONG_AGO_S, **fields})


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Share, lines, events, rate and time left in one line that is drawn again; the next line begins below it."""
    told = progress(terminal=True)
    told.tell("access.log", 0, 0, 0)
    told._told_s = LONG_AGO_S  # noqa: SLF001 - a fifth of a second later
    told.tell("access.log", 250_000, 1_200, 400, ", waits")
    told.note("the end")
    bar = r"access.log \[######------------------\]  25%  1,200 lines  400 events  [\d.,]+ MB/s"
    drawn = capsys.readouterr().err.split("\r")
    assert re.match(bar, drawn[-1])
    assert drawn[-1].endswith("\nthe end\n")


def test_a_line_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log file no line is drawn over, and the next comes ten seconds later."""
    told = progress(terminal=False, done=100_000)
    told.tell("b.log", 150_000, 1_200, 400)
    told.tell("b.log", 160_000, 1_300, 410)
    said = capsys.readouterr().err
    assert re.fullmatch(r"b\.log:  25%, 1,200 lines, 400 events, 0\.0 MB/s\n", said)
