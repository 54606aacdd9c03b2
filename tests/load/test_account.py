"""The account of the chaos run: whatever must not be is found, and what has a reason is not held against anybody."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest

from load.chaos.account import Blow, Facts, Findings, find
from load.chaos.sink import Arrival

IN_FLIGHT: Final = 2
LEDGER: Final = {"accepted": 4, "delivered": 4, "dropped": 0, "dead": 0, "pending": 0}
KILL: Final = Blow("SIGKILL worker", 10.0, 10.1, may_repeat=True)
TERM: Final = Blow("SIGTERM worker", 10.0, 10.1, may_repeat=False)


def arrivals(*names: str, at_s: float = 9.9) -> list[Arrival]:
    """Events that arrive a millisecond after one another."""
    return [Arrival(name, at_s + 0.001 * place) for place, name in enumerate(names)]


FINE: Final = Facts(
    acknowledged={1: [1, 2, 3], 2: [1]},
    unsure={"2:2"},
    arrivals=arrivals("1:1", "2:1", "1:2", "1:3"),
    left_open={},
    blows=[],
    ledger=LEDGER,
)


def faults(facts: Facts) -> list[str]:
    """What is found, in words."""
    return find(facts, IN_FLIGHT).faults


def test_a_run_without_a_fault() -> None:
    """If all that was acknowledged arrived once and in order and the ledger says the same, nothing is found."""
    assert find(FINE, IN_FLIGHT) == Findings(acknowledged=4)


@pytest.mark.parametrize("lost", range(4))
def test_a_lost_event_is_found(lost: int) -> None:
    """Whichever acknowledged event did not arrive: its name is told, and that the ledger claims otherwise."""
    names = [arrival.name for arrival in FINE.arrivals]
    name = names.pop(lost)
    assert faults(replace(FINE, arrivals=arrivals(*names))) == [
        f"1 acknowledged events were lost: ['{name}']",
        f"3 different events arrived, the ledger says {LEDGER}",
    ]


def test_a_visitor_of_whom_nothing_arrived_is_found() -> None:
    """A visitor who is missing altogether is no visitor without events."""
    found = find(replace(FINE, arrivals=arrivals("2:1")), IN_FLIGHT)
    assert found.lost == ["1:1", "1:2", "1:3"]


def test_an_order_break_is_found_and_a_repeat_is_none() -> None:
    """The first arrivals of a visitor's events must be in order; a later repetition of one swaps nothing."""
    swapped = replace(FINE, arrivals=arrivals("1:2", "1:1", "1:3", "2:1"))
    assert faults(swapped) == ["1 events arrived out of order: ['1:1 (near: )']"]
    crashing = Blow("Plausible: 500", 9.0, 9.5, may_repeat=False, may_swap=True)
    assert find(replace(swapped, blows=[crashing]), IN_FLIGHT).swapped == ["1:1"]
    for other in (replace(crashing, may_swap=False), replace(crashing, began_s=-9.0, ended_s=-5.0)):
        assert "out of order" in faults(replace(swapped, blows=[other]))[0]
    again = arrivals("1:1", "2:1", "1:2", "1:3") + arrivals("1:2", at_s=10.5)
    assert faults(replace(FINE, arrivals=again, blows=[KILL])) == []


def repeated(*names: str, at_s: float, blows: list[Blow], left_open: Mapping[str, int] | None = None) -> Findings:
    """Find in a run without a fault but for these repetitions."""
    came = [*FINE.arrivals, *arrivals(*names, at_s=at_s)]
    return find(replace(FINE, arrivals=came, blows=blows, left_open=left_open or {}), IN_FLIGHT)


def test_a_kill_excuses_what_was_under_way_and_no_more() -> None:
    """A killed worker may repeat as many events as it has under way, and these alone."""
    assert repeated("1:1", "1:2", at_s=13.0, blows=[KILL]).faults == []
    assert repeated("1:1", "1:2", "1:3", at_s=13.0, blows=[KILL]).faults == [
        "SIGKILL worker repeated 3 events, more than were in flight"
    ]


@pytest.mark.parametrize(
    ("at_s", "blows"),
    [
        pytest.param(13.0, [], id="for no reason"),
        pytest.param(13.0, [TERM], id="after a SIGTERM"),
        pytest.param(9.95, [KILL], id="before the kill"),
        pytest.param(33.0, [replace(KILL, began_s=30.0, ended_s=30.1)], id="long settled when the kill came"),
    ],
)
def test_a_repeat_without_a_reason_is_found(at_s: float, blows: list[Blow]) -> None:
    """Nothing is repeated in quiet, nor by what ends cleanly, nor by a kill that it was not under way in."""
    (fault,) = repeated("1:1", at_s=at_s, blows=blows).faults
    assert fault.startswith("1 events were repeated without a reason: ['1:1 after")


def test_a_withheld_answer_excuses_one_repeat() -> None:
    """What was counted and not answered may come again once for each time, not once more."""
    assert repeated("1:1", at_s=13.0, blows=[], left_open={"1:1": 1}).repeated_open == 1
    twice = repeated("1:1", "1:1", at_s=13.0, blows=[], left_open={"1:1": 1})
    assert (twice.repeated_open, len(twice.repeated_unexplained)) == (1, 1)


def test_what_was_refused_may_arrive_and_what_nobody_sent_may_not() -> None:
    """A 503 means not known to be kept; an event that was never posted is an invention."""
    six = replace(FINE, arrivals=[*FINE.arrivals, *arrivals("2:2", "7:1", at_s=11.0)])
    found = find(replace(six, ledger=LEDGER | {"accepted": 6, "delivered": 6}), IN_FLIGHT)
    assert (found.unacknowledged, found.faults) == (2, ["1 events arrived that nobody posted: ['7:1']"])


def test_a_slow_healing_is_found() -> None:
    """Ten seconds after a trouble's end all must be well; where it was not waited for nothing is said."""
    blows = [KILL, replace(KILL, healed_s=9.9), replace(TERM, healed_s=10.9)]
    assert faults(replace(FINE, blows=blows)) == ["SIGTERM worker healed after 10.9 s"]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"accepted": 5}, "the ledger does not balance"),
        ({"accepted": 5, "delivered": 5}, "4 different events arrived"),
        ({"delivered": 3, "pending": 1}, "4 different events arrived"),
        ({"accepted": 5, "dead": 1}, "4 different events arrived"),
    ],
)
def test_a_ledger_that_tells_otherwise_is_found(wrong: dict[str, int], what: str) -> None:
    """It must balance, and count as delivered what arrived and as dead what died."""
    [told] = faults(replace(FINE, ledger=LEDGER | wrong))
    assert what in told


POISONED: Final = replace(
    FINE,
    poison={"8:1": True, "8:2": False},
    damaged=(1, 1),
    dead=[("exhausted", "8:1"), ("unreadable", "")],
    ledger=LEDGER | {"accepted": 6, "dead": 2},
)


def test_what_had_to_die_and_did_is_no_fault() -> None:
    """Neither is poison that was not acknowledged, nor damage of which nobody knows whether it was written."""
    assert faults(POISONED) == []
    dead = [*POISONED.dead, ("exhausted", "8:2"), ("unreadable", "")]
    assert faults(replace(POISONED, dead=dead, ledger=LEDGER | {"accepted": 8, "dead": 4})) == []


@pytest.mark.parametrize(
    ("dead", "what"),
    [
        ([("unreadable", ""), ("exhausted", "8:2")], "1 poison events did not end dead: ['8:1']"),
        ([("unreadable", ""), ("ambiguous", "8:1")], "1 poison events did not end dead: ['8:1']"),
        ([("unreadable", ""), ("exhausted", "8:1"), ("exhausted", "2:2")], "1 others died"),
        ([("unreadable", ""), ("exhausted", "8:1"), ("exhausted", "8:1")], "a poison event twice"),
        ([("exhausted", "8:1")], "1 entries without sense were written, 0 ended dead as such"),
    ],
)
def test_a_wrong_death_is_found(dead: list[tuple[str, str]], what: str) -> None:
    """Who had to die and did not, who did and should not have, and who died of something else."""
    ledger = LEDGER | {"accepted": 4 + len(dead), "dead": len(dead)}
    told = faults(replace(POISONED, dead=dead, ledger=ledger))
    assert any(what in text for text in told)
