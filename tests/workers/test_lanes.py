"""Whose turn it is in a lane: the first's, unless it may be poison and only the second can tell."""

import asyncio
from collections import deque

import pytest

from relay.queue.connection import connect
from relay.rules.judge import QUICK_ATTEMPTS, Others
from tests.queue.samples import event_of
from workers.lanes import Entry, Lane
from workers.partition import Partition
from workers.tails import Tails


def lane_of(crashes: int, *, entries: int = 2) -> Lane:
    """A lane whose first event got so many answers 500."""
    nowhere = connect("unix:///nowhere")
    partition = Partition(0, nowhere, Tails(nowhere), lambda _lane, _in_s: None, lambda _partition, _outcome: None)
    waiting = deque(Entry(b"%d-0" % n, event_of(f"e{n}")) for n in range(entries))
    waiting[0].crashes = crashes
    return Lane(partition, waiting)


async def turns(lane: Lane, others: Others, count: int) -> list[int]:
    """Which entry has its turn, so many times, when each attempt at the first is another crash."""
    await asyncio.sleep(0)  # what a partition is made of belongs to a loop
    chosen = []
    for _ in range(count):
        entry = lane.turn(others)
        chosen.append(lane.entries.index(entry))
        entry.crashes += entry is lane.entries[0]
    return chosen


@pytest.mark.parametrize("crashes", range(QUICK_ATTEMPTS))
async def test_the_first_has_the_first_attempts(crashes: int) -> None:
    """An event keeps its turn for its quick attempts, whatever comes behind it."""
    assert await turns(lane_of(crashes), Others.UNKNOWN, 1) == [0]


@pytest.mark.parametrize("others", [Others.UNKNOWN, Others.FAIL])
async def test_the_second_is_tried_ever_more_seldom(others: Others) -> None:
    """While nothing tells poison from an outage the second has a turn at crashes 3, 7, 15, 31 and so on."""
    chosen = await turns(lane_of(0), others, 64)
    assert [n for n, index in enumerate(chosen) if index == 1] == [3, 7, 15, 31, 63]


async def test_nobody_jumps_the_queue_when_it_is_known() -> None:
    """When others pass the first is known to be poison and goes aside: no second is needed."""
    assert await turns(lane_of(0), Others.PASS, 40) == [0] * 40


async def test_a_lone_event_keeps_its_turn() -> None:
    """With nothing behind it an event is always first."""
    assert await turns(lane_of(0, entries=1), Others.UNKNOWN, 40) == [0] * 40


async def test_an_entry_leaves_from_any_place() -> None:
    """The second may end before the first."""
    lane = lane_of(0, entries=3)
    second = lane.entries[1]
    lane.remove(second)
    assert second not in lane.entries
    assert len(lane.entries) == 2
