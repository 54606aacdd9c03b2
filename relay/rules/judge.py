"""What an answer of Plausible means for one event: delivered, dropped, dead, or to be tried again.

The law of the relay: an accepted event ends in exactly one of Delivered, Dropped or Dead; until then
it is tried again. What Plausible answers: contract section 3; what follows: the tables of docs/promises.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.rules.backoff import backoff_s, retry_after_s
from relay.rules.drops import PASSING, DropCause

QUICK_ATTEMPTS: Final = 3
"""After so many failed attempts while other events pass, an event no longer holds its visitor's later ones."""

DETAIL_CHARACTERS: Final = 500
"""How much of Plausible's own words is kept with a dead letter."""

SUCCESSES: Final = range(200, 300)  # the class of successes, RFC 9110 15.3


class Trouble(StrEnum):
    """Why an attempt did not end an event."""

    UNREACHABLE = "unreachable"  # no connection: refused, no route, DNS, TLS, timed out
    BROKEN = "broken"  # the connection broke before the request was written whole
    UNANSWERED = "unanswered"  # written whole, and no answer came: it may have been counted
    BUSY = "busy"  # 408, 429
    FAILING = "failing"  # 5xx
    MISCONFIGURED = "misconfigured"  # 3xx, 401, 403, 404 …: not Plausible's event endpoint, or it is closed to us
    PASSING_DROP = "passing_drop"


class DeadReason(StrEnum):
    """Why an event was given up."""

    REFUSED_UPSTREAM = "refused_upstream"
    TOO_LARGE = "too_large"
    AMBIGUOUS = "ambiguous"
    EXHAUSTED = "exhausted"
    TOO_LATE = "too_late"
    UNREADABLE = "unreadable"
    INTERNAL_ERROR = "internal_error"


class OnAmbiguous(StrEnum):
    """What to do with an event that may have been counted: send it again, or park it as a dead letter."""

    RETRY = "retry"
    PARK = "park"


class Others(StrEnum):
    """How other events fared at the same upstream since this one first failed."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: `dropped` is the number in x-plausible-dropped, `text` the start of the body."""

    status: int
    dropped: int = 0
    retry_after: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer came. `trouble` is UNREACHABLE, BROKEN or UNANSWERED; `detail` says what was seen."""

    trouble: Trouble
    detail: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known when an answer comes: which attempt it was (from 1), for how long the event has failed."""

    number: int
    failing_s: float
    others: Others
    on_ambiguous: OnAmbiguous
    drop_cause: DropCause
    now_s: float
    draw: float
    room_aside: bool = True
    """Whether the event may wait where it holds up nobody; that has room for some thousands."""
    visitor: tuple[str, ...] = ()
    """The visitor's address and User-Agent, so that they are not kept as somebody's words."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The backoff's first span and cap, and how long an event that alone keeps failing is tried, in seconds."""

    base_s: float = 1.0
    cap_s: float = 300.0
    retry_for_s: float = 259_200.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """Plausible took the event."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Plausible answered that it did not record the event, probably for this cause."""

    cause: DropCause


@dataclass(frozen=True, slots=True)
class Dead:
    """The event was given up; it becomes a dead letter."""

    reason: DeadReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Send it again in `after_s` seconds; `aside` frees its visitor's later events from waiting for it.

    `pause_s` is what the upstream asked every sender to wait (Retry-After).
    """

    after_s: float
    trouble: Trouble
    aside: bool
    detail: str = ""
    pause_s: float = 0.0


Verdict = Delivered | Dropped | Dead | TryAgain


def is_delivered(answer: Reply | NoAnswer) -> bool:
    """Whether Plausible took the event, whatever else is known of it: so nearly every answer is judged."""
    return isinstance(answer, Reply) and answer.dropped < 1 and answer.status in SUCCESSES


def judge(answer: Reply | NoAnswer, attempt: Attempt, policy: RetryPolicy) -> Verdict:
    """What `answer` means for the event."""
    if is_delivered(answer):
        return Delivered()
    if isinstance(answer, NoAnswer):
        return _unanswered(answer, attempt, policy)
    match answer.status:
        case status if status in SUCCESSES:
            return _not_recorded(attempt, policy)
        case 400:
            return Dead(DeadReason.REFUSED_UPSTREAM, _quoted(answer.text, attempt.visitor))
        case 413:
            return Dead(DeadReason.TOO_LARGE, _quoted(answer.text, attempt.visitor))
        case 408 | 429:
            trouble = Trouble.BUSY
        case status if status >= 500:  # noqa: PLR2004 - the class of server errors, RFC 9110 15.6
            trouble = Trouble.FAILING
        case _:
            trouble = Trouble.MISCONFIGURED
    return _again(trouble, f"status {answer.status}", attempt, policy, answer.retry_after)


def too_late(age_s: float, max_age_s: float | None) -> Dead | None:
    """Dead(TOO_LATE) for an event older than the limit: Plausible would book it on the wrong day."""
    if max_age_s is None or age_s <= max_age_s:
        return None
    return Dead(DeadReason.TOO_LATE, f"{age_s:.0f} s old at its turn, limit {max_age_s:.0f} s")


def _quoted(text: str, visitor: Sequence[str]) -> str:
    """The start of what Plausible said, as one line that no log or terminal takes for anything else.

    Something in front of Plausible may repeat who asked, on an error page: that is left out.
    """
    for telling in filter(None, visitor):
        text = text.replace(telling, "…")
    printable = "".join(c if c.isprintable() else " " for c in text[:DETAIL_CHARACTERS])
    return " ".join(printable.split())


def _unanswered(answer: NoAnswer, attempt: Attempt, policy: RetryPolicy) -> Verdict:
    if answer.trouble is Trouble.UNANSWERED and attempt.on_ambiguous is OnAmbiguous.PARK:
        return Dead(DeadReason.AMBIGUOUS, answer.detail)
    return _again(answer.trouble, answer.detail, attempt, policy)


def _not_recorded(attempt: Attempt, policy: RetryPolicy) -> Verdict:
    waits = PASSING.get(attempt.drop_cause, ())
    if attempt.number <= len(waits) and attempt.room_aside:
        after_s = min(policy.cap_s, policy.base_s * waits[attempt.number - 1]) * (0.75 + attempt.draw / 2)
        return TryAgain(after_s, Trouble.PASSING_DROP, aside=True, detail=attempt.drop_cause)
    return Dropped(attempt.drop_cause)


def _again(
    trouble: Trouble, detail: str, attempt: Attempt, policy: RetryPolicy, retry_after: str | None = None
) -> TryAgain | Dead:
    """Only an event that fails while others pass grows old: an outage uses up nobody's time."""
    alone = attempt.others is Others.PASS and trouble not in {Trouble.UNREACHABLE, Trouble.MISCONFIGURED}
    if alone and attempt.failing_s >= policy.retry_for_s:
        return Dead(DeadReason.EXHAUSTED, f"{detail}, {attempt.number} attempts in {attempt.failing_s:.0f} s")
    pause_s = retry_after_s(retry_after, now_s=attempt.now_s, cap_s=policy.cap_s)
    after_s = backoff_s(attempt.number, base_s=policy.base_s, cap_s=policy.cap_s, draw=attempt.draw)
    aside = alone and attempt.number >= QUICK_ATTEMPTS and attempt.room_aside
    return TryAgain(max(after_s, pause_s), trouble, aside, detail, pause_s)
