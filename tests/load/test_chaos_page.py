"""The page that a chaos run writes: it says what was asked for and did not happen, and names only what there is."""

from pathlib import Path
from typing import Final

import pytest

from load.chaos.account import Facts, Findings
from load.chaos.campaign import Plan, Result
from load.chaos.evidence import SHOWN, Shown
from load.chaos.failover import Failover
from load.chaos.fleet import Fleet
from load.chaos.report import page
from load.chaos.scene import Scene
from load.chaos.senders import Senders
from load.chaos.sink import Sink
from load.chaos.troubles import TROUBLES
from load.chaos.watch import Watch

LEDGER: Final = {"accepted": 90, "delivered": 90, "dropped": 0, "dead": 0, "pending": 0}
TESTS: Final = Path(__file__).parent.parent


def written(kills: int, acknowledged: int) -> str:
    """The page of a run that was to have 20 kills and 1,000 events."""
    sink = Sink()
    scene = Scene(Fleet(Path(), sink), sink, Senders([], 10, 50))
    result = Result(
        plan=Plan(seconds=60, kills=20, events=1_000, visitors=10, rate=50, seed=1),
        took_s=61.0,
        findings=Findings(acknowledged=acknowledged),
        facts=Facts({}, set(), [], {}, [], LEDGER),
        scene=scene,
        watch=Watch(scene),
        kills=kills,
        status={"ledger": LEDGER, "repeated": 0},
    )
    return page(result, Failover(800, 1.6, 0.5, 0, 0, []))


def test_a_run_that_its_time_limit_ended_says_so() -> None:
    """With what came of the kills and events that were asked for; whatever was reached is not named."""
    ended = "**The run ended by its time limit**, after 7 of 20 kills"
    assert f"{ended} and 90 of 1,000 events with a 202." in written(7, 90)
    assert f"{ended}. One" in written(7, 1_000)


def test_a_run_that_reached_its_plan_says_nothing_of_limits() -> None:
    """Neither does one that did more."""
    assert "time limit" not in written(20, 1_001)


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.what)
def test_what_shows_a_promise_exists(shown: Shown) -> None:
    """Each trouble and each test that the page names is one; and there is either."""
    assert shown.troubles or shown.tests
    for beginning in shown.troubles:
        assert beginning == "failover" or any(trouble.name.startswith(beginning) for trouble in TROUBLES)
    for test in shown.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text()
