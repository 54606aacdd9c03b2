"""Finds the files that an operator edits: the folder `config/`.

In a checkout it is the top-level folder, in an installed package `relay/config/`. Reads nothing, writes nothing.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "config", _PACKAGE.parent / "config")


def config_file(name: str) -> Path:
    """Path of `config/<name>`. Raises FileNotFoundError if the installation lacks it."""
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"config/{name} is missing from this installation (looked in {_FOLDERS[0]}, {_FOLDERS[1]})")
