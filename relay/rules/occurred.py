"""When an event occurred, as its sender says: RFC 3339 text becomes Unix milliseconds.

Plausible books an event when it arrives (contract section 5); this time is for the relay's own age rules, and for a
prop if the operator wants one. The clock is an argument.
"""

import re

from relay.rules.fault import Fault
from relay.rules.text import shown

SKEW_MS = 5 * 60_000  # how far a device's clock may be ahead of ours
EARLIEST_MS = 1_514_764_800_000  # 2018, when Plausible began; a clock that was never set says 1970 or 2010

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DAYS_IN = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2
_WANTED = "send a date and a time with its offset, such as 2026-11-25T21:04:05.678Z"
_DAY_MS = 86_400_000


def read_occurred(value: object, now_ms: int) -> int | Fault:
    """The time in Unix ms; what a device can't have meant is a fault. Parts of a millisecond are cut off."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return Fault("occurred_at", f"{_kind(value)} is no time of RFC 3339: {_WANTED}")
    at_ms = _unix_ms(found)
    if at_ms is None:
        return Fault("occurred_at", f"{shown(value)} is on no calendar or clock: {_WANTED}")
    if at_ms > now_ms + SKEW_MS:
        ahead = _span(at_ms - now_ms)
        return Fault(
            "occurred_at", f"{shown(value)} is {ahead} ahead of this relay's clock: is the device's clock set?"
        )
    if at_ms < EARLIEST_MS:
        return Fault("occurred_at", f"{shown(value)} was before Plausible: is the device's clock set?")
    return at_ms


def _unix_ms(found: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    offset_hour, offset_minute = int(found[9] or 0), int(found[10] or 0)
    if not 1 <= month <= 12 or not 1 <= day <= _days_in(year, month):  # noqa: PLR2004 - months
        return None
    if hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:  # noqa: PLR2004 - a clock
        return None  # a 60th second is a leap second, and counts as the next one's beginning
    offset_min = (offset_hour * 60 + offset_minute) * (-1 if found[8] == "-" else 1)
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute - offset_min) * 60 + second
    return seconds * 1_000 + int((found[7] or "0")[:3].ljust(3, "0"))


def _days_in(year: int, month: int) -> int:
    return _DAYS_IN[month - 1] + (month == _FEBRUARY and _is_leap(year))


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01, in the calendar of today; years begin in March here, so that a leap day is their last."""
    year -= month <= _FEBRUARY
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468


def _span(span_ms: int) -> str:
    days, hours = span_ms // _DAY_MS, span_ms // 3_600_000
    return f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{span_ms // 60_000} minutes"


def _kind(value: object) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else shown(value)
