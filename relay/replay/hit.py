"""What one line of a log says, whatever its format. No rule looks at a line, and no format knows a rule.

What a log does not say is empty here, never guessed: the site may come from `--site`, the scheme from `--scheme`.
"""

from __future__ import annotations

from typing import NamedTuple


class Hit(NamedTuple):
    """One request that somebody's server wrote down, or one ready event of an NDJSON or CSV file.

    `at_ms` is Unix time in milliseconds. `site` is the host as logged, without port, "" if unknown; `scheme` "https",
    "http" or "". `path` begins with a slash and has the query. `status` is None where the log has none. `ip` is the
    client's as logged, perhaps no address at all. `user_agent` is the header's bytes, None if there was none.
    `body` is one as Plausible takes it, where the line has one; then path, method and status say nothing. `once` is the
    sender's own id of that event. (A named tuple, as one is made for every line: that takes a third of the time.)
    """

    at_ms: int
    site: str
    scheme: str
    path: str
    method: str
    status: int | None
    ip: str
    user_agent: bytes | None
    referrer: str | None
    body: bytes | None = None
    once: str | None = None
