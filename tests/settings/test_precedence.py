"""Which source of a setting wins, and what each source may be."""

from pathlib import Path

import pytest

from relay.settings import Address, Settings, SettingsError, as_environ, load_settings

LADDER = ["option", "environment", "file", "toml", "default"]


@pytest.mark.parametrize("top", range(len(LADDER)))
def test_the_ladder(top: int, tmp_path: Path) -> None:
    """An option wins over the environment, that over a file it names, that over TOML, that over the default."""
    by_file, toml = tmp_path / "listen", tmp_path / "relay.toml"
    by_file.write_text("127.0.0.1:3\n")
    toml.write_text('listen = "127.0.0.1:4"\n')
    present = LADDER[top:]
    options = {"listen": "127.0.0.1:1"} if "option" in present else {}
    environ = {}
    if "environment" in present:
        environ["RELAY_LISTEN"] = "127.0.0.1:2"
    elif "file" in present:  # both at once would be a fault
        environ["RELAY_LISTEN_FILE"] = str(by_file)
    if "toml" in present:
        environ["RELAY_CONFIG"] = str(toml)
    assert load_settings(options, environ).listen == Address("127.0.0.1", [1, 2, 3, 4, 8000][top])


def test_the_option_config_wins_over_the_variable(tmp_path: Path) -> None:
    """--config is preferred to RELAY_CONFIG, which is then not even read."""
    toml = tmp_path / "mine.toml"
    toml.write_text("partitions = 2\n")
    settings = load_settings({"config": str(toml)}, {"RELAY_CONFIG": str(tmp_path / "absent.toml")})
    assert settings.partitions == 2


def test_an_empty_variable_counts_as_not_set() -> None:
    """`RELAY_X=` of a compose file without a value is the default, also beside RELAY_X_FILE and for RELAY_CONFIG."""
    environ = {"RELAY_LISTEN": "", "RELAY_UPSTREAM": "", "RELAY_CONFIG": "", "RELAY_SITES_FILE": "", "RELAY_TYPO": ""}
    assert load_settings({}, environ) == Settings()


def test_an_option_that_was_not_given_is_none() -> None:
    """What click calls None leaves the choice to the next source."""
    assert load_settings({"partitions": None, "config": None}, {"RELAY_PARTITIONS": "3"}).partitions == 3


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_loses_its_trailing_newline(ending: str, tmp_path: Path) -> None:
    """A secret written with `echo` is the same as one written with `printf`."""
    secret = tmp_path / "redis"
    secret.write_bytes(b"redis://:p%20w@queue:6379/2" + ending.encode())
    settings = load_settings({}, {"RELAY_REDIS_URL_FILE": str(secret)})
    assert settings.redis_url == "redis://:p%20w@queue:6379/2"


def test_toml_takes_lists_and_numbers(tmp_path: Path) -> None:
    """Where the environment has commas and digits, TOML may have its own lists and numbers."""
    toml = tmp_path / "relay.toml"
    toml.write_text('sites = ["a.example", "b.example"]\ntrusted_proxies = "10.0.0.0/8"\nretry_base_s = 0.5\n')
    settings = load_settings({"config": str(toml)}, {})
    assert settings.sites == ("a.example", "b.example")
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8"]
    assert settings.retry_base_s == 0.5


def test_names_that_kubernetes_makes_are_no_faults() -> None:
    """A service called relay or relay-redis beside the container does not stop it from starting."""
    links = {
        "RELAY_SERVICE_HOST": "10.0.0.11",
        "RELAY_SERVICE_PORT": "8000",
        "RELAY_SERVICE_PORT_HTTP": "8000",
        "RELAY_PORT": "tcp://10.0.0.11:8000",
        "RELAY_PORT_8000_TCP": "tcp://10.0.0.11:8000",
        "RELAY_PORT_8000_TCP_ADDR": "10.0.0.11",
        "RELAY_REDIS_PORT": "tcp://10.0.0.12:6379",
        "RELAY_REDIS_SERVICE_HOST": "10.0.0.12",
    }
    assert load_settings({}, links) == Settings()
    with pytest.raises(SettingsError, match="RELAY_PORT"):
        load_settings({}, {"RELAY_PORT": "8000"})


def test_a_child_process_gets_the_same_settings(tmp_path: Path) -> None:
    """What `up` was told in any way reaches its children through their environment alone."""
    toml = tmp_path / "relay.toml"
    toml.write_text('sites = ["a.example", "b.example"]\nmax_age_s = 0.25\nlog_format = "json"\n')
    secret = tmp_path / "redis"
    secret.write_text("redis://:pw@queue:6379/0")
    environ = {"RELAY_CONFIG": str(toml), "RELAY_REDIS_URL_FILE": str(secret), "PATH": "/bin"}
    options = {"listen": "[::1]:9000", "trusted_proxies": "10.0.0.0/8,::1", "upstream": "https://plausible.example/"}
    settings = load_settings(options, environ)
    child = as_environ(settings, environ)
    assert load_settings({}, child) == settings
    assert child["PATH"] == "/bin"
    assert {"RELAY_CONFIG", "RELAY_REDIS_URL_FILE"}.isdisjoint(child)
