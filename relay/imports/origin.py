"""Where a visit came from: the columns of imported_sources, out of its first event's URL and referrer.

As `Plausible.Ingestion.Source` has it: a tag in the URL outranks the referrer, and a page of the same host is none.
"""

from functools import lru_cache
from typing import NamedTuple

from relay.imports.page import Page, bare_host, page_of
from relay.imports.sources import named_by_host, named_by_tag
from relay.rules.url import host_of

_SCHEMES = ("http://", "https://", "android-app://")
_CLICK_IDS = {"Google": "gclid", "Bing": "msclkid"}


class Origin(NamedTuple):
    """The columns of the table, each "" if there is nothing to say."""

    source: str
    referrer: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_content: str
    utm_term: str


def origin_of(page: Page, referrer: str | None) -> Origin:
    """What the first event of a visit says."""
    query = page.query
    tag = query.get("utm_source", query.get("source", query.get("ref")))
    known, shown = _referral(page.hostname, referrer) if referrer else ("", "")
    source = known if tag is None else named_by_tag(tag)
    return Origin(
        source,
        shown,
        tag or "",
        query.get("utm_medium", _medium(page, source)),
        query.get("utm_campaign", ""),
        query.get("utm_content", ""),
        query.get("utm_term", ""),
    )


def _medium(page: Page, source: str) -> str:
    click_id = _CLICK_IDS.get(source)
    return f"({click_id})" if click_id and click_id in page.query else ""


@lru_cache(maxsize=16_384)
def _referral(hostname: str, referrer: str) -> tuple[str, str]:
    """The source and the referrer as stored; both "" for a page of the same host, of localhost, or no web address."""
    referrer = referrer.strip()
    host = host_of(referrer)
    if not host or not referrer.lower().startswith(_SCHEMES) or host == "localhost" or bare_host(host) == hostname:
        return "", ""
    app = "android-app://" if referrer.lower().startswith("android-app:") else ""
    shown = app + bare_host(host)
    path = page_of(referrer.partition("?")[0].partition("#")[0]).path
    return named_by_host(host) or shown, (shown + path).rstrip("/")
