"""The event that a rule made of a hit, and its body as Plausible takes it.

A ready body (NDJSON, CSV) goes through byte for byte; all others are written here, and nowhere else in the relay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

PAGEVIEW = "pageview"


@dataclass(frozen=True, slots=True)
class Kept:
    """An event out of a log. `at_ms` is when it happened (Unix ms), which its body cannot say (contract section 5).

    `revenue` is `{"amount", "currency"}`. `ready` is the line's own body, if it had one; the other fields then say what
    Plausible would read in it.
    """

    at_ms: int
    site: str
    ip: str
    user_agent: bytes | None
    name: str
    url: str
    referrer: str | None = None
    props: Mapping[str, str] = field(default_factory=dict)
    revenue: Mapping[str, Any] | None = None
    ready: bytes | None = None
    once: str | None = None

    @property
    def body(self) -> bytes:
        """The body of its POST."""
        if self.ready is not None:
            return self.ready
        fields: dict[str, Any] = {"name": self.name, "domain": self.site, "url": self.url}
        if self.referrer:
            fields["referrer"] = self.referrer
        if self.props:
            fields["props"] = self.props
        if self.revenue:
            fields["revenue"] = self.revenue
        return orjson.dumps(fields)
