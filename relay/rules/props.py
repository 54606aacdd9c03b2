"""An event's custom properties: which survive, as what text, and which are too many or too large.

Rules: contract section 1, "Props". Silent upstream, loud in strict mode: the 31st.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from relay.rules.document import object_in_text
from relay.rules.fault import Fault
from relay.rules.fields import either
from relay.rules.text import shown, trim, wider_than

MAX_PROPS = 30
MAX_KEY_BYTES = 300
MAX_VALUE_BYTES = 2_000

_TOO_LARGE = f"keys should have at most {MAX_KEY_BYTES} bytes and values {MAX_VALUE_BYTES} bytes"
_NONE: dict[str, str] = {}


def read_props(fields: Mapping[str, Any], *, strict: bool) -> dict[str, str] | Fault:
    """The props that Plausible keeps, as text. Above 30: refused if `strict`, else the first 30 in key order."""
    source = props_in(fields)
    if not source:
        return _NONE.copy()
    props = _kept(_object(source))
    if len(props) > MAX_PROPS:
        if strict:
            return _too_many(len(props))
        props = dict(sorted(props.items())[:MAX_PROPS])
    for key, text in props.items():
        if wider_than(key, MAX_KEY_BYTES) or wider_than(text, MAX_VALUE_BYTES):
            return _too_large(key, text)
    return props


def props_in(fields: Mapping[str, Any]) -> Any:
    """What stands there as props, whatever it is."""
    get = fields.get
    return either(either(either(get("m"), get("meta")), get("p")), get("props"))


def _object(source: object) -> dict[str, Any]:
    try:
        found = object_in_text(source)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _kept(source: Mapping[str, Any]) -> dict[str, str]:
    texts = ((key, text_of(value)) for key, value in source.items())
    return {key: text for key, text in texts if trim(text) and trim(key)}


def text_of(value: object) -> str:
    """A scalar as text; "" for what Plausible drops. Integers over 64 bits show rounded here, not in the body."""
    match value:
        case str():
            return value
        case None | list() | dict():
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _too_many(count: int) -> Fault:
    return Fault("props", f"there are {count}, and Plausible keeps {MAX_PROPS}: send at most {MAX_PROPS}")


def _too_large(key: str, text: str) -> Fault:
    sizes = f"{shown(key)} has {len(key.encode())} bytes and its value {len(text.encode())}"
    return Fault("props", _TOO_LARGE, f"{sizes}; shorten it")
