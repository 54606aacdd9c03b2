"""The host, the path and the query of an event's URL, as Plausible stores them. No event is judged here.

As `Plausible.Ingestion.Request` has it: one leading `www.` goes, the path is decoded, trailing blanks go.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from relay.rules.url import host_of

NO_HOST = "(none)"

# RFC 3986, appendix B, behind the scheme and the authority: path, query, fragment.
_BEHIND = re.compile(
    r"(?:[a-z][a-z0-9+.\-]*:)?(?://[^/?#]*)?"  # not these
    r"([^?#]*)(?:\?([^#]*))?(?:#(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_NOTHING: Mapping[str, str] = {}


class Page(NamedTuple):
    """Where an event happened. `query` has the last value of each name."""

    hostname: str
    path: str
    query: Mapping[str, str]


@lru_cache(maxsize=16_384)
def page_of(url: str, *, hash_mode: bool = False) -> Page:
    """Read any text at all. With `hash_mode` the fragment belongs to the path."""
    found = _BEHIND.match(url)
    path, query, fragment = found.groups() if found else ("", None, None)
    path = unquote(path or "/").rstrip()
    if hash_mode and fragment:
        path = f"{path}#{unquote(fragment)}"
    return Page(bare_host(host_of(url)) or NO_HOST, path, _read(query) if query else _NOTHING)


def bare_host(host: str) -> str:
    """A host without blanks around it and without one leading `www.`; never lower-cased."""
    return host.strip().removeprefix("www.")


def _read(query: str) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=1_000))
    except ValueError:  # more fields than any page has: nothing of it is a tag
        return _NOTHING
