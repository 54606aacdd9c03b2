"""What made-up traffic is made of: words of sites, pages, campaigns and props, and hosts that visitors come from.

Each list is cut in two, so that what a dictionary is measured with shares no word with what it was trained with: only
what is the same everywhere, the keys of an event and the names of the largest sites, is in both.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final


def _lists() -> dict[str, list[str]]:
    """The lists of words.txt by name."""
    found: dict[str, list[str]] = {}
    words_: list[str] = []
    for line in Path(__file__).with_name("words.txt").read_text().splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = words_ = []
        elif line and not line.startswith("#"):
            words_ += line.split()
    return found


LISTS: Final = _lists()
AUTOMATIC: Final = (
    "Outbound Link: Click",
    "File Download",
    "Form: Submission",
    "404",
    "WP Search Queries",
    "Cloaked Link: Click",
)


@dataclass(frozen=True, slots=True)
class Words:
    """One half of the words."""

    topics: list[str]
    endings: list[str]
    sections: list[str]
    slug: list[str]
    campaigns: list[str]
    props: list[str]
    values: list[str]
    events: list[str]


def words(half: int) -> Words:
    """Half 0 to train with, half 1 to measure with: of three words, two are in the first."""
    return Words(
        **{
            each.name: [word for n, word in enumerate(LISTS[each.name]) if (n % 3 > 1) == bool(half)]
            for each in fields(Words)
        }
    )
