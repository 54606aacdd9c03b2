"""Several logs are read as one, in any order they are given, and only those that overlap are open at once."""

from collections.abc import Iterator

import pytest

from relay.imports.merging import Stream, merged
from relay.replay.page import Kept
from tests.imports.samples import view


def times(streams: list[Stream]) -> list[int]:
    """The times of all events, in the order they come."""
    return [kept.at_ms for kept in merged(streams)]


def stream(*times_ms: int, begins_ms: int | None = None) -> Stream:
    """A log of events at these times."""
    begins_ms = times_ms[0] if begins_ms is None else begins_ms
    return Stream(begins_ms, lambda: iter([view(at_ms) for at_ms in times_ms]))


@pytest.mark.parametrize(
    "streams",
    [
        [],
        [stream(1, 2, 3)],
        [stream(5, 6), stream(3, 4), stream(1, 2)],
        [stream(1, 4, 4, 7), stream(2, 3, 8), stream(2, 5)],
        [stream(1, 9), stream(begins_ms=0), stream(begins_ms=5)],
        [stream(3, begins_ms=0), stream(1, 2)],
    ],
)
def test_the_events_of_all_logs_in_order(streams: list[Stream]) -> None:
    """Also of empty logs, and of one that begins later than it seemed."""
    whole = sorted(kept.at_ms for one in streams for kept in one.events())
    assert times(streams) == whole


def test_each_log_keeps_its_own_order() -> None:
    """What is out of order in a log stays so: that is for the window."""
    assert times([stream(5, 3, 4), stream(1, 6)]) == [1, 5, 3, 4, 6]


def test_a_year_of_rotated_files_is_not_open_at_once() -> None:
    """A log is opened when its first event is due, and is at its end before the next one is."""
    opened: list[int] = []
    ended: list[int] = []

    def day(number: int) -> Iterator[Kept]:
        opened.append(number)
        yield from (view(number * 1_000 + at) for at in range(3))
        ended.append(number)

    streams = [Stream(number * 1_000, lambda number=number: day(number)) for number in range(365)]  # type: ignore[misc]
    for _ in merged(streams[::-1]):
        assert len(opened) - len(ended) <= 1
    assert ended == [*range(365)]
