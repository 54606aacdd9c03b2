"""What an audit can find: each kind of difference, and what would be right to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What can differ."""

    BALANCE = "balance"
    REASONS = "reasons"
    LETTERS = "letters"
    SCHEDULE = "schedule"
    UNREADABLE = "unreadable"
    MISPLACED = "misplaced"
    TALLY = "tally"
    OUT_OF_REACH = "out_of_reach"


ADVICE: Final[Mapping[Kind, str]] = {
    Kind.BALANCE: "the relay itself adds and removes events only together with their count: ask who wrote to the "
    "server by hand, whether a copy of its data was restored, whether it lost writes; only senders have what is "
    "missing",
    Kind.REASONS: "no event is affected; a counter was changed by hand, or the server lost a write",
    Kind.LETTERS: "as for `balance`; a letter that is missing cannot be sent again",
    Kind.SCHEDULE: "no event is affected; remove these with HDEL from that partition's key `relay:{p}:retry`",
    Kind.UNREADABLE: "a newer relay's events, or damage: start the newest relay you had; what a worker cannot read it "
    "makes a dead letter, and `relay dead export` keeps its bytes before you purge it",
    Kind.MISPLACED: "written past the door, or with another number of partitions; they are delivered all the same, but "
    "not in order with the rest of their visitor's",
    Kind.TALLY: "if this partition's `balance` is right, no event is missing, and only the account by site and hour is "
    "wrong",
    Kind.OUT_OF_REACH: "the number of partitions was lowered before they were empty: set the old one again, and see "
    "'Changing the number of partitions' in docs/operating.md",
}
"""What would be right to do about each."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `by` is how many more there are than the account says, negative if fewer."""

    kind: Kind
    partition: int
    by: int
    says: str
    site: str | None = None
    hour: str | None = None
