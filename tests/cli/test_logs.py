"""Log lines: what a machine and a person read, and what neither may."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from relay.logs import setup_logging

PERSON = "198.51.100.23"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Setting up logging is for a whole process; a test takes it back."""
    root, arq, server = logging.getLogger(), logging.getLogger("arq"), logging.getLogger("aiohttp.server")
    access = logging.getLogger("aiohttp.access")
    before = (root.handlers[:], root.level, arq.level, server.filters[:], access.disabled)
    root.handlers[:] = []  # pytest's own are not to be closed
    yield
    root.handlers[:], root.level, arq.level, server.filters[:], access.disabled = before
    logging.getLogger("arq").setLevel(before[2])  # clears what loggers remember of their level


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def written(log_format: str | None, log_level: str, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set logging up to write to the stream."""
    monkeypatch.setattr("sys.stderr", stream)
    setup_logging(log_format, log_level, "door")


def test_a_json_line_has_time_level_process_logger_message_and_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """One object a line, with whatever the code added."""
    stream = io.StringIO()
    written("json", "info", stream, monkeypatch)
    logging.getLogger("relay.http").info("backlog is %d", 7, extra={"site": "a.example", "when": {1}, "msg2": None})
    line = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "process": "door",
        "logger": "relay.http",
        "msg": "backlog is 7",
        "site": "a.example",
        "when": "{1}",
        "msg2": None,
    }


def test_an_exception_stays_within_its_json_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback is text in the line that tells of it, never lines of its own."""
    stream = io.StringIO()
    written("json", "info", stream, monkeypatch)
    logging.getLogger("relay").error("failed \ud800", exc_info=ValueError("two\nlines"))
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


def test_nobody_forges_a_text_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's name may hold a line break or an escape sequence; the line stays one, and shows them."""
    stream = io.StringIO()
    written("text", "info", stream, monkeypatch)
    logging.getLogger("relay").info("an event of %s", "a\n2026 error \x1b[31m", extra={"more": "b\rc"})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r"an event of a\n2026 error \x1b[31m more=b\rc")


def test_a_text_line_reads_at_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal: time, level, process, message, extras; a traceback below."""
    stream = io.StringIO()
    written("text", "info", stream, monkeypatch)
    logging.getLogger("relay").warning("slow", extra={"lag_s": 2.5})
    assert re.fullmatch(r"\S+Z warning door: slow lag_s=2\.5\n", stream.getvalue())


@pytest.mark.parametrize(("stream", "first"), [(Terminal(), "2"), (io.StringIO(), "{")])
def test_without_a_format_a_terminal_gets_text(
    stream: io.StringIO, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People get lines for people, everything else gets JSON."""
    written(None, "info", stream, monkeypatch)
    logging.getLogger("relay").info("ready")
    assert stream.getvalue().startswith(first)


def test_less_important_lines_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """log_level names the least that is written, for arq at least warnings."""
    stream = io.StringIO()
    written("text", "debug", stream, monkeypatch)
    logging.getLogger("relay").debug("one")
    logging.getLogger("arq.worker").info("job(%r)", PERSON)
    logging.getLogger("arq.worker").warning("two")
    written("text", "error", stream, monkeypatch)
    logging.getLogger("relay").warning("three")
    logging.getLogger("arq.worker").warning("four")
    assert [line.rsplit(" ", 1)[1] for line in stream.getvalue().splitlines()] == ["one", "two"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_visitor_in_any_line(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a careless extra nor aiohttp's own messages write a visitor's IP or User-Agent."""
    stream = io.StringIO()
    written(log_format, "debug", stream, monkeypatch)
    setup_logging(log_format, "debug", "door")  # a second time changes nothing
    logging.getLogger("relay").info("refused", extra={"ip": PERSON, "user_agent": "Mozilla", "site": "a.example"})
    logging.getLogger("aiohttp.access").info("%s GET /", PERSON)
    unreadable = type("BadHttpMessage", (Exception,), {"__module__": "aiohttp.http_exceptions"})
    for error in (unreadable(f"User-Agent: Mozilla {PERSON}"), RuntimeError("a bug")):
        logging.getLogger("aiohttp.server").error("Error handling request from %s", PERSON, exc_info=error)
    text = stream.getvalue()
    assert PERSON not in text
    assert "Mozilla" not in text
    assert "a.example" in text
    assert "Error handling request: BadHttpMessage" in text
    assert "RuntimeError: a bug" in text
