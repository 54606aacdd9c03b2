"""Who may post: a source, known by its key or, for browsers, by the site, and the sites that it may post for.

Denied by default: once there is a source, whoever is none is refused. Without any, `anybody` may post, as with
Plausible itself. Keys are seen here only as digests; where sources are kept is for `relay.queue.sources`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from relay.rules.admission import Sites
from relay.rules.text import shown

BURST_S = 10
SHOWN_SITES = 5  # of a source, in a refusal


class Kind(StrEnum):
    """What posts. Only `web` is known without a key: a browser has no place to hide one."""

    APP = "app"
    BACKEND = "backend"
    WEB = "web"


class Denial(StrEnum):
    """Why a sender is refused, as it is counted and logged."""

    NO_KEY = "no_key"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SITE = "wrong_site"
    NO_VISITOR = "no_visitor"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many events a second, and so many at once after a pause."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Source:
    """Who posts. `speaks`: may say for which visitor (address, User-Agent) an event is.

    `keyless`: it showed no key, and none is needed. `among`: the web sources, one of which answers; see `responsible`.
    """

    name: str
    kind: Kind | None
    sites: Sites
    speaks: bool = False
    rate: Rate | None = None
    address_rate: Rate | None = None
    keyless: bool = False
    among: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A source's key, and until when it opens (Unix ms); None: until it is taken away."""

    source: Source
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a sender is refused: the status, what is counted, who and for which site ("" if not known).

    `retry_after_s`: when it would not be refused, whole seconds.
    """

    status: int
    reason: Denial
    message: str
    source: str = ""
    site: str = ""
    field: str = "source"
    retry_after_s: int | None = None

    @property
    def errors(self) -> dict[str, list[str]]:
        """Plausible's shape."""
        return {self.field: [self.message]}


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources at one moment: by the digest of their keys, and `browsers`, who need none."""

    keys: Mapping[str, Key]
    browsers: Source | None = None

    def identify(self, key: bytes | None, now_ms: int, *, keyless: bool = True) -> Source | Denied:
        """Whose key it is; without one a browser, if there is a web source and the endpoint is for browsers.

        Constant in time as far as it matters: what is looked up is a digest, and nobody can choose a digest's bytes to
        come nearer to one that opens.
        """
        if key is None:
            return self.browsers if keyless and self.browsers is not None else _NO_KEY
        found = self.keys.get(digest_of(key))
        if found is None:
            return _UNKNOWN_KEY
        if found.until_ms is not None and now_ms >= found.until_ms:
            return replace(_UNKNOWN_KEY, source=found.source.name)  # the log says who has not changed it yet
        return found.source


_RIGHT = "send the key of a source as Authorization: Bearer prk_… (`relay source` makes them)"
_NO_KEY = Denied(401, Denial.NO_KEY, f"there is no key, and this relay takes events from its sources only: {_RIGHT}")
_UNKNOWN_KEY = Denied(401, Denial.UNKNOWN_KEY, f"the key is none of this relay, or no longer: {_RIGHT}")


def digest_of(key: bytes) -> str:
    """What is kept of a key. Keys are 256 random bits, so there is nothing to guess and no need of a slow hash."""
    return hashlib.sha256(key).hexdigest()


def rate_of(per_s: float | None, burst: int | None) -> Rate | None:
    """A limit as it is written; without a burst, that is what the rate allows in ten seconds: events come in heaps."""
    return None if per_s is None else Rate(per_s, burst or math.ceil(per_s * BURST_S))


def anybody(sites: Sites, address_rate: Rate | None = None) -> Source:
    """The only sender of a relay without sources: whoever reaches it, for the sites of RELAY_SITES."""
    return Source("", None, sites, address_rate=address_rate, keyless=True)


def browsers_of(sources: Iterable[Source], address_rate: Rate | None = None) -> Source | None:
    """The sender without a key: all web sources together. It never speaks for others.

    `address_rate` holds for those of them that have none of their own.
    """
    web = [source for source in sources if source.kind is Kind.WEB]
    among = tuple(replace(s, keyless=True, speaks=False, address_rate=s.address_rate or address_rate) for s in web)
    if len(among) < 2:  # noqa: PLR2004 - one is itself
        return among[0] if among else None
    names = frozenset[str]().union(*(source.sites.names for source in among))
    return Source("", Kind.WEB, Sites(names, any(s.sites.every for s in among)), keyless=True, among=among)


def responsible(source: Source, sites: Sequence[str]) -> Source | Denied:
    """The source that answers for an event of these sites; all of them must be its own, whatever the validation.

    Of several web sources the one with the first site. The empty part of a list is no site, and for `admit` to judge.
    """
    if source.kind is None:
        return source
    for site in sites:
        if site and site not in source.sites:
            return _no_key_for(site) if source.keyless else _not_covered(source, site)
    return next((each for each in source.among if any(site in each.sites for site in sites[:1])), source)


def _not_covered(source: Source, site: str) -> Denied:
    named = sorted(source.sites.names)
    more = f" and {len(named) - SHOWN_SITES} more" if len(named) > SHOWN_SITES else ""
    right = f"it may post for {', '.join(map(shown, named[:SHOWN_SITES]))}{more}"
    message = f"the key of source {shown(source.name)} does not cover the site {shown(site)}: {right}"
    return Denied(403, Denial.WRONG_SITE, message, source.name, site)


def _no_key_for(site: str) -> Denied:
    message = f"there is no key, and no web source covers the site {shown(site)}: check the spelling, or {_RIGHT}"
    return Denied(401, Denial.NO_KEY, message, site=site)


def no_visitor(source: Source, *, of_item: bool = False) -> Denied:
    """A source that speaks for its visitors named none, in a request or in an item of a batch."""
    right = '"X-Forwarded-For: <address>" and the visitor\'s User-Agent as User-Agent'
    if of_item:
        right = '"ip" and the visitor\'s User-Agent as "user_agent"'
    message = (
        f"no visitor is named: source {shown(source.name)} speaks for its visitors, and Plausible would take its "
        f"server for one, or drop it as a datacentre: send the visitor's address as {right}"
    )
    return Denied(400, Denial.NO_VISITOR, message, source.name, field="ip")


def too_many(source: Source, wait_ms: int, *, of_address: bool) -> Denied:
    """The source, or one address of it, has sent more than it may."""
    wait_s = max(1, -(-wait_ms // 1_000))
    who = "this address" if of_address else f"source {shown(source.name)}"
    rate = source.address_rate if of_address else source.rate
    limit = f", at most {rate.per_s:g} a second and {rate.burst} at once" if rate else ""
    message = f"too many events of {who}{limit}: send it again in {wait_s} s"
    return Denied(429, Denial.TOO_MANY, message, source.name, field="request", retry_after_s=wait_s)


def key_in(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key of `Authorization: Bearer <key>`, None if there is no such header; other schemes are not ours to read."""
    for name, value in headers:
        if name.lower() == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            return rest.strip() if scheme.lower() == b"bearer" else None
    return None
