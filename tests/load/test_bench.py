"""The bench's own arithmetic: due times, ratios, the account, the verdicts on targets. No speed is asserted."""

import array
from dataclasses import replace

import orjson
import pytest

from load.bench import events, rounds
from load.bench.balance import balance
from load.bench.check import compare
from load.bench.open_loop import due_times
from load.bench.rounds import Round
from load.bench.senders import Fate, Told, percentiles
from load.bench.targets import TARGETS, Met, meet
from relay.rules.event import Event, Refused, Validation, parse_event

LEDGER = {"accepted": 3, "delivered": 3, "dropped": 0, "dead": 0, "pending": 0}


def test_an_even_stretch_is_even() -> None:
    """Events are due at fixed distances, whatever becomes of them."""
    assert list(due_times([(1, 4, 4)])) == [0, 0.25, 0.5, 0.75]


def test_a_ramp_has_as_many_events_as_its_rates_say() -> None:
    """From 0 to 100 a second in two seconds: a hundred events, a quarter of them in the first second."""
    due = list(due_times([(2, 0, 100)]))
    assert (len(due), sum(1 for at in due if at < 1)) == (100, 25)
    assert due == sorted(due)


def test_stretches_follow_each_other() -> None:
    """The second begins when the first has ended."""
    assert list(due_times([(1, 2, 2), (1, 2, 2)])) == [0, 0.5, 1, 1.5]


def test_a_ratio_is_taken_within_its_turn() -> None:
    """What slows a whole turn changes no ratio; the busier core counts for CPU time."""
    ours = [Round(100, 1, {"a": 0.2}, {"wrk": 0.5}), Round(100, 2, {"a": 0.4}, {"wrk": 1.0})]
    theirs = [Round(50, 1, {"b": 0.5}), Round(50, 2, {"b": 1.0})]
    told = rounds.ratio({"ours": ours, "theirs": theirs}, "ours", "theirs")
    assert told["wall"] == {"median": 2, "low": 2, "high": 2}
    assert told["cpu"] == {"median": 2, "low": 2, "high": 2}


def test_turns_change_their_order_and_the_first_only_warms_up() -> None:
    """No system always runs behind the same one."""
    ran: list[str] = []

    def system(name: str) -> Round:
        ran.append(name)
        return Round(1, 1)

    found = rounds.interleave({"a": lambda: system("a"), "b": lambda: system("b")}, 2)
    assert "".join(ran) == "baabba"
    assert [len(many) for many in found.values()] == [2, 2]


@pytest.mark.parametrize("kind", [events.request, events.server_request, events.engagement_request])
def test_what_is_measured_with_is_fit(kind: events.Build) -> None:
    """Each kind of event is one that the relay takes, and carries its number."""
    body = kind(12_345, 8_000).partition(b"\r\n\r\n")[2]
    assert isinstance(parse_event(body, Validation.STRICT), Event)
    assert events.number_of(body) == 12_345


def test_the_wrong_one_is_refused_and_a_batch_is_a_hundred() -> None:
    """The mixed scenario needs both."""
    body = events.wrong_request(1, 8_000).partition(b"\r\n\r\n")[2]
    assert isinstance(parse_event(body, Validation.STRICT), Refused)
    batch = orjson.loads(events.batch_request(7, 8_000).partition(b"\r\n\r\n")[2])
    assert [events.number_of(orjson.dumps(one)) for one in batch] == list(range(700, 800))


def told(*statuses: int) -> Told:
    """A run in which the events had these answers."""
    return Told([Fate(number, 1.0, 1.5 if status else 0, status) for number, status in enumerate(statuses)])


def test_an_account_that_is_closed() -> None:
    """All accepted events arrived; what was refused is no fault, a repeat is told."""
    found = balance(told(202, 202, 202, 400), [0, 1, 2, 2], LEDGER)
    assert (found["faults"], found["refused"], found["repeats"]) == ([], 1, 1)


def test_an_event_without_an_answer_may_be_kept_or_not() -> None:
    """Both are right: nobody can know."""
    for ledger, arrived in ((LEDGER, [0, 1, 2]), ({**LEDGER, "accepted": 2, "delivered": 2}, [0, 1])):
        assert balance(told(202, 202, 0), arrived, ledger)["faults"] == []


@pytest.mark.parametrize(
    ("arrived", "ledger"),
    [
        pytest.param([0, 1], LEDGER, id="lost"),
        pytest.param([0, 1, 2, 9], LEDGER, id="from nowhere"),
        pytest.param([0, 1, 2], {**LEDGER, "accepted": 4}, id="no sum"),
        pytest.param([0, 1, 2], {**LEDGER, "accepted": 2, "delivered": 2}, id="accepted less than was told"),
    ],
)
def test_an_account_that_is_not_closed(arrived: list[int], ledger: dict[str, int]) -> None:
    """What does not add up is said."""
    assert balance(told(202, 202, 202), arrived, ledger)["faults"]


def test_percentiles_are_of_every_event() -> None:
    """One slow one in a thousand is the p99.9, and the most."""
    found = percentiles(array.array("d", [0.001] * 999 + [1.0]))
    assert (found["p99_ms"], found["p999_ms"], found["max_ms"]) == (1, 1_000, 1_000)


def test_a_target_is_reached_or_not() -> None:
    """Above the goal, between, below; the other way round where less is better; and what was not measured says so."""
    more, less = replace(TARGETS[0], floor=8, goal=12), replace(TARGETS[0], floor=20, goal=3, most=True)
    assert [Met(more, "", "", value).verdict for value in (12, 8, 7, None)] == [
        "goal",
        "floor",
        "below the floor",
        "not measured",
    ]
    assert [Met(less, "", "", value).verdict for value in (3, 20, 21)] == ["goal", "floor", "below the floor"]
    assert {met.verdict for met in meet({"accept": {"error": "no wrk"}})} == {"not measured"}


def test_costs_are_compared_in_multiples_of_the_yardstick() -> None:
    """A machine of half the speed changes nothing; a door that costs half as much again does."""
    then = {"accept": 0.8, "accept_us": 80, "batch": 0.1, "batch_us": 10, "deliver": 0.5, "deliver_us": 50}
    now = {"accept": 1.2, "accept_us": 240, "batch": 0.05, "batch_us": 10, "deliver": 0.5, "deliver_us": 100}
    assert compare(now, then) == {"accept": 1.5, "batch": 0.5, "deliver": 1}
