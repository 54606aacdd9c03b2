"""The usual event, read in one straight pass: what nearly all events are, in a fraction of the full rules' time.

It decides nothing of its own: what it reads is what the fields' own files read without a fault and without a warning,
in both modes alike. At the first thing that is not plain it leaves the whole event to them. A law holds the two
against each other (tests/rules/test_usual.py). There are two ways in: from fields, and straight from a body whose
fields all have the types that they nearly always have.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from relay.rules.currencies import CURRENCIES
from relay.rules.domain import read_sites
from relay.rules.engagement import wrong_engagement
from relay.rules.fault import Fault
from relay.rules.fields import MAX_NAME_CHARACTERS, is_interactive, wrong_hash_mode
from relay.rules.outermost import is_odd
from relay.rules.props import MAX_KEY_BYTES, MAX_PROPS, MAX_VALUE_BYTES, text_of
from relay.rules.revenue import Revenue
from relay.rules.url import MAX_URL_BYTES
from relay.rules.warnings import MAX_REFERRER_CHARACTERS, of_interactive, of_path

Usual = tuple[str, tuple[str, ...], str, dict[str, str], Revenue | None, bool]
"""Name, sites, URL, props, revenue, interactive."""

# A character has four bytes at most: so many fit, whatever they are.
_URL_CHARACTERS = MAX_URL_BYTES // 4
_KEY_CHARACTERS = MAX_KEY_BYTES // 4
_VALUE_CHARACTERS = MAX_VALUE_BYTES // 4

_MOST_BYTES = 65_536  # of a body; what is longer is hardly usual, and to read it twice is work
_LONGEST_DOMAIN = 253  # of those remembered
_RARE = frozenset({"h", "hashMode", "i", "interactive", "m", "meta"})
_PLAIN_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
_Url = Annotated[str, Meta(max_length=_URL_CHARACTERS)]
_Domain = Annotated[str, Meta(max_length=_LONGEST_DOMAIN)]
_Referrer = Annotated[str, Meta(max_length=MAX_REFERRER_CHARACTERS)]
_Key = Annotated[str, Meta(min_length=1, max_length=_KEY_CHARACTERS)]
_Value = Annotated[str, Meta(min_length=1, max_length=_VALUE_CHARACTERS)]
_Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # beyond it others read another number, or none
_Props = Annotated[dict[_Key, _Value | _Int | float | bool], Meta(max_length=MAX_PROPS)]
_Scalar = str | _Int | float | bool


class _Typed(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A body as trackers and servers write it: each key in its one type, and none beside these."""

    n: _Name | None = None
    u: _Url | None = None
    d: _Domain | None = None
    r: _Referrer | UnsetType | None = UNSET  # trackers write null if there is none
    p: _Props | None = None
    v: _Scalar | None = None
    sd: _Scalar | None = None
    e: _Scalar | None = None
    h: _Int | None = None
    w: _Int | None = None
    i: bool | None = None
    name: _Name | None = None
    url: _Url | None = None
    domain: _Domain | None = None
    referrer: _Referrer | UnsetType | None = UNSET
    props: _Props | None = None
    revenue: dict[str, str | _Int | float] | None = None
    interactive: bool | None = None
    screen_width: str | _Int | None = None
    dollar: dict[str, str | _Int | float] | None = msgspec.field(default=None, name="$")


_FIELDS = len(_Typed.__struct_fields__)
_typed = msgspec.json.Decoder(_Typed).decode
_values = msgspec.structs.astuple


def read_usual_body(body: bytes) -> Usual | None:
    """The event, or None if its body has anything beside the usual fields in their usual types, or too much of them.

    That each key stands there once is seen by their number. A null is as good as none, and leaves one key too many, but
    that of the referrer.
    """
    try:
        told = _typed(body if len(body) <= _MOST_BYTES else b"")  # nothing is no event, either
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    name = told.name if told.n is None else told.n
    url = told.url if told.u is None else told.u
    named = told.domain if told.d is None else told.d
    source = told.props if told.p is None else told.p
    money = told.dollar if told.revenue is None else told.revenue
    if name is None or url is None or named is None or name.isspace() or not _is_plain(url) or is_odd(body):
        return None
    values = _values(told)
    keys = _FIELDS - values.count(None) - values.count(UNSET) + (told.r is None) + (told.referrer is None)
    if body.count(b'":') != keys + len(source or told.props or ()) + len(money or told.dollar or ()):
        return None
    sites = _sites_named(named)
    props = _props(source)
    revenue = None if money is None else _revenue(money)
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
    if type(url) is not str or not _is_plain(url):
        return None
    named = get("domain") if (short := get("d")) is None else short
    known = type(named) is str and len(named) <= _LONGEST_DOMAIN
    sites = _sites_named(named) if known else read_sites(fields, url)
    interactive = _RARE.isdisjoint(fields) or _interactive(fields)
    props = _props(get("props") if (short := get("p")) is None else short)
    money = get("$") if (long := get("revenue")) is None else long
    revenue = None if money is None else _revenue(money)
    if isinstance(sites, Fault) or interactive is None or props is None or (money is not None and revenue is None):
        return None
    referrer = get("referrer") if (short := get("r")) is None else short
    if referrer is not None and (type(referrer) is not str or len(referrer) > MAX_REFERRER_CHARACTERS):
        return None
    if name == "engagement" and wrong_engagement(name, fields):
        return None
    return name, sites, url, props, revenue, interactive


@lru_cache(maxsize=1_024)
def _sites_named(named: str) -> tuple[str, ...] | Fault:
    """Sites are few, and each of their events says the same."""
    return read_sites({"d": named}, "")


def _is_plain(url: str) -> bool:
    """Whether nothing is to be said of the URL."""
    if len(url) > _URL_CHARACTERS or url[:5].lower() == "data:":
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
        if not text or text.isspace() or len(text) > _VALUE_CHARACTERS:
            return None
        if not key or key.isspace() or len(key) > _KEY_CHARACTERS:
            return None
        props[key] = text
    return props


def _revenue(source: object) -> Revenue | None:
    """A plain amount in a known currency, None for all else."""
    if type(source) is not dict:
        return None
    amount, currency = source.get("amount"), source.get("currency")
    text = str(amount) if type(amount) in {int, float} else amount
    if type(text) is not str or not _PLAIN_AMOUNT.fullmatch(text):
        return None
    return Revenue(text, currency) if type(currency) is str and currency in CURRENCIES else None
