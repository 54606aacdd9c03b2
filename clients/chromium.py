"""A real Chromium without a window, driven by `browser.mjs`. Nothing here answers in the place of a server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from clients.needs import chromium, node

HERE: Final = Path(__file__).parent
FLAGS: Final = (
    "--no-sandbox",  # containers have no user namespaces for it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-blink-features=AutomationControlled",  # trackers stay silent if the browser says that it is driven
)
SITE: Final = "example.com"
ANSWERS_S: Final = 20.0
# A flag and not emulation, which a page's last requests escape; HeadlessChrome would be a bot to Plausible.
USER_AGENT: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)


def seen_by_browsers(address: str) -> str:
    """A server of this machine under the site's name; trackers are silent on a site whose name is localhost's."""
    return address.replace("127.0.0.1", SITE)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as the browser's network log has it. `type` is `Preflight` for those; `failed` says why it did."""

    type: str
    method: str
    url: str
    content_type: str | None
    body: str | None
    status: int | None
    failed: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page that one visitor has open."""

    browser: Browser
    number: int

    def _order(self, order: str, **given: Any) -> Any:
        return self.browser.order(order, page=self.number, **given)

    def run(self, script: str) -> Any:
        """What the JavaScript expression gives, awaited if it is a promise."""
        return self._order("run", script=script)

    def click(self, selector: str) -> None:
        """Click as a visitor does."""
        self._order("click", selector=selector)

    def go(self, url: str) -> None:
        """Leave for another address."""
        self._order("go", url=url)

    def cover(self) -> None:
        """Turn to another window; the page stays, and hears that it lost the focus."""
        self._order("cover")

    def close(self) -> None:
        """Close the tab; the page hears that it is hidden."""
        self._order("close")

    def sent(self, host: str) -> list[Sent]:
        """What it sent to addresses that begin so, once all of it was answered or failed."""
        deadline_s = time.monotonic() + ANSWERS_S
        while True:
            found = [Sent(**each) for each in self._order("sent") if each["url"].startswith(host)]
            if all(each.status or each.failed for each in found):
                return found
            assert time.monotonic() < deadline_s, found
            time.sleep(0.02)

    def said(self) -> list[str]:
        """What it wrote to its console, uncaught errors too."""
        told: list[str] = self._order("said")
        return told


class Browser:
    """The browser. `example.com` is this machine to it, 127.0.0.1 too, and there is nothing else in the world."""

    def __enter__(self) -> Self:
        rules = f"--host-resolver-rules=MAP {SITE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        self.process = subprocess.Popen(
            (node(), str(HERE / "browser.mjs"), *FLAGS, f"--user-agent={USER_AGENT}", rules),
            env=os.environ | {"CHROMIUM": chromium()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def order(self, order: str, **given: Any) -> Any:
        """Have it done; the result. What the browser could not do fails the test in its words."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"order": order, **given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def visit(self, url: str) -> Page:
        """Open the address as a new visitor."""
        return Page(self, self.order("visit", url=url))
