"""Writes a combined log as a web server would: many visitors, pages and what belongs to them, bots, errors.

Of a hundred lines some 33 are pages that count. If asked for, each of these has a number of its own in its query, so
that whoever receives them can tell whether one is missing or came twice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_AGENTS: Final = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/{version}.0.0.0 Safari/537.36"
    for version in range(110, 142)
] + [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0" for version in range(115, 145)
]
_BOT: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_PAGES: Final = ["/", "/pricing", "/docs", "/blog/post-{}", "/docs/chapter-{}", "/shop/item-{}"]
_REFERRERS: Final = ["-", "https://example.com/", "https://www.google.com/", "https://news.ycombinator.com/item?id=1"]


def lines(seed: int, span_s: float, of: int, *, numbered: bool) -> Iterator[tuple[str, bool]]:
    """Lines without end, `of` of which cover the last `span_s` seconds; whether each counts."""
    chance = random.Random(seed)
    began_s, number, counted = time.time() - span_s, 0, 0
    while True:
        at_s = began_s + span_s * min(1.0, number / of)
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at_s))
        path, status, agent, counts = _request(chance, counted if numbered else None)
        ip = f"203.{chance.randrange(8)}.{chance.randrange(250)}.{chance.randrange(1, 250)}"
        size, referrer = chance.randrange(100, 60_000), chance.choice(_REFERRERS)
        yield f'{ip} - - [{at}] "GET {path} HTTP/1.1" {status} {size} "{referrer}" "{agent}"\n', counts
        number += 1
        counted += counts


_KINDS: Final = {"asset": 58, "api": 4, "bot": 2, "error": 3, "page": 33}  # of a hundred lines


def _request(chance: random.Random, counted: int | None) -> tuple[str, int, str, bool]:
    """Path, status and User-Agent, and whether the line counts; `counted`: the number of its query."""
    [kind] = chance.choices([*_KINDS], [*_KINDS.values()])
    agent, page = chance.choice(_AGENTS), chance.choice(_PAGES).format(chance.randrange(400))
    match kind:
        case "asset":
            return f"/assets/{chance.choice(['app', 'vendor'])}-{chance.randrange(40)}.js", 200, agent, False
        case "api":
            return "/api/cart", 200, agent, False
        case "bot":
            return page, 200, _BOT, False
        case "error":
            return page, chance.choice((301, 404, 500)), agent, False
        case _:
            return page if counted is None else f"{page}?n={counted}", 200, agent, True


def write(path: Path, *, count: int | None = None, size: int | None = None, numbered: bool = False) -> int:
    """Write a log of so many lines, or about so many bytes; how many of its lines count."""
    counted = written = number = 0
    with path.open("w", buffering=1 << 20) as file:
        for line, counts in lines(1, 600.0, count or (size or 0) // 220, numbered=numbered):
            if number == count or (size is not None and written >= size):
                break
            file.write(line)
            number += 1
            written += len(line)
            counted += counts
    return counted
