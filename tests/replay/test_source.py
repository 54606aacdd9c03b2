"""Reading a log: whole lines with their offsets, whatever it is compressed with, from any offset, in little memory."""

import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import pytest
from backports import zstd  # Python's own from 3.14 on

from relay.replay.batch import MAX_LINE_BYTES
from relay.replay.source import Log, UnreadableLogError, open_log

TEXT = b"".join(b"%d %s\n" % (number, b"x" * (number % 700)) for number in range(9_000))  # three blocks
COMPRESSORS: dict[str, Any] = {
    "plain": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def read(log: Log) -> list[tuple[int, int, bytes]]:
    """Number, offset and text of each line; closes the log."""
    found = []
    while lines := log.take():
        at = lines.offset
        for number, line in enumerate(lines.lines, lines.number):
            found.append((number, at, line))
            at += len(line) + 1
    log.close()
    return found


@pytest.mark.parametrize("kind", COMPRESSORS)
@pytest.mark.parametrize("at", [0, 1, 4_000, 8_999, 9_000])
def test_from_any_line(tmp_path: Path, kind: str, at: int) -> None:
    """Each line once, with its number and its offset in the text, from any offset on; several pieces are one text."""
    compress = COMPRESSORS[kind]
    path = tmp_path / "log"
    path.write_bytes(compress(TEXT[:5_000]) + compress(TEXT[5_000:]))
    lines = TEXT.split(b"\n")[:-1]
    log = open_log(str(path))
    log.skip(sum(len(line) + 1 for line in lines[:at]), None)
    found = read(log)
    assert [line for _, _, line in found] == lines[at:]
    assert [number for number, _, _ in found] == [*range(at, 9_000)]
    assert all(TEXT[offset : offset + len(line)] == line for _, offset, line in found)


def test_an_open_end_is_said(tmp_path: Path) -> None:
    """The last line without a line end comes alone, so that it can be left for later."""
    path = tmp_path / "log"
    path.write_bytes(b"whole\nhalf")
    log = open_log(str(path))
    first, last = log.take(), log.take()
    assert first is not None
    assert last is not None
    assert (first.lines, first.open_end, last.lines, last.open_end, log.take()) == (
        [b"whole"],
        False,
        [b"half"],
        True,
        None,
    )
    log.close()


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    """Of a line that is too long only its beginning is kept; what follows has its right offset."""
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"y" * 5_000_000 + b"\nz\n")
    log = open_log(str(path))
    batches = []
    while lines := log.take():
        batches.append(lines)
    log.close()
    long = next(lines for lines in batches if lines.dropped)
    assert MAX_LINE_BYTES < len(long.lines[0]) < 3 * MAX_LINE_BYTES
    assert len(long.lines[0]) + long.dropped == 5_000_000
    assert (log.offset, log.number) == (5_000_005, 3)


def test_a_broken_file_is_said(tmp_path: Path) -> None:
    """Cut or damaged: what came before the cut is given, then it is said."""
    whole = gzip.compress(TEXT, mtime=0)
    for name, data in (("cut", whole[:-2_000]), ("damaged", whole[:6_000] + b"\0" * 500 + whole[6_500:])):
        path = tmp_path / name
        path.write_bytes(data)
        log = open_log(str(path))
        first = log.take()
        assert first is not None
        with pytest.raises(UnreadableLogError, match=rf"{name} cannot be read further"):
            read(log)
        log.close()
        assert name == "damaged" or TEXT.startswith(b"\n".join(first.lines))
    for name, said in (("nowhere", "No such file"), (".", "Is a directory")):
        with pytest.raises(UnreadableLogError, match=said):
            open_log(str(tmp_path / name))
