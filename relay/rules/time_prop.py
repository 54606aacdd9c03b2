"""When an event occurred, as a prop of it: the one thing that the relay ever adds to an event, if its operator says so.

Spliced in, so that not a byte of the other props changes. A prop of that name that the sender gave stays his.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from relay.rules.document import object_in_text
from relay.rules.props import MAX_PROPS

_SPACE = b" \t\r\n"
_KEYS = ("m", "meta", "p", "props")  # the first that is neither null nor false counts (contract section 1)


def with_time(
    members: Mapping[str, bytes], fields: Mapping[str, Any], kept: int, name: str, text: str
) -> dict[str, bytes] | None:
    """The members of an event, each as JSON, with the prop; None if `kept` props leave no room for it.

    `fields` are the same members, parsed.
    """
    key = next((key for key in _KEYS if fields.get(key) not in (None, False)), _KEYS[-1])
    given = fields.get(key)
    source = given.encode() if isinstance(given, str) else members.get(key, b"")
    found = _object(given)
    if name in found:
        return dict(members)
    if kept >= MAX_PROPS:
        return None
    prop = b"%b:%b" % (orjson.dumps(name), orjson.dumps(text))
    added = b"%b,%b}" % (source.rstrip(_SPACE)[:-1], prop) if found else b"{%b}" % prop
    return {**members, key: orjson.dumps(added.decode()) if isinstance(given, str) else added}


def _object(given: object) -> Mapping[str, Any]:
    """The props, none of what is no object: all of that is dropped, so it makes room."""
    try:
        found = object_in_text(given)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
