"""The event's URL: what is legal in it, and the host that Elixir's `URI.parse` finds there.

Nothing is checked beyond what Plausible checks: `app://x`, `/about` and free text are legal (contract section 1).
"""

import re
from collections.abc import Mapping
from typing import Any

from relay.rules.fault import Fault
from relay.rules.fields import either
from relay.rules.text import shown, wider_than

MAX_URL_BYTES = 2_000  # the whole URL; `@max_url_size` upstream

_LIKE = ", such as https://example.com/page"

# The regular expression of RFC 3986, appendix B, as far as the authority, with Elixir's stricter scheme.
_AUTHORITY = re.compile(r"(?:[a-z][a-z0-9+.\-]*:)?//([^/?#]*)", re.ASCII | re.IGNORECASE)
# From `URI.split_authority`; a userinfo ends at the last @.
_HOST = re.compile(r"(?:.*@)?(\[[a-zA-Z0-9:.]*\]|[^:]*)")


def read_url(fields: Mapping[str, Any]) -> str | Fault:
    """The URL as it came; "" is legal, as upstream."""
    url = either(fields.get("u"), fields.get("url"))
    if type(url) is not str:
        return _missing() if url is None else Fault("url", "must be a valid url", f'send text in "url" (or "u"){_LIKE}')
    if wider_than(url, MAX_URL_BYTES):
        advice = f"it has {len(url.encode())} bytes, at most {MAX_URL_BYTES} are read; cut its query"
        return Fault("url", "must be a valid url", advice)
    if url[:5].lower() == "data:":
        return Fault("url", "scheme is not allowed", f"{shown(url[:20])} names no page; send its address{_LIKE}")
    return url


def host_of(url: str) -> str:
    """The host without userinfo, port and the brackets of IPv6; "" if there is none."""
    authority = _AUTHORITY.match(url)
    host = _HOST.match(authority[1]) if authority else None
    return host[1].lstrip("[").rstrip("]") if host else ""


def _missing() -> Fault:
    return Fault("url", "is required", f'give the page\'s address in "url" (or "u"){_LIKE}')
