"""Many usual events read at once: what is kept beside each of them, in a quarter of the time that one by one takes.

It holds of all of them or of none, and says no more than `usual` would of each: at the first thing that is not plain
all are left to that. What is looked for is looked for in all their bytes together, as most of it is nowhere in them.
The same law holds it against the full rules (tests/rules/test_usual.py).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from relay.rules.engagement import wrong_engagement
from relay.rules.fault import Fault
from relay.rules.typed import KEY_CHARACTERS, MOST_BYTES, Typed, has_each_key_once
from relay.rules.usual import is_plain, plain_revenue, sites_named

_typed = msgspec.json.Decoder(list[Typed]).decode
_ENGAGEMENT = "engagement"
_MARKS = "%\t\n\v\f\r"


class UsualItems(NamedTuple):
    """Of each item its one site, whether it has revenue, and whether it is an engagement."""

    sites: Sequence[str]
    sales: Sequence[bool]
    engagements: Sequence[bool]


def read_usual_items(items: Sequence[bytes]) -> UsualItems | None:
    """What they say, or None if one of them is no usual event of one site. Of any bytes; never raises."""
    told = _decoded(items)
    if told is None:
        return None
    sites = _sites([one.domain if one.d is None else one.d for one in told])
    sales = _sales([one.dollar if one.revenue is None else one.revenue for one in told])
    engagements = _engagements([one.name if one.n is None else one.n for one in told], told)
    if sites is None or sales is None or engagements is None:
        return None
    are_plain = _are_plain([one.url if one.u is None else one.u for one in told])
    return UsualItems(sites, sales, engagements) if are_plain else None


def _decoded(items: Sequence[bytes]) -> Sequence[Typed] | None:
    """Each of them, or None if one of them is not typed, or may have more in it than was decoded.

    No text has a line break in it as it is, so a comma behind one stands between values, and before a `{` between
    items: each is JSON of its own.
    """
    joined = b"[%b]" % b"\n,".join(items)
    if len(joined) > MOST_BYTES or {item[:1] for item in items} != {b"{"}:
        return None
    try:
        told = _typed(joined)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if len(told) != len(items) or not has_each_key_once(joined, told):
        return None
    if _may_have_blanks(joined) and any(map(_has_blank, told)):
        return None
    return told if _have_fit_props(told) else None


def _have_fit_props(told: Sequence[Typed]) -> bool:
    """Whether each prop has a name, and a short one; there are few of them, and each event has the same."""
    keys: set[str] = set().union(*[one.p for one in told if one.p], *[one.props for one in told if one.props])
    return all(0 < len(key) <= KEY_CHARACTERS for key in keys)


def _may_have_blanks(joined: bytes) -> bool:
    """Whether a text may be white space only: in ASCII it begins with a space, or with what is escaped."""
    return not joined.isascii() or b"\\" in joined or (b" " in joined and b'" ' in joined)


def _has_blank(one: Typed) -> bool:
    """Whether any of its texts is nothing but white space."""
    texts: list[object] = [one.n, one.name]
    for props in (one.p, one.props):
        if props is not None:
            texts += [*props, *props.values()]
    return any(isinstance(text, str) and text.isspace() for text in texts)


def _sites(named: Sequence[str | None]) -> Sequence[str] | None:
    """The site of each."""
    site_of: dict[str | None, str] = {}
    for one in set(named):
        sites = None if one is None else sites_named(one)
        if sites is None or isinstance(sites, Fault) or len(sites) != 1:
            return None
        site_of[one] = sites[0]
    return [site_of[one] for one in named]


def _sales(money: Sequence[object]) -> Sequence[bool] | None:
    """Which have revenue; None if that of one of them is not plain."""
    sales = [one is not None for one in money]
    if True in sales and not all(one is None or plain_revenue(one) for one in money):
        return None
    return sales


def _engagements(names: Sequence[str | None], told: Iterable[Typed]) -> Sequence[bool] | None:
    """Which are engagements; None if one of them is wrong, or an event has no name."""
    if None in names:
        return None
    engagements = [name == _ENGAGEMENT for name in names]
    if True in engagements:
        for name, one in zip(names, told, strict=True):
            if wrong_engagement(name, {"sd": one.sd, "e": one.e}):
                return None
    return engagements


def _are_plain(urls: Sequence[str | None]) -> bool:
    """Whether nothing is to be said of the URLs: in ASCII, nothing ever is without white space, `%` and `data:`."""
    if None in urls:
        return False
    known = [url for url in urls if url is not None]
    lined = " " + " ".join(known)
    marked = any(mark in lined for mark in _MARKS) or lined.count(" ") != len(known) or " data:" in lined.lower()
    return (lined.isascii() and not marked) or all(map(is_plain, known))
