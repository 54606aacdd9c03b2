"""An event for several sites becomes one body for each; not a byte beside the site changes.

Each is sent and settled on its own (docs/promises.md, "Every event ends in exactly one way"). The body was parsed
before, so it is known to be JSON.
"""

import orjson

from relay.rules.domain import sites_in
from relay.rules.event import Event
from relay.rules.outermost import members

_NOTHING = frozenset({b"", b"null", b"false"})  # beside which the long key counts


def bodies_by_site(event: Event) -> list[tuple[str, bytes]]:
    """One (site, body) for each site of the event as parsed, doubled ones too; a single site keeps its body."""
    if len(event.sites) == 1:
        return [(event.sites[0], event.body)]
    places = {key: (start, stop) for key, start, stop in members(event.body)}
    short = places.get("d", (0, 0))
    start, stop = places["domain"] if event.body[slice(*short)] in _NOTHING else short
    between = event.body[:start], event.body[stop:]
    return [(site, orjson.dumps(_spelled(site)).join(between)) for site in event.sites]


def _spelled(site: str) -> str:
    """What Plausible reads as exactly this site: the part of a list loses a `www.` only once."""
    return site if sites_in(site) == (site,) and site else f"www.{site}"
