"""A body as trackers and servers write it, in types: what the passes over usual events (`usual`, `usual_items`) decode.

Texts are short enough for every rule that limits them, but for the names of props, of which msgspec makes one object
for all if they are not limited here. Numbers are those that all parsers read alike. A body that is not so is no usual
one; what the values say is not looked at here.
"""

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from relay.rules.fields import MAX_NAME_CHARACTERS
from relay.rules.props import MAX_KEY_BYTES, MAX_PROPS, MAX_VALUE_BYTES
from relay.rules.url import MAX_URL_BYTES
from relay.rules.warnings import MAX_REFERRER_CHARACTERS

# A character has four bytes at most: so many fit, whatever they are.
URL_CHARACTERS = MAX_URL_BYTES // 4
KEY_CHARACTERS = MAX_KEY_BYTES // 4
VALUE_CHARACTERS = MAX_VALUE_BYTES // 4

LONGEST_DOMAIN = 253  # of those remembered
MOST_BYTES = 65_536  # of what is decoded at once; what is longer is hardly usual, and to read it twice is work

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
_Url = Annotated[str, Meta(max_length=URL_CHARACTERS)]
_Domain = Annotated[str, Meta(max_length=LONGEST_DOMAIN)]
_Referrer = Annotated[str, Meta(max_length=MAX_REFERRER_CHARACTERS)]
_Value = Annotated[str, Meta(min_length=1, max_length=VALUE_CHARACTERS)]
_Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # beyond it others read another number, or none
_Props = Annotated[dict[str, _Value | _Int | float | bool], Meta(max_length=MAX_PROPS)]
_Scalar = str | _Int | float | bool


class Typed(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Each key in its one type, and none beside these. Written again, it has each key that said anything once."""

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


_written = msgspec.json.Encoder().encode
_ESCAPED_COLON = re.compile(rb"\\u003a", re.IGNORECASE)


def has_each_key_once(body: bytes, told: Typed | Sequence[Typed]) -> bool:
    """Whether nothing got lost where `body` became `told`: no key that stood there twice, and no null.

    Both have as many colons in their texts, if none of them is escaped; all others end keys.
    """
    if b"\\" in body and _ESCAPED_COLON.search(body):
        return False
    return body.count(b":") == _written(told).count(b":")
