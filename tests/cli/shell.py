"""Runs a command of the relay as a shell does: a real process, its exit code and what it printed."""

import os
import subprocess
import sys
from pathlib import Path


def relay(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, without this process's own RELAY_ variables."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "relay", *arguments],
        env=environ | variables,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done
