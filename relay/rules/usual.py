"""The usual event, read in one straight pass: what nearly all events are, in a fraction of the full rules' time.

It decides nothing of its own: what it reads is what the fields' own files read without a fault and without a warning,
in both modes alike. At the first thing that is not plain it leaves the whole event to them. A law holds the two
against each other (tests/rules/test_usual.py). There are two ways in: from fields, and straight from a body whose
fields all have the types that they nearly always have.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from relay.rules.currencies import CURRENCIES
from relay.rules.domain import read_sites
from relay.rules.engagement import wrong_engagement
from relay.rules.fault import Fault
from relay.rules.fields import MAX_NAME_CHARACTERS, is_interactive, wrong_hash_mode
from relay.rules.props import MAX_PROPS, text_of
from relay.rules.revenue import Revenue
from relay.rules.typed import (
    KEY_CHARACTERS,
    LONGEST_DOMAIN,
    MOST_BYTES,
    URL_CHARACTERS,
    VALUE_CHARACTERS,
    Typed,
    has_each_key_once,
)
from relay.rules.warnings import MAX_REFERRER_CHARACTERS, of_interactive, of_path

Usual = tuple[str, tuple[str, ...], str, dict[str, str], Revenue | None, bool]
"""Name, sites, URL, props, revenue, interactive."""

_RARE = frozenset({"h", "hashMode", "i", "interactive", "m", "meta"})
_PLAIN_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")

_typed = msgspec.json.Decoder(Typed).decode


def read_usual_body(body: bytes) -> Usual | None:
    """The event, or None if its body has anything beside the usual fields in their usual types, or too much of them."""
    try:
        told = _typed(body if len(body) <= MOST_BYTES else b"")  # nothing is no event, either
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    name = told.name if told.n is None else told.n
    url = told.url if told.u is None else told.u
    named = told.domain if told.d is None else told.d
    source = told.props if told.p is None else told.p
    money = told.dollar if told.revenue is None else told.revenue
    if name is None or url is None or named is None or name.isspace():
        return None
    if not (is_plain(url) and has_each_key_once(body, told)):
        return None
    sites = sites_named(named)
    props = _props(source)
    revenue = None if money is None else plain_revenue(money)
    if isinstance(sites, Fault) or props is None or (money is not None and revenue is None):
        return None
    if name == "engagement" and wrong_engagement(name, {"sd": told.sd, "e": told.e}):
        return None
    plain = told.i is None and told.interactive is None
    interactive = plain or is_interactive({"i": told.i, "interactive": told.interactive})
    return name, sites, url, props, revenue, interactive


def read_usual(fields: Mapping[str, Any]) -> Usual | None:
    """The event, or None if it is not a usual one.

    `str.isspace` stands for Elixir's `trim`: all that is white space there is so to Python, which knows some more.
    """
    get = fields.get
    name = get("name") if (short := get("n")) is None else short
    url = get("url") if (short := get("u")) is None else short
    if type(name) is not str or not name or name.isspace() or len(name) > MAX_NAME_CHARACTERS:
        return None
    if type(url) is not str or not is_plain(url):
        return None
    named = get("domain") if (short := get("d")) is None else short
    known = type(named) is str and len(named) <= LONGEST_DOMAIN
    sites = sites_named(named) if known else read_sites(fields, url)
    interactive = _RARE.isdisjoint(fields) or _interactive(fields)
    props = _props(get("props") if (short := get("p")) is None else short)
    money = get("$") if (long := get("revenue")) is None else long
    revenue = None if money is None else plain_revenue(money)
    if isinstance(sites, Fault) or interactive is None or props is None or (money is not None and revenue is None):
        return None
    referrer = get("referrer") if (short := get("r")) is None else short
    if referrer is not None and (type(referrer) is not str or len(referrer) > MAX_REFERRER_CHARACTERS):
        return None
    if name == "engagement" and wrong_engagement(name, fields):
        return None
    return name, sites, url, props, revenue, interactive


@lru_cache(maxsize=1_024)
def sites_named(named: str) -> tuple[str, ...] | Fault:
    """Sites are few, and each of their events says the same."""
    return read_sites({"d": named}, "")


def is_plain(url: str) -> bool:
    """Whether nothing is to be said of the URL."""
    if len(url) > URL_CHARACTERS or url[:5].lower() == "data:":
        return False
    path = url.partition("?")[0].partition("#")[0]
    return (" " < path[-1:] < "\x7f" and "%" not in path[-9:]) or not of_path(url)


def _interactive(fields: Mapping[str, Any]) -> bool | None:
    """What the rare keys say; None if anything is to be said of them, or there are props of an old tracker's."""
    old = fields.get("m") is not None or fields.get("meta") is not None
    return None if old or of_interactive(fields) or wrong_hash_mode(fields) else is_interactive(fields)


def _props(source: object) -> dict[str, str] | None:
    """The props as text, if each of them stays."""
    if source is None:
        return {}
    if type(source) is not dict or len(source) > MAX_PROPS:
        return None
    props = {}
    for key, value in source.items():
        text = value if type(value) is str else text_of(value)
        if not text or text.isspace() or len(text) > VALUE_CHARACTERS:
            return None
        if not key or key.isspace() or len(key) > KEY_CHARACTERS:
            return None
        props[key] = text
    return props


def plain_revenue(source: object) -> Revenue | None:
    """A plain amount in a known currency, None for all else."""
    if type(source) is not dict:
        return None
    amount, currency = source.get("amount"), source.get("currency")
    text = str(amount) if type(amount) in {int, float} else amount
    if type(text) is not str or not _PLAIN_AMOUNT.fullmatch(text):
        return None
    return Revenue(text, currency) if type(currency) is str and currency in CURRENCIES else None
