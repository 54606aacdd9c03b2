"""What Plausible will do with an event without a word, told to its sender: never a reason to refuse one.

Rules: contract sections 1, 4 and 5. Cheap, as it is asked of every event. What only Plausible knows is not told:
whether a goal, its currency or a custom property was set up.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

import orjson

from relay.rules.bots import looks_like_bot
from relay.rules.document import object_in_text
from relay.rules.drops import ADVICE, DropCause
from relay.rules.fault import Fault
from relay.rules.fields import either
from relay.rules.props import MAX_PROPS, props_in
from relay.rules.revenue import read_revenue
from relay.rules.text import WHITE_SPACE, longer_than, shown
from relay.rules.visitor import Visitor

MAX_REFERRER_CHARACTERS = 2_000  # as `Request` cuts it upstream
SHOWN_PROPS = 3

# What a batch's items may say (`item`), and a single event can't.
_OF_ITEMS = {
    "ip": "send X-Forwarded-For",
    "user_agent": "send the header User-Agent",
    "device": "it is for batches, POST /api/events",
    "id": "send Idempotency-Key",
    "occurred_at": "it is for batches, POST /api/events",
    "timestamp": "Plausible books an event when it arrives",
}
_PATH = re.compile(r"(?:[a-z][a-z0-9+.\-]*:)?(?://[^/?#]*)?([^?#]*)", re.ASCII | re.IGNORECASE)  # RFC 3986, appendix B
# First numbers of IPv4 addresses among which there are none but public ones; of all others the library knows.
_PUBLIC = frozenset(map(str, range(1, 224))) - {"10", "100", "127", "169", "172", "192", "198", "203"}
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
_KINDS = {list: "a list", dict: "an object", type(None): "null"}


def of_event(fields: Mapping[str, Any], url: str, props: Mapping[str, str], *, strict: bool) -> tuple[str, ...]:
    """What Plausible will ignore, cut or drop of a legal event, whose `props` are those that stay."""
    warnings = [*_referrer(fields), *_props(fields, props), *of_path(url), *of_interactive(fields)]
    if not strict and isinstance(lost := read_revenue(fields, strict=True), Fault):
        warnings.append(f"revenue {lost.words}")
    return tuple(warnings)


def of_single(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys of a single event that are read in a batch only, or by nobody."""
    if _OF_ITEMS.keys().isdisjoint(fields):
        return ()
    return tuple(f"{key} is not read: {_OF_ITEMS[key]}" for key in _OF_ITEMS if key in fields)


def of_path(url: str) -> list[str]:
    """Plausible decodes the path and trims its end."""
    found = _PATH.match(url)
    path = found[1] if found else ""
    if "%" in path[-9:]:  # a character of white space is three escapes at most
        path = unquote(path[-9:])
    return ["the path's end is trimmed: it is white space"] if path[-1:] in WHITE_SPACE and path else []


def of_interactive(fields: Mapping[str, Any]) -> list[str]:
    """Plausible ignores what is neither true nor false."""
    if type(either(fields.get("i"), fields.get("interactive"))) in {bool, type(None)}:
        return []
    return ['interactive is ignored: send true or false in "interactive" (or "i")']


def of_visitor(visitor: Visitor) -> tuple[str, ...]:
    """Why Plausible will probably drop whatever this visitor sends, or not know where it is."""
    warnings = []
    if looks_like_bot(visitor.user_agent):
        warnings.append(ADVICE[DropCause.BOT])
    if not is_public(visitor.ip):
        warnings.append(ADVICE[DropCause.PRIVATE_ADDRESS])
    return tuple(warnings)


def is_public(ip: str) -> bool:
    """Whether an address is one of the internet's, neither private nor reserved."""
    first, dot, _ = ip.partition(".")
    return bool(dot and first in _PUBLIC) or ip_address(ip).is_global


def in_header(warning: str) -> str:
    """The warning as a header's value: printable ASCII, all else escaped."""
    return warning.encode("ascii", "backslashreplace").decode().translate(_ESCAPED)


def _referrer(fields: Mapping[str, Any]) -> list[str]:
    referrer = either(fields.get("r"), fields.get("referrer"))
    if not referrer:
        return []
    if type(referrer) is not str:
        return ["referrer is ignored: it is no text"]
    if longer_than(referrer, MAX_REFERRER_CHARACTERS):
        return [f"referrer is cut to {MAX_REFERRER_CHARACTERS:,} characters"]
    return []


def _props(fields: Mapping[str, Any], props: Mapping[str, str]) -> list[str]:
    source = props_in(fields)
    if not source:
        return []
    try:
        found = object_in_text(source)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return ['props is dropped: it is no object such as {"plan": "trial"}']
    lost = [key for key in found if key not in props] if len(found) > len(props) else []
    if len(props) == MAX_PROPS and len(lost) > len(dropped := [key for key in lost if _why(key, found[key])]):
        return [f"props: there are more than {MAX_PROPS}, and Plausible keeps {MAX_PROPS}", *_dropped(found, dropped)]
    return _dropped(found, lost)


def _dropped(found: Mapping[str, Any], lost: list[str]) -> list[str]:
    if not lost:
        return []
    told = ", ".join(f"{shown(key)} ({_why(key, found[key])})" for key in lost[:SHOWN_PROPS])
    more = f" and {len(lost) - SHOWN_PROPS} more" if len(lost) > SHOWN_PROPS else ""
    return [f"props: {told}{more} dropped: send text, a number, true or false"]


def _why(key: str, value: object) -> str:
    """Why a prop is dropped, "" if it is not by itself."""
    if not key.strip(WHITE_SPACE):
        return "a blank name"
    if isinstance(value, str):
        return "" if value.strip(WHITE_SPACE) else "blank"
    return _KINDS.get(type(value), "")
