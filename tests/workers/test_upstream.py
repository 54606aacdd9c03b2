"""One Plausible as a worker sees it: when it is down, how it is probed, how fast it is sent to. No I/O, no clock."""

import pytest

from relay.rules.judge import Others, Trouble, TryAgain
from workers.upstream import DOWN_AFTER, PROBE_CAP_S, Upstream

FAILING = TryAgain(1.0, Trouble.FAILING, aside=False, detail="status 500")
BASE_S, CAP_S, MOST = 1.0, 300.0, 64


@pytest.fixture
def upstream() -> Upstream:
    """Give one that nothing is known of."""
    return Upstream(BASE_S, CAP_S, MOST)


def fail(upstream: Upstream, times: int, now_s: float, trouble: Trouble = Trouble.FAILING) -> list[bool]:
    """So many attempts fail; returns what each says of going down."""
    verdict = TryAgain(1.0, trouble, aside=False, detail="status 500")
    return [upstream.stumbled(verdict, now_s, 0.5) for _ in range(times)]


def test_failures_in_a_row_take_it_down(upstream: Upstream) -> None:
    """It is down after so many failures without a success between them, and says so once."""
    assert fail(upstream, DOWN_AFTER, 0.0) == [False] * (DOWN_AFTER - 1) + [True]
    assert upstream.down
    assert fail(upstream, 3, 1.0) == [False] * 3


def test_one_success_starts_the_row_anew(upstream: Upstream) -> None:
    """Failures with successes between them are no outage."""
    for _ in range(10):
        fail(upstream, DOWN_AFTER - 1, 0.0)
        assert upstream.answered() is None
    assert not upstream.down


@pytest.mark.parametrize("trouble", [Trouble.UNREACHABLE, Trouble.MISCONFIGURED])
def test_what_no_event_can_help_takes_it_down_at_once(upstream: Upstream, trouble: Trouble) -> None:
    """No connection, or no event endpoint, needs no second look."""
    assert fail(upstream, 1, 0.0, trouble) == [True]


def test_one_probe_at_a_time(upstream: Upstream) -> None:
    """While it is down nothing is sent but one probe, when its time has come."""
    fail(upstream, DOWN_AFTER, 100.0)
    assert not upstream.may_send(0, 100.0)
    at_s = upstream.next_s
    assert at_s > 100.0
    assert upstream.may_send(0, at_s)
    upstream.began()
    assert not upstream.may_send(1, at_s + 1_000.0)
    fail(upstream, 1, at_s)
    assert not upstream.may_send(0, at_s)
    assert upstream.may_send(0, upstream.next_s)


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_probes_grow_rare_but_never_too_rare(upstream: Upstream, draw: float) -> None:
    """The gap grows with the outage from the base to a minute, so that recovery is seen soon, with chance in it."""
    now_s, gaps = 0.0, []
    fail(upstream, DOWN_AFTER, now_s)
    while now_s < 3_600.0:
        now_s = upstream.next_s
        upstream.began()
        upstream.stumbled(FAILING, now_s, draw)
        gaps.append(upstream.next_s - now_s)
    assert gaps == pytest.approx(sorted(gaps))
    assert gaps[0] == pytest.approx(BASE_S * (0.75 + draw / 2))
    assert gaps[-1] == pytest.approx(PROBE_CAP_S * (0.75 + draw / 2))


def test_probes_are_as_soon_as_the_operator_wants(upstream: Upstream) -> None:
    """A small cap on retries is one on probes too, but not below a second."""
    upstream.cap_s, upstream.base_s = 0.05, 0.02
    fail(upstream, DOWN_AFTER, 0.0)
    upstream.stumbled(FAILING, 1e6, 1.0)
    assert 0.0 < upstream.next_s - 1e6 <= 1.25


def test_recovery_ramps_up(upstream: Upstream) -> None:
    """After an outage the first answer lets one delivery start, then two, and so on up to the most."""
    fail(upstream, DOWN_AFTER, 50.0)
    upstream.began()
    assert upstream.answered() == 50.0
    assert not upstream.down
    assert upstream.may_send(0, 50.0)
    assert not upstream.may_send(1, 50.0)
    upstream.answered()
    assert upstream.may_send(1, 50.0)
    assert not upstream.may_send(2, 50.0)
    for _ in range(1_000):
        upstream.answered()
    assert upstream.may_send(MOST - 1, 50.0)
    assert not upstream.may_send(MOST, 50.0)


def test_a_failure_halves_the_pace_and_it_never_stops(upstream: Upstream) -> None:
    """Trouble halves what goes side by side, down to one; then it grows slowly."""
    for _ in range(1_000):
        upstream.answered()
    upstream.stumbled(FAILING, 0.0, 0.5)
    assert upstream.may_send(MOST // 2 - 1, 0.0)
    assert not upstream.may_send(MOST // 2, 0.0)
    upstream.answered()
    assert not upstream.may_send(MOST // 2, 0.0)
    for _ in range(20):
        upstream.stumbled(FAILING, 0.0, 0.5)
        upstream.answered()
    assert upstream.may_send(0, 1e9)


def test_retry_after_pauses_everybody(upstream: Upstream) -> None:
    """What the upstream asks one sender to wait, all wait; an outage's end ends that too."""
    verdict = TryAgain(30.0, Trouble.BUSY, aside=False, detail="status 429", pause_s=30.0)
    upstream.stumbled(verdict, 10.0, 0.5)
    assert not upstream.down
    assert not upstream.may_send(0, 39.9)
    assert upstream.may_send(0, 40.0)
    upstream.stumbled(FAILING, 11.0, 0.5)
    assert not upstream.may_send(0, 39.9)


def test_how_others_fare(upstream: Upstream) -> None:
    """Others pass when four passed for each that failed since; one's own failures are no evidence."""
    assert upstream.others(0, 0, 0) is Others.UNKNOWN
    fail(upstream, 3, 0.0)
    assert upstream.others(0, 0, 3) is Others.UNKNOWN
    assert upstream.others(0, 0, 1) is Others.FAIL
    for _ in range(4):
        upstream.answered()
    assert upstream.others(0, 0, 3) is Others.PASS
    assert upstream.others(0, 0, 2) is Others.PASS
    assert upstream.others(0, 0, 1) is Others.FAIL
    passed, failed = upstream.passed, upstream.failed
    assert upstream.others(passed, failed, 0) is Others.UNKNOWN


def test_what_fails_alone_is_no_sign_against_it(upstream: Upstream) -> None:
    """Poison events that are tried again by themselves neither take it down nor slow it down."""
    for _ in range(50):
        assert not upstream.stumbled(FAILING, 0.0, 0.5, fails_alone=True)
    assert upstream.failed == 0
    assert upstream.may_send(7, 0.0)
    unreachable = TryAgain(1.0, Trouble.UNREACHABLE, aside=False, detail="refused")
    assert upstream.stumbled(unreachable, 0.0, 0.5, fails_alone=True)


def test_it_describes_itself(upstream: Upstream) -> None:
    """A status page sees up or down, why and for how long."""
    assert upstream.describe(0.0) == {"state": "up", "limit": 8}
    fail(upstream, DOWN_AFTER, 5.0)
    assert upstream.describe(8.04) == {"state": "down", "reason": "failing: status 500", "down_for_s": 3.0}
