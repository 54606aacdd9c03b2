"""The files of an import, whole or not at all.

Everything is written below `.unfinished`, and only at the end put in its place, with `import.json` that names every
file. One site's tables stand in the folder itself, several sites' each in a folder of their own.
"""

from __future__ import annotations

import csv
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from relay.imports.calendar import written
from relay.imports.counting import Closed
from relay.imports.tables import Table, columns, file_name

MANIFEST: Final = "import.json"
_UNFINISHED: Final = ".unfinished"
_LONGEST_NAME: Final = 200  # file systems take 255 bytes
_MAKER: Final = "plausible-relay"
# What `folder_name` and `file_name` give.
_OURS: Final = re.compile(r"(?:(?!\.)[^/]+/)?imported_[a-z_]+_\d{8}_\d{8}\.csv")


class Refused(Exception):  # noqa: N818 - what the folder does with us
    """The folder may not be used; the text says why, and what would be right."""


class Folder:
    """Takes finished days, in the order of the days of each site."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path / _UNFINISHED
        self._days: dict[str, tuple[int, int]] = {}

    def write(self, closed: Closed) -> None:
        """Append the rows of this day to the tables of its site."""
        first, last = self._days.get(closed.site, (closed.day, closed.day))
        self._days[closed.site] = (min(first, closed.day), max(last, closed.day))
        place = self._draft / folder_name(closed.site)
        place.mkdir(exist_ok=True)
        date = written(closed.day)
        for table in Table:
            with (place / table).open("a", encoding="utf-8", errors="replace", newline="") as file:
                # As Plausible's exporter quotes: all texts, no numbers.
                writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
                if not file.tell():
                    writer.writerow(columns(table))
                writer.writerows([date, *_cells(table, key), *numbers] for key, numbers in closed.numbers.rows(table))

    def publish(self, summary: Mapping[str, Any]) -> list[Path]:
        """Put all files in their places; what an earlier run left there goes. Returns them."""
        several = len(self._days) > 1
        moves = {
            self._draft / folder_name(site) / table: self._path
            / (folder_name(site) if several else "")
            / file_name(table, written(first), written(last))
            for site, (first, last) in sorted(self._days.items())
            for table in Table
        }
        for draft in moves:
            _to_disk(draft)
        _remove_earlier(self._path)
        self._say(complete=False, files=list(moves.values()), summary={})
        for draft, place in moves.items():
            place.parent.mkdir(exist_ok=True)
            draft.replace(place)
        self._say(complete=True, files=list(moves.values()), summary=summary)
        return list(moves.values())

    def _say(self, *, complete: bool, files: list[Path], summary: Mapping[str, Any]) -> None:
        names = [file.relative_to(self._path).as_posix() for file in files]
        said = {"made_by": _MAKER, "complete": complete, "files": names, **summary}
        draft = self._draft / MANIFEST
        draft.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")
        _to_disk(draft)
        draft.replace(self._path / MANIFEST)
        _to_disk(self._path)


@contextmanager
def opened(path: Path, *, overwrite: bool) -> Iterator[Folder]:
    """The folder for one run, made if it is not there, held against a second run; raises `Refused`.

    Without `publish` nothing is left behind. With `overwrite` the output of an earlier run may be in it.
    """
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; name a folder that can be written") from None
    try:
        _claim(path, handle, overwrite=overwrite)
        draft = path / _UNFINISHED
        shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
        draft.mkdir()
        try:
            yield Folder(path)
        finally:
            shutil.rmtree(draft)
            if made and not any(path.iterdir()):
                path.rmdir()
    finally:
        os.close(handle)


def folder_name(site: str) -> str:
    """A site as one folder's name: nothing in it leads elsewhere."""
    name = quote(site.encode("utf-8", "replace"), safe="")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{blake2b(site.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def _claim(path: Path, handle: int, *, overwrite: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(f"{path}: another run writes here; wait for it, or name another folder") from None
    others = {entry.name for entry in path.iterdir()} - {_UNFINISHED}
    if not others:
        return
    if _manifest(path) is None:
        example = min(others)
        raise Refused(f"{path} holds other files, such as {example}; name an empty or a new folder")
    if not overwrite:
        raise Refused(f"{path} holds an earlier import; with --overwrite it is replaced")


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        said = orjson.loads((path / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return said if isinstance(said, dict) and said.get("made_by") == _MAKER else None


def _remove_earlier(path: Path) -> None:
    """Remove the files that the last run names as its own, and no others."""
    ours = {name for name in (_manifest(path) or {}).get("files", ()) if _OURS.fullmatch(name)}
    for file in (path / name for name in sorted(ours)):
        file.unlink(missing_ok=True)
        if file.parent != path and file.parent.is_dir() and not any(file.parent.iterdir()):
            file.parent.rmdir()


def _cells(table: Table, key: tuple[str, ...]) -> list[str | int]:
    # A city is a number, the GeoName ID; 0 is none.
    return [int(cell or 0) if table is Table.LOCATIONS and at == 2 else cell for at, cell in enumerate(key)]  # noqa: PLR2004


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
