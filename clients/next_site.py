"""A minimal Next.js site with next-plausible: `next_site/` with configuration and layout of docs/clients.md."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clients.needs import node
from clients.process import ENVIRON, HERE, server

SITE: Final = HERE / "next_site"
BUILT: Final = HERE / ".next_site"  # beside node_modules, where Next.js looks for its packages
NEXT: Final = HERE / "node_modules" / "next" / "dist" / "bin" / "next"
PORT: Final = ("--hostname", "127.0.0.1", "--port", "0")


@contextmanager
def next_site(log: Path, layout: str, configuration: str = "") -> Iterator[str]:
    """Build it for production and serve it; gives its address."""
    shutil.rmtree(BUILT, ignore_errors=True)
    shutil.copytree(SITE, BUILT)
    (BUILT / "next.config.js").write_text(configuration, encoding="utf-8")
    (BUILT / "app" / "layout.jsx").write_text(layout, encoding="utf-8")
    try:
        command = (node(), NEXT, "build")
        built = subprocess.run(command, cwd=BUILT, env=ENVIRON, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
        with server((node(), NEXT, "start", *PORT), log, cwd=BUILT) as address:
            yield address
    finally:
        shutil.rmtree(BUILT, ignore_errors=True)
