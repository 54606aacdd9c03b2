"""Which Redis an operator's command asks."""

import json
import os
from pathlib import Path

import click
import pytest

from relay.cli.target import redis_url_of
from relay.settings import load_settings


def run_json(folder: Path, content: str) -> None:
    """Leave a run.json as `relay up` would."""
    (folder / "run.json").write_text(content)


def living(url: str) -> str:
    """Write what a living `relay up` says of itself."""
    fields = {"pid": os.getpid(), "redis_url": url, "upstream": "http://a", "door": "http://b", "sandbox": None}
    return json.dumps(fields)


def test_a_named_redis_comes_first(tmp_path: Path) -> None:
    """What the operator names is asked, whatever runs."""
    run_json(tmp_path, living("unix:///run.sock"))
    settings = load_settings({"redis_url": "redis://queue", "data": str(tmp_path)}, {})
    assert redis_url_of(settings) == "redis://queue"


def test_a_running_up_comes_next(tmp_path: Path) -> None:
    """Without a name, the data folder tells."""
    run_json(tmp_path, living("unix:///run.sock"))
    assert redis_url_of(load_settings({"data": str(tmp_path)}, {})) == "unix:///run.sock"


@pytest.mark.parametrize("content", [None, "", "{}", living("x").replace(str(os.getpid()), "999999999")])
def test_nothing_running_is_said_with_the_way_out(content: str | None, tmp_path: Path) -> None:
    """No file, a broken one and one that a dead process left end the command with exit code 1."""
    if content is not None:
        run_json(tmp_path, content)
    with pytest.raises(click.ClickException) as caught:
        redis_url_of(load_settings({"data": str(tmp_path)}, {}))
    assert caught.value.exit_code == 1
    assert f"nothing is running on {tmp_path}: start `relay up`, or name a Redis" in caught.value.message


def test_a_file_in_the_folder_s_place_is_said(tmp_path: Path) -> None:
    """Starting `relay up` would not help, so that is not the advice."""
    (tmp_path / "file").touch()
    with pytest.raises(click.ClickException) as caught:
        redis_url_of(load_settings({"data": str(tmp_path / "file")}, {}))
    assert caught.value.exit_code == 1
    assert "is a file: name the folder of a running `relay up` with RELAY_DATA" in caught.value.message
    assert "nothing is running" not in caught.value.message
