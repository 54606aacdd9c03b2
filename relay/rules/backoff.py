"""How long to wait: full-jitter backoff, and what Plausible's Retry-After asks for.

Pure: the clock and the draw are arguments.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def backoff_s(attempt: int, *, base_s: float, cap_s: float, draw: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): `draw` (0 to 1) of a doubling span.

    Full jitter spreads the senders that failed together over the whole span.
    """
    doublings = min(attempt - 1, 64)  # beyond that any cap is reached, and floats would overflow
    return draw * min(cap_s, base_s * 2.0**doublings)


def retry_after_s(value: str | None, *, now_s: float, cap_s: float) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110 10.2.3: seconds or a date), at most `cap_s`.

    A missing or unreadable header asks for nothing: 0. `now_s` is Unix time.
    """
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), cap_s)  # 12 digits are 30,000 years: enough, and no overflow
    try:
        at_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, min(at_s - now_s, cap_s))
