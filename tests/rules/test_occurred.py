"""When an event occurred: RFC 3339, as the standard library reads it, and nothing that a clock can't have meant."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rules.fault import Fault
from relay.rules.occurred import EARLIEST_MS, SKEW_MS, read_occurred

NOW_MS = 1_795_640_645_000  # 2026-11-25T21:04:05Z
OFFSETS = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2018, 1, 3), datetime(2101, 1, 1), timezones=OFFSETS)  # noqa: DTZ001 - the zone comes with it


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(TIMES)
def test_it_reads_what_the_library_reads(at: datetime) -> None:
    """To the millisecond, in any zone and any year."""
    expected_ms = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert read_occurred(at.isoformat(), 2**53) == expected_ms
    assert read_occurred(at.isoformat().replace("T", " "), 2**53) == expected_ms


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-11-25T21:04:05Z", NOW_MS),
        ("2026-11-25t21:04:05z", NOW_MS),
        ("2026-11-25T21:04:05.6789Z", NOW_MS + 678),
        ("2026-11-25T21:04:05.5-00:00", NOW_MS + 500),
        ("2026-11-25T22:34:05+01:30", NOW_MS),
        ("2026-11-25T21:09:05Z", NOW_MS + SKEW_MS),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2016-12-31T23:59:60Z", "before Plausible"),
        ("2018-12-31T23:59:60Z", 1_546_300_800_000),
        ("2018-01-01T00:00:00Z", EARLIEST_MS),
        ("2017-12-31T23:59:59Z", "before Plausible"),
        ("1970-01-01T00:00:00Z", "before Plausible"),
        ("2026-11-25T21:09:06Z", "is 5 minutes ahead"),
        ("2026-11-25T23:59:00Z", "is 2 hours ahead"),
        ("2027-11-25T21:04:05Z", "is 365 days ahead"),
        ("2026-02-29T00:00:00Z", "on no calendar"),
        ("2100-02-29T00:00:00Z", "on no calendar"),
        ("2026-13-01T00:00:00Z", "on no calendar"),
        ("2026-00-01T00:00:00Z", "on no calendar"),
        ("2026-11-00T00:00:00Z", "on no calendar"),
        ("2026-11-25T24:00:00Z", "on no calendar"),
        ("2026-11-25T21:60:00Z", "on no calendar"),
        ("2026-11-25T21:04:61Z", "on no calendar"),
        ("2026-11-25T21:04:05+24:00", "on no calendar"),
        ("2026-11-25T21:04:05", "no time of RFC 3339"),
        ("2026-11-25", "no time of RFC 3339"),
        ("1795640645", "no time of RFC 3339"),
        ("٢٠٢٦-11-25T21:04:05Z", "no time of RFC 3339"),
        ("2026-11-25T21:04:05Z\n", "no time of RFC 3339"),
        ("", "no time of RFC 3339"),
        (1_795_640_645, "no time of RFC 3339"),
        (True, "no time of RFC 3339"),
        ({}, "an object is no time"),
        ([], "a list is no time"),
    ],
)
def test_a_time_or_what_is_wrong_with_it(text: Any, at_ms: int | str) -> None:
    """The message says what was wrong and what would be right."""
    found = read_occurred(text, NOW_MS)
    if isinstance(found, Fault):
        assert found.field == "occurred_at"
        assert str(at_ms) in found.words
    else:
        assert found == at_ms
