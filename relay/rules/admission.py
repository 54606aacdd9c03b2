"""Which sites this relay is for, and what becomes of an event that names others.

Names are compared letter for letter, as Plausible does. How a domain is read from a body is for `domain`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from relay.rules.domain import site_in
from relay.rules.event import Event, Refused, Validation, refuse
from relay.rules.fault import Fault
from relay.rules.text import shown

EVERY_SITE = "*"

# Ours, in both modes: each site gets a body of its own, and a write of a hundred megabytes is one all others wait for.
MAX_BYTES_OF_ALL = 4_000_000


@dataclass(frozen=True, slots=True)
class Sites:
    """The sites that are served: `names`, or every one."""

    names: frozenset[str]
    every: bool

    def __contains__(self, site: str) -> bool:
        """The empty part of a list (`a.com,,b.com`) is never a site."""
        return site in self.names or (self.every and site != "")


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """The event's sites that stay and those that are unknown, each in the event's order, doubled ones too.

    `unknown` is empty in strict mode. In plausible mode `sites` may be empty: the answer is Plausible's 202 with
    `x-plausible-dropped: len(unknown)`. Of `bodies_by_site` send those whose site is in `sites`.
    """

    sites: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def parse_sites(items: Iterable[str]) -> Sites:
    """The setting: names as Plausible knows them (`*` is all), trimmed and without `www.` as in events; blanks go."""
    names = frozenset(map(site_in, items)) - {""}
    return Sites(names - {EVERY_SITE}, every=EVERY_SITE in names)


def admit(event: Event, sites: Sites, validation: Validation) -> Admitted | Refused:
    """Which sites of the event are served here; in strict mode all of them must be, else 400 on `domain`."""
    if len(event.sites) == 1 and event.sites[0] in sites.names:
        return Admitted(event.sites)
    if len(event.sites) > 1 and len(event.sites) * len(event.body) > MAX_BYTES_OF_ALL:
        return refuse([_too_many(event)], validation)
    unknown = tuple(site for site in event.sites if site not in sites)
    if not unknown:
        return Admitted(event.sites)
    if validation is Validation.STRICT:
        return refuse([_unknown(site, sites) for site in dict.fromkeys(unknown)], validation)
    return Admitted(tuple(site for site in event.sites if site in sites), unknown)


def _too_many(event: Event) -> Fault:
    size_bytes = len(event.body)
    fewer = f"of an event of {size_bytes:,} bytes send at most {MAX_BYTES_OF_ALL // size_bytes} at once"
    return Fault("domain", f"names {len(event.sites)} sites: {fewer}")


def _unknown(site: str, sites: Sites) -> Fault:
    if not site:
        return Fault("domain", "has an empty part: send site names with one comma between them")
    alike = _folded(site)
    for name in sites.names:
        if _folded(name) == alike:
            return Fault("domain", f"{shown(site)} is not a site of this relay: it has to be written {shown(name)}")
    return Fault("domain", f"{shown(site)} is not a site of this relay: check the spelling, or add it to RELAY_SITES")


def _folded(site: str) -> str:
    return site.lower().removeprefix("www.")
