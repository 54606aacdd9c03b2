"""Faults: all at once, each with its place, none with a secret."""

import traceback
from pathlib import Path

import pytest

from relay.settings import Command, Settings, SettingsError, load_settings, missing

SECRET = "hunter2"  # in every value and file below that must not come out again


def faults_of(options: dict[str, object], environ: dict[str, str], command: Command | None = None) -> list[str]:
    """Load what is wrong, and return the faults; whatever could be shown of them holds no secret."""
    with pytest.raises(SettingsError) as caught:
        load_settings(options, environ, command)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert "pydantic" not in shown
    return caught.value.faults


def test_all_faults_come_at_once_and_say_where(tmp_path: Path) -> None:
    """An operator mends everything in one go: options, variables, files, TOML, unknown names, what is missing."""
    by_file, toml = tmp_path / "days", tmp_path / "relay.toml"
    by_file.write_text("soon\n")
    toml.write_text('ambiguous = "drop"\nlisten_on = 1\n')
    environ = {
        "RELAY_CONFIG": str(toml),
        "RELAY_PARTITIONS": "none",
        "RELAY_DEAD_KEEP_DAYS_FILE": str(by_file),
        "RELAY_UPSTREEM": "https://plausible.io",
    }
    faults = faults_of({"log_level": "loud"}, environ, "work")
    places = [fault.split(": ")[0] for fault in faults]
    assert sorted(places) == sorted(
        [
            "--log-level",
            "RELAY_PARTITIONS (environment)",
            "RELAY_DEAD_KEEP_DAYS_FILE (file)",
            f"ambiguous ({toml})",
            f"listen_on ({toml})",
            "RELAY_UPSTREEM (environment)",
            "RELAY_UPSTREAM",
            "RELAY_REDIS_URL",
        ]
    )


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("RELAY_LISTN", "RELAY_LISTEN"), ("RELAY_REDIS_URL_FIL", "RELAY_REDIS_URL_FILE"), ("RELAY_CONFG", "RELAY_CONFIG")],
)
def test_an_unknown_variable_is_a_fault_with_a_guess(wrong: str, meant: str) -> None:
    """A slip in a name never leaves a default in force unnoticed."""
    (fault,) = faults_of({}, {wrong: SECRET})
    assert fault == f"{wrong} (environment): there is no such setting; did you mean {meant}?"


def test_a_name_without_a_likeness_points_at_the_list() -> None:
    """Where no guess is near, the fault says where all names stand."""
    (fault,) = faults_of({}, {"RELAY_QQQQ": "1"})
    assert "config/relay.toml lists them all" in fault


@pytest.mark.parametrize("key", ["redis-url", "RELAY_REDIS_URL", "REDIS_URL", "redis_ulr"])
def test_an_unknown_key_of_the_toml_file_is_a_fault_with_a_guess(key: str, tmp_path: Path) -> None:
    """The same holds for the file, also for a variable's spelling."""
    toml = tmp_path / "relay.toml"
    toml.write_text(f'{key} = "redis://:{SECRET}@queue"\n')
    (fault,) = faults_of({"config": str(toml)}, {})
    assert fault == f"{key} ({toml}): there is no such setting; did you mean redis_url?"


def test_a_variable_and_its_file_together_are_a_fault(tmp_path: Path) -> None:
    """Two sources that contradict each other are not silently ranked."""
    (fault,) = faults_of({}, {"RELAY_DATA": "here", "RELAY_DATA_FILE": str(tmp_path)})
    assert fault.startswith("RELAY_DATA and RELAY_DATA_FILE (environment): both are set")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (f'listen = "127.0.0.1:1"\nredis_url = redis://:{SECRET}@queue\n', "line 2"),
        (f'redis_url = "{SECRET}', "at end of document"),
        (f"[{SECRET}]\n[{SECRET}]\n", "line 2"),
    ],
)
def test_malformed_toml_names_file_and_line_only(content: str, place: str, tmp_path: Path) -> None:
    """The line is named, what stands on it is not; what the file may have set is not called missing."""
    toml = tmp_path / "relay.toml"
    toml.write_text(content)
    (fault,) = faults_of({"config": str(toml)}, {}, "serve")
    assert fault.startswith(f"{toml}: is not TOML")
    assert place in fault


def test_a_toml_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are no text are named with the reason."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, reason in [(tmp_path / "absent", "No such file"), (tmp_path, "Is a directory"), (binary, "not UTF-8")]:
        (fault,) = faults_of({"config": str(path)}, {})
        assert fault.startswith(f"{path}: ")
        assert reason in fault


def test_a_setting_s_file_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    """Neither its content nor its path is shown: a password set in the wrong variable stands in the path."""
    for number, (content, reason) in enumerate(
        [(b"", "it is empty"), (b"\n", "it is empty"), (b"\xff" + SECRET.encode(), "UTF-8"), (b"x" * 70_000, "longer")]
    ):
        file = tmp_path / f"{number}"
        file.write_bytes(content)
        (fault,) = faults_of({}, {"RELAY_REDIS_URL_FILE": str(file)}, None)
        assert reason in fault
    (fault,) = faults_of({}, {"RELAY_REDIS_URL_FILE": f"redis://:{SECRET}@queue"})
    assert fault.startswith("RELAY_REDIS_URL_FILE (environment): its file cannot be used: No such file")


def test_a_setting_whose_file_fails_is_not_called_missing(tmp_path: Path) -> None:
    """One trouble is told once."""
    environ = {"RELAY_REDIS_URL_FILE": str(tmp_path / "absent"), "RELAY_UPSTREAM": "https://plausible.io"}
    assert len(faults_of({}, environ, "work")) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@queue",
        f"redis://me:{SECRET}@",
        f"redis://me:{SECRET}@queue:port",
        f"redis://me:{SECRET}@queue/{SECRET}",
        f"{SECRET}://queue",
        f"redis://[{SECRET}",
        f"redis://:{SECRET} x@queue",
        f"https://me:{SECRET}@plausible.io",
    ],
)
@pytest.mark.parametrize("name", ["redis_url", "upstream"])
def test_no_secret_in_any_fault(name: str, url: str, tmp_path: Path) -> None:
    """Wherever a URL with a password comes from, its fault does not repeat a piece of it."""
    by_file, toml = tmp_path / "secret", tmp_path / "relay.toml"
    by_file.write_text(url)
    toml.write_text(f'{name} = "{url}"\n')
    variable = f"RELAY_{name.upper()}"
    for options, environ in [
        ({name: url}, {}),
        ({}, {variable: url}),
        ({}, {variable + "_FILE": str(by_file)}),
        ({"config": str(toml)}, {}),
    ]:
        assert len(faults_of(dict(options), environ)) == 1


def test_no_file_s_content_in_any_fault(tmp_path: Path) -> None:
    """A variable that names the wrong file does not print it, whatever kind of setting it is."""
    file = tmp_path / "shadow"
    file.write_text(f"root:{SECRET}:0")
    for name in Settings.model_fields:
        if name != "data":  # any text is a path
            (fault,) = faults_of({}, {f"RELAY_{name.upper()}_FILE": str(file)})
            assert fault.startswith(f"RELAY_{name.upper()}_FILE (file): ")


def test_no_secret_in_the_settings_own_words() -> None:
    """Settings that are logged by mistake do not carry the password along."""
    settings = load_settings({"redis_url": f"redis://:{SECRET}@queue"}, {})
    assert SECRET not in f"{settings} {settings!r}"


@pytest.mark.parametrize(
    ("command", "present", "absent"),
    [
        ("serve", {}, ["RELAY_UPSTREAM", "RELAY_REDIS_URL", "RELAY_SITES"]),
        ("work", {}, ["RELAY_UPSTREAM", "RELAY_REDIS_URL"]),
        ("up", {}, []),
        ("up", {"upstream": "https://plausible.io"}, ["RELAY_SITES"]),
        ("up", {"upstream": "https://plausible.io", "sites": "*"}, []),
        (None, {}, []),
    ],
)
def test_what_a_command_needs(command: Command | None, present: dict[str, object], absent: list[str]) -> None:
    """A command that lacks something refuses at the start, and names all of it."""
    if not absent:
        load_settings(present, {}, command)
        return
    assert [fault.split(":")[0] for fault in faults_of(present, {}, command)] == absent
    if command is not None:
        assert [f"RELAY_{name.upper()}" for name in missing(load_settings(present, {}), command)] == absent


@pytest.mark.parametrize(
    ("listen", "upstream", "clash"),
    [
        ("127.0.0.1:8000", "http://localhost:8000", True),
        ("0.0.0.0:80", "http://127.0.0.1", True),
        ("relay.example:443", "https://relay.example/", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8001", False),
        ("10.0.0.1:8000", "http://127.0.0.1:8000", False),
        ("127.0.0.1:0", "http://127.0.0.1:8000", False),
    ],
)
def test_the_door_is_not_its_own_upstream(listen: str, upstream: str, clash: bool) -> None:  # noqa: FBT001 - a table's column
    """An event would come back to the relay for ever."""
    options: dict[str, object] = {"listen": listen, "upstream": upstream, "sites": "*", "redis_url": "redis://queue"}
    if clash:
        (fault,) = faults_of(options, {}, "serve")
        assert fault.startswith("--upstream: is the door itself")
    else:
        load_settings(options, {}, "serve")
    load_settings(options, {}, "work")  # a worker opens no door: its listen means nothing
