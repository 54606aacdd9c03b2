"""What an event named `engagement` needs: a scroll depth or a time on the page.

Rules and words: contract section 1, and `put_engagement_fields` upstream.
"""

from collections.abc import Mapping
from typing import Any

from relay.rules.fault import Fault
from relay.rules.fields import whole_number

TOO_LONG_MS = 30 * 24 * 3600 * 1000  # `@too_large_engagement_time`: a page open for 30 days

_WORDS = "engagement event requires a valid integer value for at least one of 'sd' or 'e' fields"
_ADVICE = 'give "sd" (scroll depth in percent, 0 to 100) or "e" (milliseconds, more than 0, under 30 days)'


def wrong_engagement(name: object, fields: Mapping[str, Any]) -> Fault | None:
    """What is wrong, if the event is an engagement; `e` 0 is the same as no `e`, `sd` 0 is fine."""
    if name != "engagement":
        return None
    depth_percent, time_ms = whole_number(fields.get("sd")), whole_number(fields.get("e"))
    if depth_percent is not None and depth_percent >= 0:
        return None
    if time_ms is not None and 0 < time_ms < TOO_LONG_MS:
        return None
    return Fault("event_name", _WORDS, _ADVICE)
