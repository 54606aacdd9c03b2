"""Who runs as root is told what would be right, once, and is not kept from it."""

import logging
import os
from pathlib import Path

import pytest

from relay.cli.root import WARNING, warn_of_root
from relay.settings import Settings
from relay.up.datadir import Run, write_run


def told(settings: Settings, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged at the start."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        warn_of_root(settings)
    return caplog.messages


@pytest.mark.parametrize(("user", "warned"), [(0, [WARNING]), (10_001, []), (1_000, [])])
def test_only_root_is_warned(
    user: int, warned: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning says what would be right; a user of its own, the image's among them, hears nothing."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert told(Settings(data=tmp_path), caplog) == warned
    assert "User=" in WARNING


def test_up_says_it_for_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that `relay up` started leaves the warning to it; one beside it does not."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for supervisor, warned in ((os.getppid(), []), (os.getpid(), [WARNING])):
        write_run(tmp_path, Run(supervisor, "unix:///x", "http://a", "http://b", None))
        assert told(Settings(data=tmp_path), caplog) == warned
