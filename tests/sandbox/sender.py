"""A client that posts to a sandbox as a sender would, and asks the sandbox what it saw."""

from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

PAGEVIEW = '{"n":"pageview","u":"https://example.com/a","d":"example.com"}'
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148"


@dataclass(frozen=True, slots=True)
class Sender:
    """Posts to a sandbox as a sender would, and reads what the sandbox says it saw."""

    url: str
    session: aiohttp.ClientSession

    async def post(self, body: str | bytes = PAGEVIEW, **headers: str) -> tuple[int, str, CIMultiDictProxy[str]]:
        """Post an event; header names are given with `_` for `-`. Return status, text and headers of the answer."""
        sent = {"Content-Type": "text/plain", "User-Agent": PHONE}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body.encode() if isinstance(body, str) else body
        async with self.session.post(f"{self.url}/api/event", data=data, headers=sent) as answer:
            return answer.status, await answer.text(), answer.headers

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call one of the sandbox's own endpoints and return the JSON of its answer."""
        async with self.session.request(method, f"{self.url}{path}", json=body) as answer:
            return await answer.json()

    async def events(self, **query: str | int) -> list[dict[str, Any]]:
        """Return the entries of the record."""
        async with self.session.get(f"{self.url}/events", params=query) as answer:
            events: list[dict[str, Any]] = (await answer.json())["events"]
            return events
