"""A static server for pages, as any site has one: another origin than the relay, so that CORS is truly crossed."""

from __future__ import annotations

import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final, Self

from clients.chromium import seen_by_browsers

HERE: Final = Path(__file__).parent
ESBUILD: Final = HERE / "node_modules" / ".bin" / "esbuild"
PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<title>{name}</title>
<link rel="icon" href="data:,">
<body style="min-height: 4000px">
{body}
<script type="module" src="{name}.js"></script>
"""


def _bundle(code: str, into: Path, form: str) -> None:
    bundled = subprocess.run(
        (ESBUILD, "--bundle", f"--format={form}", "--log-level=warning", f"--outfile={into}"),
        input=code,
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bundled.returncode == 0, bundled.stderr


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Pages:
    """Serves a folder on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(self.folder)))
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def address(self) -> str:
        """Where other servers find it."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def origin(self) -> str:
        """Where browsers find it."""
        return seen_by_browsers(self.address)

    def add(self, name: str, code: str, body: str = "") -> str:
        """A page with the code as its only script, bundled as a site's build does; its address."""
        _bundle(code, self.folder / f"{name}.js", "esm")
        (self.folder / f"{name}.html").write_text(PAGE.format(name=name, body=body), encoding="utf-8")
        return f"{self.origin}/{name}.html"

    def add_script(self, name: str) -> None:
        """A file `/js/<name>` in the place of the one that Plausible serves under that name."""
        _bundle((HERE / "script.js").read_text(encoding="utf-8"), self.folder / "js" / name, "iife")
