"""How lists of hops are written: X-Forwarded-For with commas, `Forwarded` as RFC 7239 has it.

Only their shape; whether a hop is an address, and which one counts, is for `visitor`.
"""

import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^",;]+|[",;]')


def comma_list(lines: list[str]) -> list[str]:
    """The members of all lines in their order, empty ones too."""
    return ",".join(lines).split(",")


def forwarded_for(lines: list[str]) -> list[str]:
    """The `for` of each element, without its quotes; "" where an element has none."""
    return [_for(element) for element in _split(",".join(lines), ",")]


def _for(element: str) -> str:
    for pair in _split(element, ";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return _unquoted(value.strip())
    return ""


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _split(text: str, separator: str) -> list[str]:
    """At each separator that is not within quotes."""
    pieces = [""]
    for token in _TOKEN.findall(text):
        if token == separator:
            pieces.append("")
        else:
            pieces[-1] += token
    return pieces
