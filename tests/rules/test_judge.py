"""What an answer means: the tables of docs/promises.md row by row, and the laws that hold for any answer."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.drops import PASSING, DropCause
from relay.rules.judge import (
    DETAIL_CHARACTERS,
    QUICK_ATTEMPTS,
    Attempt,
    Dead,
    DeadReason,
    Delivered,
    Dropped,
    NoAnswer,
    OnAmbiguous,
    Others,
    Reply,
    RetryPolicy,
    Trouble,
    TryAgain,
    judge,
    too_late,
)

POLICY = RetryPolicy(base_s=1.0, cap_s=300.0, retry_for_s=1_000.0)
FIRST = Attempt(
    number=1,
    failing_s=0.0,
    others=Others.UNKNOWN,
    on_ambiguous=OnAmbiguous.RETRY,
    drop_cause=DropCause.SHIELD_OR_THROTTLE,
    now_s=1_780_000_000.0,
    draw=0.5,
)
LOST = {trouble: NoAnswer(trouble, "seen") for trouble in (Trouble.UNREACHABLE, Trouble.BROKEN, Trouble.UNANSWERED)}


def attempt(**fields: Any) -> Attempt:
    """The first attempt, with some things different."""
    return replace(FIRST, **fields)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_delivered(status: int) -> None:
    """202, and any other 2xx, is delivered."""
    assert judge(Reply(status), FIRST, POLICY) == Delivered()


@pytest.mark.parametrize("cause", [cause for cause in DropCause if cause not in PASSING])
def test_a_drop_is_dropped(cause: DropCause) -> None:
    """A 2xx with x-plausible-dropped is `dropped` with the probable cause, at once if that is final."""
    assert judge(Reply(202, dropped=1), attempt(drop_cause=cause), POLICY) == Dropped(cause)


@pytest.mark.parametrize("cause", PASSING)
def test_a_passing_drop_has_a_budget_of_its_own(cause: DropCause) -> None:
    """A drop whose cause may pass is tried again aside, a few times within two minutes, then it is `dropped`."""
    tries = len(PASSING[cause]) + 1
    verdicts = [
        judge(Reply(202, dropped=1), attempt(number=number, drop_cause=cause), POLICY) for number in range(1, tries + 1)
    ]
    assert [type(verdict) for verdict in verdicts] == [TryAgain] * (tries - 1) + [Dropped]
    waits_s = [verdict.after_s for verdict in verdicts if isinstance(verdict, TryAgain)]
    assert waits_s == list(PASSING[cause])
    assert all(v.aside and v.trouble is Trouble.PASSING_DROP for v in verdicts if isinstance(v, TryAgain))


def test_a_new_site_is_waited_for_as_long_as_plausible_needs() -> None:
    """The tries for a site that Plausible may not know yet span a minute, with any draw nearly so."""
    assert sum(PASSING[DropCause.SITE_UNKNOWN]) >= 60.0


def test_without_room_aside_nothing_goes_there() -> None:
    """When too many events wait aside, a drop is final at once, and a poison event goes on holding its visitor."""
    full = attempt(drop_cause=DropCause.SITE_UNKNOWN, room_aside=False)
    assert judge(Reply(202, dropped=1), full, POLICY) == Dropped(DropCause.SITE_UNKNOWN)
    verdict = judge(Reply(500), attempt(number=9, others=Others.PASS, room_aside=False), POLICY)
    assert isinstance(verdict, TryAgain)
    assert not verdict.aside


def test_400_is_refused_upstream_with_plausibles_words() -> None:
    """A 400 is dead at once, with the start of Plausible's message."""
    verdict = judge(Reply(400, text="no such thing " * 100), FIRST, POLICY)
    assert isinstance(verdict, Dead)
    assert verdict.reason is DeadReason.REFUSED_UPSTREAM
    assert verdict.detail == ("no such thing " * 100)[:DETAIL_CHARACTERS]


def test_413_is_too_large() -> None:
    """A 413 is dead at once."""
    assert judge(Reply(413, text="big"), FIRST, POLICY) == Dead(DeadReason.TOO_LARGE, "big")


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(status, Trouble.MISCONFIGURED) for status in (300, 301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 410, 422)]
    + [(status, Trouble.BUSY) for status in (408, 429)]
    + [(status, Trouble.FAILING) for status in (500, 502, 503, 504, 599)],
)
def test_other_answers_are_tried_again(status: int, trouble: Trouble) -> None:
    """Configuration trouble, busy and failing are told apart, and none of them kills an event."""
    verdict = judge(Reply(status), FIRST, POLICY)
    assert verdict == TryAgain(0.5, trouble, aside=False, detail=f"status {status}")


@pytest.mark.parametrize("trouble", LOST)
def test_no_answer_is_tried_again(trouble: Trouble) -> None:
    """Without an answer the event is tried again, by default also when it may have been counted."""
    assert judge(LOST[trouble], FIRST, POLICY) == TryAgain(0.5, trouble, aside=False, detail="seen")


@pytest.mark.parametrize("trouble", LOST)
def test_park_is_for_what_may_have_been_counted(trouble: Trouble) -> None:
    """With `park`, an event that may have been counted is dead `ambiguous`; one that was not is tried again."""
    verdict = judge(LOST[trouble], attempt(on_ambiguous=OnAmbiguous.PARK), POLICY)
    if trouble is Trouble.UNANSWERED:
        assert verdict == Dead(DeadReason.AMBIGUOUS, "seen")
    else:
        assert isinstance(verdict, TryAgain)


def test_retry_after_is_the_least_wait() -> None:
    """Retry-After is obeyed up to the cap, and told apart for every other sender."""
    verdict = judge(Reply(429, retry_after="40"), FIRST, POLICY)
    assert verdict == TryAgain(40.0, Trouble.BUSY, aside=False, detail="status 429", pause_s=40.0)
    verdict = judge(Reply(503, retry_after="4000"), FIRST, POLICY)
    assert isinstance(verdict, TryAgain)
    assert (verdict.after_s, verdict.pause_s) == (300.0, 300.0)


@pytest.mark.parametrize("others", Others)
@pytest.mark.parametrize("number", [QUICK_ATTEMPTS - 1, QUICK_ATTEMPTS, QUICK_ATTEMPTS + 1])
def test_a_poison_event_goes_aside_after_its_quick_attempts(others: Others, number: int) -> None:
    """An event goes aside once it has failed three times while others pass, never in a common outage."""
    verdict = judge(Reply(500), attempt(number=number, others=others), POLICY)
    assert isinstance(verdict, TryAgain)
    assert verdict.aside is (others is Others.PASS and number >= QUICK_ATTEMPTS)


@pytest.mark.parametrize("others", Others)
@pytest.mark.parametrize("answer", [Reply(500), Reply(429), LOST[Trouble.UNANSWERED], LOST[Trouble.BROKEN]])
def test_only_an_event_that_fails_alone_is_exhausted(answer: Reply | NoAnswer, others: Others) -> None:
    """After `retry_for` an event is dead `exhausted` if others pass; an outage uses up nobody's time."""
    late = attempt(number=9, failing_s=1_000.0, others=others)
    verdict = judge(answer, late, POLICY)
    if others is Others.PASS:
        assert isinstance(verdict, Dead)
        assert verdict.reason is DeadReason.EXHAUSTED
        assert "9 attempts in 1000 s" in verdict.detail
    else:
        assert isinstance(verdict, TryAgain)
    assert isinstance(judge(answer, replace(late, failing_s=999.9), POLICY), TryAgain)


@pytest.mark.parametrize("answer", [Reply(404), Reply(301), Reply(401), LOST[Trouble.UNREACHABLE]])
def test_what_no_event_can_help_never_kills_one(answer: Reply | NoAnswer) -> None:
    """Configuration trouble and a dead connection kill no event, however long they last."""
    verdict = judge(answer, attempt(number=99, failing_s=1e9, others=Others.PASS), POLICY)
    assert isinstance(verdict, TryAgain)
    assert not verdict.aside


def test_too_late_is_beyond_the_age_only() -> None:
    """An event older than the limit is dead `too_late` with both ages; without a limit none is too old."""
    assert too_late(1e9, None) is None
    assert too_late(60.0, 60.0) is None
    assert too_late(61.0, 60.0) == Dead(DeadReason.TOO_LATE, "61 s old at its turn, limit 60 s")


ATTEMPTS = st.builds(
    Attempt,
    number=st.integers(1, 10_000),
    failing_s=st.floats(0, 1e9),
    others=st.sampled_from(Others),
    on_ambiguous=st.sampled_from(OnAmbiguous),
    drop_cause=st.sampled_from(DropCause),
    now_s=st.floats(0, 4e9),
    draw=st.floats(0, 1),
)
REPLIES = st.builds(
    Reply,
    status=st.integers(200, 599),
    dropped=st.integers(0, 3),
    retry_after=st.none() | st.text(max_size=12) | st.integers(0, 10**20).map(str),
    text=st.text(max_size=20),
)


@given(REPLIES | st.sampled_from(list(LOST.values())), ATTEMPTS)
def test_every_answer_has_one_meaning(answer: Reply | NoAnswer, at: Attempt) -> None:
    """For any answer there is an outcome, or another attempt between now and the cap."""
    match judge(answer, at, POLICY):
        case TryAgain() as again:
            assert 0.0 <= again.pause_s <= again.after_s <= POLICY.cap_s
            assert not isinstance(answer, Reply) or answer.status not in {400, 413}
        case Dead(reason):
            assert reason is not DeadReason.UNREADABLE
            assert isinstance(answer, NoAnswer) or answer.status >= 400
        case Delivered() | Dropped():
            assert isinstance(answer, Reply)
            assert 200 <= answer.status < 300


@pytest.mark.parametrize("status", [400, 413])
def test_words_that_tell_of_the_visitor_are_left_out(status: int) -> None:
    """An error page may repeat who asked; what is kept and logged of it does not."""
    page = f"{'-' * (DETAIL_CHARACTERS - 4)} 9.9.9.9 with Käfer/1 (x) is\nblocked: 9.9.9.9"
    told = judge(Reply(status, text=page[400:]), attempt(visitor=("9.9.9.9", "Käfer/1 (x)")), POLICY)
    assert isinstance(told, Dead)
    assert told.detail.lstrip("-") == " … with … is blocked: …"
    cut = judge(Reply(status, text=page), attempt(visitor=("9.9.9.9", "")), POLICY)
    assert isinstance(cut, Dead)
    assert "9" not in cut.detail, "nor does the part that the cut leaves"
