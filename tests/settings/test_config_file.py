"""config/relay.toml says what the model says. The expected text is built here, out of the model."""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from relay.config_files import config_file
from relay.settings import Listed, Settings, listing, load_settings

HEAD = """\
# Every setting of the relay, with its default. Name this file in RELAY_CONFIG or with --config, and take the # off
# the lines that you change. An option and a variable RELAY_<NAME> come before what stands here.
"""


def lines_of(row: Listed) -> Iterator[str]:
    """Write one setting as the file shows it."""
    default = Settings.model_fields[row.name].default
    has_default = default not in (None, ())
    yield ""
    yield from textwrap.wrap(row.meaning, width=118, initial_indent="# ", subsequent_indent="# ")
    yield f"# Value: {row.shape.right}."
    if not has_default:
        yield f"# Default: {row.default}. For example:"
    value = default if has_default else row.shape.example
    if default == ():
        written = json.dumps(str(value).split(","))
    elif isinstance(value, int | float):
        written = row.default if has_default else f"{value:g}"
    else:
        written = json.dumps(row.default if has_default else value)
    yield f"#{row.name} = {written}"


def expected_text() -> str:
    """Write the whole file."""
    return HEAD + "\n".join(line for row in listing() for line in lines_of(row)) + "\n"


def test_the_file_lists_every_setting_with_its_default_and_meaning() -> None:
    """What an operator reads in config/relay.toml is what the relay does."""
    assert config_file("relay.toml").read_text(encoding="utf-8") == expected_text()


def test_the_file_as_it_ships_changes_nothing() -> None:
    """Naming the shipped file is the same as naming none."""
    assert load_settings({"config": str(config_file("relay.toml"))}, {}) == Settings()


def test_every_line_that_an_operator_may_uncomment_loads(tmp_path: Path) -> None:
    """Each commented-out setting is right as it stands, and those with a default say just that default."""
    text = re.sub(r"(?m)^#(?=[a-z])", "", config_file("relay.toml").read_text(encoding="utf-8"))
    file = tmp_path / "relay.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load_settings({"config": str(file)}, {})
    assert loaded.model_fields_set == set(Settings.model_fields)
    for name, found in Settings.model_fields.items():
        if found.default not in (None, ()):
            assert getattr(loaded, name) == found.default, name
