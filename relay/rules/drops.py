"""Why Plausible probably dropped an event: a closed set of causes, found from what the relay knows.

Plausible says only that it dropped one (`x-plausible-dropped`), never why (contract section 3).
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Final

from relay.rules.bots import looks_like_bot


class DropCause(StrEnum):
    """The probable cause of a drop."""

    BOT = "bot"
    PRIVATE_ADDRESS = "private_address"
    NO_SESSION = "no_session"
    SITE_UNKNOWN = "site_unknown"
    SHIELD_OR_THROTTLE = "shield_or_throttle"


ADVICE: Final[dict[DropCause, str]] = {
    DropCause.BOT: "Plausible's bot lists match the User-Agent: send the visitor's own, or an app's name that ends "
    "in no word like bot, proxy, monitor or project",
    DropCause.PRIVATE_ADDRESS: "the visitor's address is private or reserved: name your reverse proxy in "
    "RELAY_TRUSTED_PROXIES so that the visitor's own address is seen",
    DropCause.NO_SESSION: "an engagement counts only within 30 minutes of a pageview of the same visitor",
    DropCause.SITE_UNKNOWN: "the worker has seen Plausible record nothing of this site since it started: see that "
    "the site is there under exactly this name; a new one is known within about a minute",
    DropCause.SHIELD_OR_THROTTLE: "look at the site's shields (addresses, countries, pages, hostnames) and at its "
    "plan's limit; on Plausible Cloud addresses of datacentres are dropped too",
}
"""What the user can do about each cause."""

PASSING: Final[dict[DropCause, tuple[float, ...]]] = {
    DropCause.NO_SESSION: (1.0, 2.0),  # its pageview was sent at the same moment, on another connection
    DropCause.SITE_UNKNOWN: (5.0, 15.0, 40.0),  # Plausible knows a new site within about a minute
}
"""Causes that may pass by themselves, and how long to wait before each further try, in units of the first wait for a
retry (RELAY_RETRY_BASE_S). Trying again can't count twice, as nothing was recorded (contract section 3)."""


def probable_cause(*, user_agent: bytes | None, ip: str, engagement: bool, site_seen: bool) -> DropCause:
    """The likeliest cause of a drop; `site_seen` says that Plausible has taken an event of this site before."""
    if looks_like_bot(user_agent):
        return DropCause.BOT
    if not ipaddress.ip_address(ip).is_global:
        return DropCause.PRIVATE_ADDRESS
    if engagement:
        return DropCause.NO_SESSION
    if not site_seen:
        return DropCause.SITE_UNKNOWN
    return DropCause.SHIELD_OR_THROTTLE
