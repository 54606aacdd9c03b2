"""Which sites an event names: `domain`, a comma list of them, or else the host of its URL.

Plausible's spelling rules (contract section 1) and how many there may be; whether they are served is for `admission`.
"""

from collections.abc import Mapping
from typing import Any

from relay.rules.fault import Fault
from relay.rules.fields import either
from relay.rules.text import trim
from relay.rules.url import host_of

MAX_SITES = 100  # ours, in both modes: each site gets a body of its own, and a list of them may fill a whole request


def read_sites(fields: Mapping[str, Any], url: str) -> tuple[str, ...] | Fault:
    """The sites in their order, doubled too. A `domain` that is not text counts as absent; `url` is "" if illegal."""
    named = either(fields.get("d"), fields.get("domain"))
    if type(named) is str:
        if (count := named.count(",") + 1) > MAX_SITES:
            return Fault("domain", f"names {count} sites: send at most {MAX_SITES} at once")
        return sites_in(named) if trim(named) else _blank("it is blank")
    site = site_in(host_of(url))
    return (site,) if site else _blank("there is none, and the url has no host to take in its place")


def sites_in(named: str) -> tuple[str, ...]:
    """The sites of a text that is not blank."""
    if "," in named:
        return tuple(map(site_in, named.split(",")))
    return (site_in(named),)


def site_in(part: str) -> str:
    """One part of the list: trimmed, then without one leading `www.`; never lower-cased."""
    return trim(part).removeprefix("www.")


def _blank(found: str) -> Fault:
    return Fault("domain", "can't be blank", f'{found}; give the site as Plausible knows it in "domain" (or "d")')
