"""The data folder: its lock and run.json, from the outside and by hand."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from relay.up.datadir import Run, lock_data_folder, make_data_folder, read_run, remove_run, write_run
from relay.up.faults import StartError


def _run(pid: int) -> Run:
    return Run(pid, "unix:///nowhere/valkey.sock?db=0", "http://127.0.0.1:8001", "http://127.0.0.1:8000", None)


def _gone() -> int:
    """Process id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_lock_is_exclusive_and_inherited(tmp_path: Path) -> None:
    """The folder is held as long as any process has the lock's descriptor, also one that outlives the owner."""
    lock = lock_data_folder(tmp_path)
    heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
    os.close(lock)
    write_run(tmp_path, _run(_gone()))
    with pytest.raises(StartError, match="still held by") as refusal:
        lock_data_folder(tmp_path, grace_s=0.2)
    assert "RELAY_DATA" in str(refusal.value)
    heir.communicate(b"\n")
    os.close(lock_data_folder(tmp_path, grace_s=10))


def test_living_owner_is_named_at_once(tmp_path: Path) -> None:
    """A folder whose supervisor lives is refused without waiting, whatever the grace."""
    lock = lock_data_folder(tmp_path)
    write_run(tmp_path, _run(os.getpid()))
    with pytest.raises(StartError, match=f"process {os.getpid()}, its door is http://127.0.0.1:8000"):
        lock_data_folder(tmp_path, grace_s=3600)
    os.close(lock)


def test_lock_file_without_owner_means_nothing(tmp_path: Path) -> None:
    """What counts is the lock and not its file: a power cut leaves nothing to clean up."""
    os.close(lock_data_folder(tmp_path))
    write_run(tmp_path, _run(_gone()))
    lock = lock_data_folder(tmp_path)
    with (tmp_path / "lock").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)


def test_run_is_private_and_its_own(tmp_path: Path) -> None:
    """run.json is read back as written, by its user only; a process removes none but its own."""
    write_run(tmp_path, _run(os.getpid()))
    assert read_run(tmp_path) == _run(os.getpid())
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    write_run(tmp_path, _run(_gone()))
    remove_run(tmp_path)
    assert read_run(tmp_path) is not None
    write_run(tmp_path, _run(os.getpid()))
    remove_run(tmp_path)
    assert read_run(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": 1, "surplus": 2}'])
def test_unreadable_run(tmp_path: Path, text: str) -> None:
    """A run.json that says nothing usable counts as none."""
    (tmp_path / "run.json").write_text(text)
    assert read_run(tmp_path) is None


@pytest.mark.parametrize("data", ["file", "file/below/it", "link", "link/below"])
def test_something_in_the_way(tmp_path: Path, data: str) -> None:
    """A file, or a link that leads nowhere, in the folder's place or above it is named; no rights would mend that."""
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StartError) as refusal:
        make_data_folder(tmp_path / data)
    kind = {"file": "a file", "link": "a link that leads nowhere"}[data.partition("/")[0]]
    assert f"{tmp_path / data.partition('/')[0]} is {kind}.\nName another folder" in str(refusal.value)
    assert "writable" not in str(refusal.value)


def test_unusable_folder(tmp_path: Path) -> None:
    """A folder that may not be written is refused with its name; a new one is its user's alone."""
    with pytest.raises(StartError, match="writable for this user"):
        make_data_folder(Path("/proc/relay"))
    assert stat.S_IMODE(make_data_folder(tmp_path / "new").stat().st_mode) == 0o700
