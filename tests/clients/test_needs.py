"""What `make test-clients` says on a machine that lacks something. How the clients do is tested in `clients`."""

from pathlib import Path

import pytest

from clients.install import main
from clients.needs import MissingError, chromium, node


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but what the test puts into this folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path


def program(path: Path, says: str = "") -> Path:
    """A program that says something."""
    path.write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    path.chmod(0o700)
    return path


@pytest.mark.usefixtures("bare")
def test_everything_that_is_missing_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each, with what to install, and nothing is installed."""
    assert main() == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].split()[0] for line in told] == ["node", "npm", "none"]
    assert told[0] == "make test-clients: node is not on PATH: install Node.js 20 or later"
    assert told[2].endswith("on Debian: apt-get install chromium; elsewhere name one in CHROMIUM")


def test_an_old_node_is_told(bare: Path) -> None:
    """The version found, and the one needed."""
    program(bare / "node", "v18.20.4")
    with pytest.raises(MissingError, match=r"/node is Node v18\.20\.4: install Node\.js 20 or later"):
        node()
    program(bare / "node", "v20.0.0")
    assert node() == str(bare / "node")


def test_the_browser_can_be_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHROMIUM wins over PATH; if it names nothing that is said, instead of another browser taken."""
    program(bare / "chromium")
    other = program(bare / "other")
    assert chromium() == str(bare / "chromium")
    monkeypatch.setenv("CHROMIUM", str(other))
    assert chromium() == str(other)
    monkeypatch.setenv("CHROMIUM", "/nowhere")
    with pytest.raises(MissingError, match="CHROMIUM=/nowhere is no program"):
        chromium()
