"""The commands as a shell sees them: real processes, their exit codes and what they print."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from relay.cli import COMMANDS
from relay.settings import Settings
from tests.cli.shell import relay

SECRET = "hunter2"
SPARED = {
    "serve": {"arq", "relay.up.supervisor"},
    "work": {"aiohttp", "relay.up.supervisor"},
    "up": {"aiohttp", "arq"},
    "check": {"arq", "relay.http.app", "relay.up.supervisor"},
    "status": {"aiohttp", "arq", "relay.up.supervisor", "uvloop"},
}
"""What a command must not import: who starts again after a kill, or is asked in a loop, would wait for it."""
NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens there


def test_version(tmp_path: Path) -> None:
    """`relay --version` says it and exits 0."""
    done = relay("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("relay, version 0.")


def test_help_lists_the_commands(tmp_path: Path) -> None:
    """`relay --help` names every command with what it is for."""
    done = relay("--help", cwd=tmp_path)
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert f"{name} " in done.stdout
        assert summary in done.stdout


def test_help_of_the_group_imports_no_command(tmp_path: Path) -> None:
    """What a command needs is imported only when it is called, so that `relay --help` stays quick."""
    done = relay("--help", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert {"aiohttp", "arq", "redis", "pydantic"}.isdisjoint(imported(done.stderr))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, tmp_path: Path) -> None:
    """`relay x --help` exits 0, needs no settings, not even right ones, and imports nothing of other parts."""
    done = relay(command, "--help", cwd=tmp_path, RELAY_TYPO="1", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: relay {command} ")
    assert "relay.settings" in imported(done.stderr)
    assert SPARED.get(command, set()).isdisjoint(imported(done.stderr))


def imported(told: str) -> set[str]:
    """The modules that a process imported, out of what PYTHONPROFILEIMPORTTIME told of it."""
    return {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}


def test_the_options_are_the_settings(tmp_path: Path) -> None:
    """Every setting is an option of `relay up`, with its meaning, variable and default."""
    text = " ".join(relay("up", "--help", cwd=tmp_path).stdout.split())
    for name, found in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')} " in text
        assert str(found.description) in text
        assert f"[env: RELAY_{name.upper()}; default: " in text


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["check", "--nonsense"], ["check", "extra"], ["check", "--listen"]]
)
def test_wrong_usage_exits_2(arguments: list[str], tmp_path: Path) -> None:
    """An unknown command, option or argument is wrong usage."""
    assert relay(*arguments, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("command", "lacking"),
    [("serve", ["UPSTREAM", "REDIS_URL", "SITES"]), ("work", ["UPSTREAM", "REDIS_URL"]), ("up", []), ("check", [])],
)
def test_wrong_settings_exit_2_with_all_faults(command: str, lacking: list[str], tmp_path: Path) -> None:
    """A process that cannot work as told does not start: each fault is a line on standard error, without a secret."""
    by_file = tmp_path / "retry"
    by_file.write_text(SECRET)
    done = relay(
        command,
        cwd=tmp_path,
        RELAY_LISTN="127.0.0.1:80",
        RELAY_PARTITIONS="many",
        RELAY_RETRY_CAP_S_FILE=str(by_file),
        RELAY_DATA_FILE=f"redis://:{SECRET}@queue",
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert SECRET not in done.stderr
    head, *faults = done.stderr.splitlines()
    assert head == "The settings cannot be used:"
    for place in [
        "RELAY_LISTN (environment)",
        "RELAY_PARTITIONS (environment)",
        "RELAY_RETRY_CAP_S_FILE (file)",
        "RELAY_DATA_FILE (environment)",
        *(f"RELAY_{name}: is not set" for name in lacking),
    ]:
        assert sum(place in fault for fault in faults) == 1
    assert len(faults) == 4 + len(lacking)


def test_an_option_wins_over_the_environment(tmp_path: Path) -> None:
    """The ladder holds through the command line, and a fault names the option."""
    done = relay("check", "--partitions", "none", cwd=tmp_path, RELAY_PARTITIONS="4")
    assert done.returncode == 2
    assert "--partitions: 'none' will not do" in done.stderr


def test_an_upstream_without_sites_does_not_start(tmp_path: Path) -> None:
    """`up` takes every site only with its sandbox."""
    done = relay("up", "--upstream", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 2
    assert "RELAY_SITES: is not set and `relay up` needs it" in done.stderr
    assert not (tmp_path / ".relay").exists()


@pytest.mark.parametrize("command", ["serve", "sandbox"])
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "another process does.\nChoose another address, for example {setting}=127.0.0.1:"),
        ("192.0.2.1", "Cannot assign requested address.\nChoose another address with {setting}."),
        ("no-such-host.invalid", ".\nChoose another address with {setting}."),
    ],
)
def test_an_address_that_cannot_be_had(command: str, host: str, reason: str, tmp_path: Path) -> None:
    """A process that cannot listen exits 1 and says which setting would mend it, in the words of `relay up`."""
    whose, setting, needs = {
        "serve": ("door", "RELAY_LISTEN", ["--upstream=http://x", f"--redis-url=redis://{NOWHERE}", "--sites=*"]),
        "sandbox": ("sandbox", "RELAY_SANDBOX_LISTEN", []),
    }[command]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"{host}:{taken.getsockname()[1]}"
        done = relay(command, *needs, cwd=tmp_path, **{setting: address})
    assert done.returncode == 1
    assert f"Error: The {whose} cannot listen on {address}: " in done.stderr
    assert reason.format(setting=setting) in done.stderr


def test_sigterm_ends_a_process_well(tmp_path: Path) -> None:
    """A long-lived command that is told to end exits 0."""
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "relay", "sandbox", "--listen", "127.0.0.1:0", "--log-format", "json"]
    with subprocess.Popen(command, env=environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())  # it listens once it says so
        process.terminate()
        rest = process.stderr.read()
    assert process.returncode == 0
    assert line["process"] == "sandbox"
    assert "Traceback" not in rest
