"""Bytes become a JSON object, or a fault that says where they stop being one. Knows nothing of an event's fields.

Sizes and words: contract section 1, "Content types". Depth over 1024 is orjson's own limit.
"""

import json
from typing import Any

import orjson

from relay.rules.fault import Fault
from relay.rules.outermost import deep_enough, doubled_key
from relay.rules.text import shown

# What upstream reads of a body; `read_body_limit` in its request.ex.
MAX_BODY_BYTES = 1_000_000

_WORDS = "Unable to parse request body as json"
_WANTED = 'send one JSON object such as {"name": "pageview", "url": "https://example.com/", "domain": "example.com"}'
_GZIP = b"\x1f\x8b"
_PACKED = "it is gzip, which Plausible does not unpack: send it uncompressed"
_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}
# orjson reads integers outside of this as floats, and some of them as the first of these two.
_LEAST_EXACT = -(2**63)
_MOST_EXACT = 2**64


def read_object(body: bytes) -> dict[str, Any] | Fault:
    """The fields of `body`, no key of which stands there twice."""
    if len(body) > MAX_BODY_BYTES:
        return Fault("request", _WORDS, f"it has {len(body)} bytes, at most {MAX_BODY_BYTES} are read")
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Fault("request", _WORDS, f"{_PACKED if body[:2] == _GZIP else error}; {_WANTED}")
    if type(fields) is not dict:
        return Fault("request", _WORDS, f"it is {_KINDS.get(type(fields), 'null')}; {_WANTED}")
    if (twice := doubled_key(body, fields)) is not None:
        return Fault("request", f"the key {shown(twice)} stands there twice", "send each key once")
    for value in fields.values():
        if type(value) is float and not _LEAST_EXACT < value < _MOST_EXACT:
            return _read_exactly(body)
    return fields


def object_in_text(value: object) -> object:
    """What Plausible's `decode_or_fallback` reads: JSON text is parsed (`ValueError` if it is none), the rest stays."""
    return orjson.loads(value) if isinstance(value, str) else value


def _read_exactly(body: bytes) -> dict[str, Any]:
    """The fields again with integers of any size, which are integers to Plausible; rare, so it may be slow."""
    with deep_enough():
        exact: dict[str, Any] = json.loads(body)
    return exact
