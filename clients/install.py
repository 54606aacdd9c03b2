"""Puts the clients where their tests look for them: `python -m clients.install`, a part of `make test-clients`.

npm packages into `clients/node_modules`, Python ones into a venv of their own, `clients/.venv`. Both as locked, with
hashes, and only if a lock has changed since.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from clients.needs import MissingError, chromium, node, npm

HERE: Final = Path(__file__).parent
VENV: Final = HERE / ".venv"
PYTHON: Final = VENV / "bin" / "python"


def _newer(lock: Path, stamp: Path) -> bool:
    return not stamp.exists() or lock.stat().st_mtime > stamp.stat().st_mtime


def install_node() -> None:
    """What package-lock.json says; no package's own script runs."""
    stamp = HERE / "node_modules" / ".installed"
    if _newer(HERE / "package-lock.json", stamp):
        subprocess.run((npm(), "ci"), cwd=HERE, check=True)
        stamp.touch()


def install_python() -> None:
    """What requirements.lock says, by its hashes."""
    stamp, lock = VENV / ".installed", HERE / "requirements.lock"
    if _newer(lock, stamp):
        subprocess.run((sys.executable, "-m", "venv", "--clear", VENV), check=True)
        pip = (PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check")
        subprocess.run((*pip, "install", "--require-hashes", "-r", lock), check=True)
        stamp.touch()


def main() -> int:
    """Install both; 1 and what to do if the machine lacks something."""
    missing = []
    for need in node, npm, chromium:
        try:
            need()
        except MissingError as error:
            missing.append(str(error))
    for each in missing:
        print(f"make test-clients: {each}", file=sys.stderr)
    if missing:
        return 1
    install_node()
    install_python()
    return 0


if __name__ == "__main__":
    sys.exit(main())
