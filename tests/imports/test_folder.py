"""The files of an import: Plausible's names and headers, all or none, and nobody else's files touched."""

import csv
import json
import os
from pathlib import Path

import pytest

from relay.imports.folder import Refused, folder_name, opened
from relay.imports.run import Import, Summary
from relay.imports.tables import Table, columns
from relay.replay.page import Kept
from tests.imports.samples import SITE, at, view

FIRST = at("2026-01-30 12:00:00")
SECOND = at("2026-02-02 12:00:00")
HEADERS = {  # as on Plausible's page "CSV import"
    "imported_browsers": "date,browser,browser_version,visitors,visits,visit_duration,bounces,pageviews",
    "imported_custom_events": "date,name,link_url,path,visitors,events",
    "imported_devices": "date,device,visitors,visits,visit_duration,bounces,pageviews",
    "imported_entry_pages": "date,entry_page,visitors,entrances,visit_duration,bounces,pageviews",
    "imported_exit_pages": "date,exit_page,visitors,visit_duration,exits,bounces,pageviews",
    "imported_locations": "date,country,region,city,visitors,visits,visit_duration,bounces,pageviews",
    "imported_operating_systems": "date,operating_system,operating_system_version,visitors,visits,visit_duration,"
    "bounces,pageviews",
    "imported_pages": "date,hostname,page,visits,visitors,pageviews",
    "imported_sources": "date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term,pageviews,"
    "visitors,visits,visit_duration,bounces",
    "imported_visitors": "date,visitors,pageviews,bounces,visits,visit_duration",
}


def imported(folder: Path, *events: Kept, overwrite: bool = False) -> Summary:
    """Import these events, without a User-Agent, for its library takes seconds to load."""
    with opened(folder, overwrite=overwrite) as draft:
        run = Import(draft)
        for event in events:
            run.take(event)
        return run.finish()


def quiet(at_ms: int, path: str = "/", site: str = SITE) -> Kept:
    """A pageview without a User-Agent."""
    return view(at_ms, path, agent=b"", site=site)


def test_ten_files_with_plausibles_names_and_headers(tmp_path: Path) -> None:
    """All ten, of the days that the log has; a table without rows has its header alone."""
    imported(tmp_path / "out", quiet(FIRST), quiet(SECOND))
    files = sorted((tmp_path / "out").glob("*.csv"))
    assert [file.name for file in files] == [f"{table}_20260130_20260202.csv" for table in sorted(HEADERS)]
    for file, header in zip(files, map(HEADERS.get, sorted(HEADERS)), strict=True):
        with file.open(newline="") as text:
            assert ",".join(next(csv.reader(text))) == header
    assert {str(table): ",".join(columns(table)) for table in Table} == HEADERS
    locations = tmp_path / "out" / "imported_locations_20260130_20260202.csv"
    assert locations.read_text().count("\n") == 1


def test_texts_are_quoted_and_numbers_are_not(tmp_path: Path) -> None:
    """As Plausible's exporter writes; a path with a quote, a comma and a line break stays one cell."""
    imported(tmp_path, quiet(FIRST, "/%22a%22,%0Ab"))
    text = (tmp_path / "imported_entry_pages_20260130_20260130.csv").read_text()
    assert text.splitlines()[0].startswith('"date","entry_page"')
    assert text.endswith('"2026-01-30","/""a"",\nb",1,1,0,1,1\n')


def test_several_sites_have_a_folder_each(tmp_path: Path) -> None:
    """A site's name leads nowhere else."""
    imported(tmp_path / "out", quiet(FIRST), quiet(FIRST, site="../../etc"), quiet(SECOND, site="example.com/blog"))
    names = {file.parent.name for file in tmp_path.rglob("*.csv")}
    assert names == {"example.com", "%2E.%2F..%2Fetc", "example.com%2Fblog"}
    assert len(list(tmp_path.rglob("*.csv"))) == 30
    assert [folder_name(name) for name in (".", "..", ".x", "a.b")] == ["%2E", "%2E.", "%2Ex", "a.b"]
    long = [folder_name(f"{'ü' * 300}{last}") for last in "ab"]
    assert (len(set(long)), {len(name) for name in long}) == (2, {217})


def test_the_summary_stands_beside_the_tables(tmp_path: Path) -> None:
    """What was imported and what could not be, for those who read the tables later."""
    summary = imported(tmp_path, quiet(FIRST), quiet(SECOND), quiet(FIRST))
    said = json.loads((tmp_path / "import.json").read_bytes())
    assert said["complete"] is True
    assert len(said["files"]) == 10
    assert said["sites"] == {
        SITE: {"first_day": "2026-01-30", "last_day": "2026-02-02", "visits": 2, "pageviews": 2, "events": 0}
    }
    assert said["left_out"] == {"out_of_order": 1}
    assert said["cannot"] == summary.cannot
    assert [text.split(";")[0].strip() for text in summary.untold()] == [
        "1 left out: more than ten minutes out of order"
    ]


@pytest.mark.parametrize("name", ["new", "."])
def test_a_run_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    """Neither the folder that it made, nor a file in one that was there."""

    def fail() -> None:
        with opened(tmp_path / name, overwrite=False) as draft:
            run = Import(draft)
            for day in range(3):
                run.take(quiet(FIRST + day * 86_400_000))
            assert list(tmp_path.rglob("imported_pages"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_log_writes_nothing(tmp_path: Path) -> None:
    """And leaves no folder."""
    assert imported(tmp_path / "out").files == []
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    """Its unfinished files are in nobody's way."""
    (tmp_path / ".unfinished" / SITE).mkdir(parents=True)
    (tmp_path / ".unfinished" / SITE / "imported_pages").write_text("half")
    imported(tmp_path, quiet(FIRST))
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".csv"] * 10 + [".json"]


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    """Even if told to overwrite; nothing in it is touched."""
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(Refused, match=r"holds other files, such as thesis\.tex; name an empty or a new folder"):
        imported(tmp_path, quiet(FIRST), overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_earlier_import_is_replaced_only_if_told(tmp_path: Path) -> None:
    """Its files go, others that came to it meanwhile stay."""
    imported(tmp_path, quiet(FIRST), quiet(FIRST, site="b.example"))
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(Refused, match="holds an earlier import; with --overwrite it is replaced"):
        imported(tmp_path, quiet(SECOND))
    imported(tmp_path, quiet(SECOND), overwrite=True)
    assert {file.name.rsplit("_", 2)[-1] for file in tmp_path.iterdir()} == {"20260202.csv", "import.json", "note.txt"}


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told."""
    with opened(tmp_path, overwrite=False), pytest.raises(Refused, match="another run writes here"):
        imported(tmp_path, quiet(FIRST))


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """Is refused with its path."""
    (tmp_path / "out").write_text("")
    with pytest.raises(Refused, match=r"out: .*; name a folder that can be written"):
        imported(tmp_path / "out", quiet(FIRST))


def test_a_manifest_cannot_remove_foreign_files(tmp_path: Path) -> None:
    """Only files of the names that the relay writes, and only below the folder."""
    folder, other = tmp_path / "out", tmp_path / "imported_other.csv"
    other.write_text("mine")
    folder.mkdir()
    names = ["../imported_other.csv", os.fspath(other), "x.txt"]
    (folder / "import.json").write_text(json.dumps({"made_by": "plausible-relay", "files": names}))
    (folder / "x.txt").write_text("mine")
    imported(folder, quiet(FIRST), overwrite=True)
    assert other.exists()
    assert (folder / "x.txt").exists()
