"""What `make test-clients` needs on the machine beside Python, and what to install if it is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Final

NODE_MAJOR: Final = 20
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")


class MissingError(Exception):
    """Something is not there; the text says what to install."""


def _found(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def node() -> str:
    """Path of Node. Raises MissingError if there is none, or an old one."""
    path = _found("node")
    if path is None:
        raise MissingError(f"node is not on PATH: install Node.js {NODE_MAJOR} or later")
    told = subprocess.run((path, "--version"), capture_output=True, text=True, check=True).stdout.strip()
    major = re.match(r"v(\d+)\.", told)
    if major is None or int(major[1]) < NODE_MAJOR:
        raise MissingError(f"{path} is Node {told}: install Node.js {NODE_MAJOR} or later")
    return path


def npm() -> str:
    """Path of npm. Raises MissingError."""
    path = _found("npm")
    if path is None:
        raise MissingError("npm is not on PATH: it comes with Node.js; on Debian: apt-get install npm")
    return path


def chromium() -> str:
    """Path of the browser: CHROMIUM, or the first on PATH. Raises MissingError."""
    named = os.environ.get("CHROMIUM")
    path = _found(named) if named else _found(*BROWSERS)
    if path is None:
        where = f"CHROMIUM={named} is no program" if named else f"none of {', '.join(BROWSERS)} is on PATH"
        raise MissingError(f"{where}: on Debian: apt-get install chromium; elsewhere name one in CHROMIUM")
    return path
