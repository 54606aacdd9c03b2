"""One fetch of a script from Plausible: what comes back is a script, or that there is none, or why it cannot be had.

Nothing of a visitor goes up: no headers, no cookies, no query, so Plausible sees the relay alone. What comes down is
believed only as far as a script needs it: no redirect is followed, and only JavaScript of a bounded size is taken.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from relay import __version__

MAX_SCRIPT_BYTES: Final = 256 * 1024  # Plausible's largest has some 10 KiB
FETCH_TIMEOUT: Final = ClientTimeout(total=5.0, connect=3.0)
LEAST_FRESH_S: Final = 60.0  # what Plausible says for a site's own script; less would ask it for each page view
MOST_FRESH_S: Final = 86_400.0  # what it says for script.js
_HEADERS: Final = {
    "User-Agent": f"plausible-relay/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # its size is known as it comes
}
_JAVASCRIPT: Final = {"application/javascript", "text/javascript", "application/x-javascript"}
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Script:
    """A script, its ETag with the quotes, and for how long it may be passed on without asking again."""

    content: bytes
    etag: str
    fresh_s: float


@dataclass(frozen=True, slots=True)
class Absent:
    """Plausible has no script of that name."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be had: `why` follows the word "Plausible" and names no address; `answered` tells 502 from 503."""

    why: str
    answered: bool = True


def open_session() -> ClientSession:
    """Open a client for `fetch`, which keeps no cookies and unpacks nothing; to be closed."""
    return ClientSession(
        timeout=FETCH_TIMEOUT, headers=_HEADERS, cookie_jar=DummyCookieJar(), auto_decompress=False, trust_env=False
    )


async def fetch(session: ClientSession, url: str) -> Script | Absent | Failed:
    """Get the script at this URL, which holds nothing that a visitor made up. Never raises for what Plausible does."""
    try:
        async with session.get(url, allow_redirects=False) as reply:
            return await _read(reply)
    except TimeoutError:
        return Failed("did not answer in time", answered=False)
    except (ClientError, OSError, ValueError):
        return Failed("cannot be reached", answered=False)


async def _read(reply: ClientResponse) -> Script | Absent | Failed:
    if reply.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return Absent()
    if reply.status != HTTPStatus.OK:
        return Failed(f"answered {reply.status}")
    if reply.content_type not in _JAVASCRIPT:
        return Failed("answered with something that is no JavaScript")
    if reply.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Failed("answered compressed, which was not asked for")
    content = bytearray()
    async for chunk in reply.content.iter_any():
        content += chunk
        if len(content) > MAX_SCRIPT_BYTES:
            return Failed(f"answered with more than {MAX_SCRIPT_BYTES:,} bytes")
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Script(bytes(content), etag, _fresh_s(reply.headers.get("Cache-Control", "")))


def _fresh_s(cache_control: str) -> float:
    """Read for how long the answer holds, within the limits above."""
    told = _MAX_AGE.search(cache_control)
    return min(max(float(told[1]) if told else 0.0, LEAST_FRESH_S), MOST_FRESH_S)
