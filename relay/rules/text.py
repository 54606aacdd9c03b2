"""What Plausible's language (Elixir) means by white space and by the length of a text, and how we quote input.

Python's own `str.strip` is never used on an event: it also takes U+001C to U+001F, which Elixir leaves.
"""

import json
from itertools import islice

import regex  # type: ignore[import-untyped]  # it brings no types

# Unicode's White_Space property, which is what `String.trim` removes.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_GRAPHEME = regex.compile(r"\X")
_MAX_SHOWN = 60


def trim(text: str) -> str:
    """Elixir's `String.trim`."""
    return text.strip(WHITE_SPACE)


def longer_than(text: str, characters: int) -> bool:
    """Whether `text` has more user-perceived characters (graphemes) than that; reads no further than it must."""
    if len(text) <= characters:
        return False
    return sum(1 for _ in islice(_GRAPHEME.finditer(text), characters + 1)) > characters


def wider_than(text: str, size_bytes: int) -> bool:
    """Whether `text` is more than `size_bytes` long in UTF-8, where no character takes more than four."""
    return len(text) * 4 > size_bytes and len(text.encode()) > size_bytes


def shown(value: object) -> str:
    """A value out of a request as our messages show it: as JSON, and never more than some 60 characters of it."""
    written = json.dumps(value[: _MAX_SHOWN + 1] if isinstance(value, str) else value, ensure_ascii=False)
    return written if len(written) <= _MAX_SHOWN else f"{written[: _MAX_SHOWN - 1]}…"
