"""How long to wait: the bounds of the jitter, and every form of Retry-After."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.backoff import backoff_s, retry_after_s

NOW_S = 1_780_000_000.0
DRAWS = st.floats(0, 1)


@pytest.mark.parametrize(
    ("attempt", "most_s"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (64, 300), (65, 300), (10**9, 300)]
)
def test_the_span_doubles_up_to_the_cap(attempt: int, most_s: float) -> None:
    """A wait is anything from nothing to a span that doubles with each attempt, and never more than the cap."""
    waits = [backoff_s(attempt, base_s=1.0, cap_s=300.0, draw=draw) for draw in (0.0, 0.5, 1.0)]
    assert waits == [0.0, most_s / 2, most_s]


@given(st.integers(1, 10_000), DRAWS, st.floats(0.001, 10), st.floats(10, 1e6))
def test_no_wait_is_outside_its_bounds(attempt: int, draw: float, base_s: float, cap_s: float) -> None:
    """Whatever the attempt and the draw, a wait is between 0 and the cap."""
    assert 0.0 <= backoff_s(attempt, base_s=base_s, cap_s=cap_s, draw=draw) <= cap_s


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("300", 300),
        ("301", 300),
        ("9" * 5_000, 300),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),  # digits of another script
        ("soon", 0),
        ("Wed, 99 Foo 2026 25:61:61 GMT", 0),
        (formatdate(NOW_S + 90, usegmt=True), 90),
        (formatdate(NOW_S + 90_000, usegmt=True), 300),
        (formatdate(NOW_S - 90, usegmt=True), 0),
        ("Thu, 01 Jan 0001 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
    ],
)
def test_retry_after(value: str | None, wait_s: float) -> None:
    """Seconds and dates are obeyed up to the cap; what is past, missing or garbage asks for nothing."""
    assert retry_after_s(value, now_s=NOW_S, cap_s=300.0) == wait_s


@given(st.text() | st.from_regex(r"[0-9 :,A-Za-z+-]{1,40}"))
def test_no_header_breaks_it(value: str) -> None:
    """Whatever stands in the header, the wait is between 0 and the cap."""
    assert 0.0 <= retry_after_s(value, now_s=NOW_S, cap_s=300.0) <= 300.0
