"""The settings as people read them: one row each, for `--help`, config/relay.toml, the README and child processes.

Everything here is taken from the model; nothing is said twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from relay.settings.model import Settings
from relay.settings.sources import CONFIG, variable
from relay.settings.values import Shape


@dataclass(frozen=True, slots=True)
class Listed:
    """One setting in words. `default` is text as in the environment, or in words when there is none."""

    name: str
    variable: str
    default: str
    meaning: str
    shape: Shape


def shape_of(name: str) -> Shape:
    """Return what is right for the setting of that name."""
    found = Settings.model_fields[name]
    parts = [*found.metadata, *(part for kind in get_args(found.annotation) for part in get_args(kind))]
    return next(part for part in parts if isinstance(part, Shape))


def listing() -> Iterator[Listed]:
    """Yield every setting in the model's order."""
    for name, found in Settings.model_fields.items():
        shape = shape_of(name)
        default = as_text(found.default) or shape.absent
        yield Listed(name, variable(name), default, found.description or "", shape)


def as_text(value: object) -> str:
    """Write a setting's value as the environment would hold it; empty for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, Path) and not value.is_absolute():
        return f"./{value}"
    if isinstance(value, tuple):
        return ",".join(str(member) for member in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def as_environ(settings: Settings, environ: dict[str, str]) -> dict[str, str]:
    """Return a child process's environment that loads as exactly these settings.

    `environ` is the parent's: its other names pass on; RELAY_CONFIG and RELAY_<NAME>_FILE do not, as their values are
    already in the settings.
    """
    ours = {variable(name) for name in Settings.model_fields}
    dropped = ours | {name + "_FILE" for name in ours} | {variable(CONFIG)}
    kept = {name: text for name, text in environ.items() if name not in dropped}
    texts = {variable(name): as_text(getattr(settings, name)) for name in Settings.model_fields}
    return kept | {name: text for name, text in texts.items() if text}
