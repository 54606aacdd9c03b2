"""`relay replay --to-csv` as a shell runs it: what is written, what it says, its exit codes. It needs no queue."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from tests.cli.shell import relay
from tests.replay.lines import clf

BEGAN_S = 1_768_212_000  # 2026-01-12 10:00:00 UTC; an import is of any age
TABLES = 10
EARLIER = '{"made_by": "plausible-relay", "files": ["imported_pages_20260101_20260101.csv"]}'


def line(path: str, after_s: int, visitor: int = 1) -> str:
    """A line of a log without a User-Agent, for the library that reads them takes seconds to load."""
    return clf(path, BEGAN_S + after_s, visitor, agent="-")


def here(folder: Path, log: str, *arguments: str) -> Result:
    """Run it on this log in this process, which saves a start; the word after --to-csv is a folder below `folder`."""
    (folder / "access.log").write_text(log)
    paths = [str(folder / word) if before == "--to-csv" else word for before, word in pairwise(("", *arguments))]
    return CliRunner().invoke(main, ["replay", str(folder / "access.log"), "--site", "example.com", *paths])


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, for half a minute."""
    deadline_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def rows(folder: Path, table: str) -> list[str]:
    """The rows of a table."""
    (file,) = folder.glob(f"{table}_*.csv")
    return file.read_text().splitlines()[1:]


def test_logs_become_an_import(tmp_path: Path) -> None:
    """The rotated files of a server in any order are one log; a folder with ten files for Plausible is the outcome."""
    (tmp_path / "access.log").write_text(line("/c", 50_000) + line("/x.css", 50_001) + line("/cut", 50_002)[:-30])
    (tmp_path / "access.log.1").write_text(line("/a", 0) + line("/b", 60) + line("/a", 90, visitor=2))
    run = relay("replay", "access.log", "access.log.1", "--site", "example.com", "--to-csv", "out", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "example.com: 2026-01-12 to 2026-01-12, 3 visits, 4 pageviews, 0 custom events" in run.stdout
    assert "not in it: hours" in run.stdout
    assert "10 files in out" in run.stdout
    assert "           1 left out: static" in run.stdout
    assert rows(tmp_path / "out", "imported_visitors") == ['"2026-01-12",2,4,2,3,60']
    assert rows(tmp_path / "out", "imported_exit_pages") == [
        '"2026-01-12","/a",1,0,1,1,1',
        '"2026-01-12","/b",1,60,1,0,2',
        '"2026-01-12","/c",1,0,1,1,1',
    ]


def test_the_summary_as_json(tmp_path: Path) -> None:
    """All counts, and the files; a day is one of the zone that was named; an earlier import is replaced if told."""
    (tmp_path / "access.log").write_text(line("/a", 50_000) + line("/api/x", 50_001) + "nonsense\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "import.json").write_text(EARLIER)
    (tmp_path / "out" / "imported_pages_20260101_20260101.csv").write_text("old")
    asked = ("--to-csv", "out", "--overwrite", "--json", "--time-zone", "Asia/Tokyo")
    run = relay("replay", "access.log", "--site", "example.com", *asked, cwd=tmp_path)
    said = json.loads(run.stdout)
    assert run.returncode == 1  # a line was refused
    assert {name: said[name] for name in ("lines", "events", "left_out", "refused_because")} == {
        "lines": 3,
        "events": 1,
        "left_out": {"api": 1},
        "refused_because": {"malformed": 1},
    }
    assert said["import"]["sites"]["example.com"]["first_day"] == "2026-01-13"
    assert sorted(said["files"]) == sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.csv"))
    assert len(said["files"]) == TABLES


def test_several_sites_of_one_log(tmp_path: Path) -> None:
    """Each has its own folder; an NDJSON event for two sites counts for both."""
    event = {
        "name": "404",
        "domain": "a.example,b.example",
        "url": "https://a.example/gone",
        "ip": "203.0.113.1",
        "occurred_at": "2026-01-12T10:00:00Z",
    }
    (tmp_path / "events.ndjson").write_text(json.dumps(event) + "\n")
    run = relay("replay", "events.ndjson", "--to-csv", "out", "--sites", "a.example,b.example", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    for site in ("a.example", "b.example"):
        assert rows(tmp_path / "out" / site, "imported_custom_events") == ['"2026-01-12","404","","/gone",1,1']


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to-csv", "full"), "full holds other files, such as mine.txt; name an empty or a new folder"),
        (("--to-csv", "out", "--rate", "5", "--resume"), "--rate, --resume: not together with --to-csv"),
        (("--to-csv", "out", "--time-zone", "Mars"), "'Mars' is no time zone; name one such as Europe/Berlin"),
        (("--to-csv", "earlier"), "earlier holds an earlier import; with --overwrite it is replaced"),
        (("--overwrite",), "--overwrite: that is for --to-csv"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Exit code 2, one clear line, and nothing written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "import.json").write_text(EARLIER)
    run = here(tmp_path, line("/a", 0), *arguments)
    assert (run.exit_code, said in run.stderr) == (2, True), run.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    """Half an import is none."""
    command = [sys.executable, "-m", "relay", "replay", "-", "--site", "example.com", "--to-csv", str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdin is not None
        run.stdin.write("".join(line("/a", hour * 3_600) for hour in range(100)).encode())
        run.stdin.flush()
        until(lambda: bool([*tmp_path.rglob("imported_pages")]))
        run.send_signal(number)
        assert run.wait(30) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_log_without_a_page_gives_no_files(tmp_path: Path) -> None:
    """Exit code 1, and it says so."""
    run = here(tmp_path, line("/x.css", 0), "--to-csv", "out")
    assert (run.exit_code, "nothing to import" in run.stdout) == (1, True)
    assert not (tmp_path / "out").exists()


def test_without_its_libraries_it_says_what_to_install(tmp_path: Path) -> None:
    """They are an extra, as only an import needs them."""
    (tmp_path / "device_detector.py").write_text("raise ImportError\n")
    (tmp_path / "access.log").write_text(line("/a", 0))
    run = relay("replay", "access.log", "--site", "example.com", "--to-csv", "out", cwd=tmp_path)
    assert (run.returncode, "pip install 'plausible-relay[import]'" in run.stderr) == (2, True)
