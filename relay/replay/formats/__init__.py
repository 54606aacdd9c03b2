"""The formats of logs, one small file each, and how a log's own is found. No I/O, no rules.

parsing.py  what a format is, and what several of them share: times, escapes, request lines
clf.py      Apache and nginx: common, combined, with virtual host
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relay.replay.formats.clf import COMBINED, COMMON, VHOST_COMBINED
from relay.replay.formats.parsing import Format
from relay.replay.hit import Hit

FORMATS: Final[dict[str, Format]] = {
    format_.name: format_
    for format_ in (
        COMBINED,
        VHOST_COMBINED,
        COMMON,
    )
}
"""By name; where a line fits several, the first of them is meant."""


def detect(lines: Sequence[bytes]) -> Format | None:
    """The format that fits most of a log's first lines; None if none fits any."""
    best, most = None, 0
    for format_ in FORMATS.values():
        parse = format_.parser()
        fits = sum(isinstance(parse(line), Hit) for line in lines)
        if fits > most:
            best, most = format_, fits
    return best
