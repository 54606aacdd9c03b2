"""What is one visit and one visitor: the cases that a drawn log seldom has."""

import dataclasses
from zoneinfo import ZoneInfo

import pytest

from relay.imports.counting import Closed, Untold
from relay.imports.ordering import Ordering
from relay.imports.tables import Table
from relay.replay.page import Kept
from tests.imports.samples import at, counting, rows, view

LATE, EARLY = at("2026-03-27 23:50:00"), at("2026-03-28 00:10:00")


def test_a_visit_over_midnight_is_one_visit_of_the_second_day() -> None:
    """Plausible finds it by the salt of the day before, and its exporter books a visit by its last event."""
    events = [view(LATE, "/a"), view(EARLY, "/b")]
    assert rows(events, Table.VISITORS) == [("2026-03-27", 0, 1, 0, 0, 0), ("2026-03-28", 1, 1, 0, 1, 1_200)]
    assert rows(events, Table.ENTRY_PAGES) == [("2026-03-28", "/a", 1, 1, 1_200, 0, 2)]
    assert rows(events, Table.PAGES) == [
        ("2026-03-27", "example.com", "/a", 1, 1, 1),
        ("2026-03-28", "example.com", "/b", 1, 1, 1),
    ]


def test_a_visitor_is_another_one_on_the_next_day() -> None:
    """The salt is of a day in UTC, whatever the site's zone: in Tokyo both events are of one day, and two visitors."""
    events = [view(LATE), view(EARLY + 3_600_000)]
    assert rows(events, Table.VISITORS, ZoneInfo("Asia/Tokyo")) == [("2026-03-28", 2, 2, 2, 2, 0)]


@pytest.mark.parametrize(("pause_s", "visits"), [(1_800, 1), (1_801, 2)])
def test_thirty_minutes_are_one_visit(pause_s: int, visits: int) -> None:
    """To the second, as Plausible keeps time."""
    ((_, _, _, _, found, _),) = rows([view(LATE - 9_000_000), view(LATE - 9_000_000 + pause_s * 1_000)], Table.VISITORS)
    assert found == visits


def test_a_second_event_ends_a_bounce_unless_it_is_not_interactive() -> None:
    """As Plausible has it since 2026."""
    event = Kept(LATE + 1_000, "example.com", "203.0.113.1", b"desk", "Scroll", "https://example.com/")
    quiet = dataclasses.replace(event, ready=b'{"i": false}')
    bounces = [rows([view(LATE), second], Table.VISITORS)[0][3] for second in (event, quiet)]
    assert bounces == [0, 1]


def test_what_is_not_in_the_tables_is_counted() -> None:
    """Bots, engagements and lines out of order are left out, each under its reason."""
    one = counting()
    engagement = Kept(LATE, "example.com", "203.0.113.1", b"desk", "engagement", "https://example.com/")
    sale = Kept(LATE, "example.com", "203.0.113.1", b"desk", "Sale", "https://example.com/", None, {"a": "b"}, {"x": 1})
    late = view(LATE - 601_000)
    for event in (view(LATE), engagement, sale, view(LATE, agent=b"bot"), late):
        assert not list(one.take(event))
    list(one.finish())
    assert one.untold == {
        Untold.BOT: 1,
        Untold.ENGAGEMENT: 1,
        Untold.OUT_OF_ORDER: 0,  # nothing had gone on yet
        Untold.PROPS: 1,
        Untold.REVENUE: 1,
    }


def test_a_line_behind_the_window_is_left_out() -> None:
    """It would belong to a visit, or a day, that is perhaps closed."""
    ordering = Ordering(window_s=10)
    times_s = [100, 105, 95, 111, 100, 101, 150, 111]
    gone = [event.at_ms // 1_000 for second in times_s for event in ordering.push(view(second * 1_000))]
    assert gone + [event.at_ms // 1_000 for event in ordering.rest()] == [95, 100, 101, 105, 111, 150]
    assert ordering.too_late == 2


def test_the_window_holds_no_more_than_it_may() -> None:
    """A log so busy that ten minutes of it are too much is read with a shorter window."""
    ordering = Ordering(window_s=600, most_waiting=5)
    gone = [event for second in range(50) for event in ordering.push(view(second * 1_000))]
    assert len(gone) == 45


def test_days_are_over_as_soon_as_no_visit_can_reach_them() -> None:
    """So that memory does not grow with the log: one event a minute for five days."""
    one = counting()
    closed: list[Closed] = []
    for minute in range(5 * 1_440):
        closed += one.take(view(at("2026-03-01 00:00:00") + minute * 60_000, ip=f"10.0.{minute % 50}.1"))
    assert len(closed) == 4
    assert len(list(one.finish())) == 1
