"""How the relay writes log lines: JSON for machines, text for a terminal, both to standard error.

A visitor's IP and User-Agent are never written: extras of such names are left out, and the two libraries that would
log them (arq its jobs' arguments, aiohttp its peers) are quietened here.
"""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}
"""What a record has without extras."""

PERSONAL: Final = frozenset({"ip", "peer", "remote", "remote_addr", "ua", "user_agent", "visitor", "x_forwarded_for"})
"""Extras that are never written, whoever logs them."""


def setup_logging(log_format: str | None, log_level: str, process: str = "relay") -> None:
    """Write this process's log lines to standard error, replacing whatever was set up before.

    `log_format` is text or json; None means text on a terminal, else json. `log_level` is debug, info, warning or
    error. `process` names the process in each line.
    """
    as_text = sys.stderr.isatty() if log_format is None else log_format == "text"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter(process) if as_text else JsonFormatter(process))
    level = logging.getLevelNamesMapping()[log_level.upper()]
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("arq").setLevel(max(level, logging.WARNING))  # at INFO it logs what its jobs carry
    logging.getLogger("aiohttp.access").disabled = True
    server = logging.getLogger("aiohttp.server")
    for old in server.filters[:]:
        server.removeFilter(old)
    server.addFilter(_without_peer)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts (RFC 3339, UTC, milliseconds), level, process, logger, msg, extras, exception."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. What JSON has no form for is written as its `str()`."""
        line = {
            "ts": _moment(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        line |= {name: value for name, value in _extras(record) if name not in line}
        if trouble := _trouble(self, record):
            line["exception"] = trouble
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """A line for people: time (UTC), level, process, message, extras as name=value; a traceback stands below it.

    What is not printable is escaped: a site's name may come from anybody, and is to be no second line.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the lines of the traceback if there is one."""
        extras = "".join(f" {name}={value}" for name, value in _extras(record))
        said = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in record.getMessage() + extras)
        head = f"{_moment(record)} {record.levelname.lower():<7} {self._process}: {said}"
        trouble = _trouble(self, record)
        return f"{head}\n{trouble}" if trouble else head


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extras(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    for name, value in vars(record).items():
        if name not in STANDARD and name not in PERSONAL:
            yield name, value


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    exception = formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
    stack = formatter.formatStack(record.stack_info) if record.stack_info else ""
    return "\n".join(filter(None, [exception, stack]))


def _without_peer(record: logging.LogRecord) -> bool:
    """Take the peer's address out of aiohttp's `Error handling request from %s`.

    The exceptions of its parser go too, as they quote the headers that they could not read.
    """
    record.msg, record.args = str(record.msg).partition(" from %s")[0], ()
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and type(error).__module__.startswith("aiohttp."):
        record.msg, record.exc_info = f"{record.msg}: {type(error).__name__}", None
    return True
