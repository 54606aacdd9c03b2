"""What becomes of a line, apart from an event: the closed sets of reasons. Each line has exactly one outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relay.rules.fault import Fault


class LeftOut(StrEnum):
    """Nothing is wrong with the line; it is none that counts. A rule of the user's own says `rule:<its name>`."""

    NO_REQUEST = "no_request"  # a header, a comment, a blank line
    METHOD = "method"  # no GET or HEAD
    STATUS = "status"  # neither 2xx nor 304
    STATIC = "static"  # a file that belongs to a page, or a download
    HEALTH_CHECK = "health_check"
    API = "api"
    BOT = "bot"  # Plausible would drop it without a word
    UNFINISHED = "unfinished"  # the last line has no end yet: it is read when it has one


class Reason(StrEnum):
    """The line is wrong, or would be booked wrongly."""

    MALFORMED = "malformed"  # no line of the log's format
    TOO_LONG = "too_long"
    TOO_OLD = "too_old"  # Plausible books it when it arrives
    IN_FUTURE = "in_future"
    NO_TIME = "no_time"
    NO_SITE = "no_site"
    NO_ADDRESS = "no_address"  # without one, all its visitors would be one
    INVALID = "invalid"  # what the door would answer 400 or 413 to


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is refused, and what would be right; nothing that tells of a person."""

    reason: Reason
    detail: str


def invalid(fault: Fault) -> Refusal:
    """What the door would say of it."""
    return Refusal(Reason.INVALID, f"{fault.field}: {fault.message(strict=True)}")
