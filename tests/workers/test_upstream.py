"""One Plausible as a worker sees it: when it is down, how it is probed, how fast it is sent to. No I/O, no clock."""

import pytest

from relay.rules.judge import Others, Trouble, TryAgain
from tests.queue.samples import event_of
from workers.circuit import PROBE_CAP_S
from workers.lanes import Entry
from workers.sites import FEW, STALLED_S, Site
from workers.upstream import DOWN_AFTER, FIRST_LIMIT, Fell, Upstream

FAILING = TryAgain(1.0, Trouble.FAILING, aside=False, detail="status 500")
BASE_S, CAP_S, MOST = 1.0, 300.0, 64


@pytest.fixture
def upstream() -> Upstream:
    """Give one that nothing is known of."""
    return Upstream(BASE_S, CAP_S, MOST)


@pytest.fixture
def site(upstream: Upstream) -> Site:
    """Give its only site."""
    return upstream.site("example.com")


@pytest.fixture
def another(upstream: Upstream, site: Site) -> Site:
    """Give a second site; both were tried."""
    second = upstream.site("another.example")
    for tried in (site, second):
        send(upstream, tried, 0.0)
        upstream.answered(tried)
    return second


def send(upstream: Upstream, site: Site, now_s: float, *, ends: bool = True) -> None:
    """Start a delivery and, unless it shall go on, end it."""
    entry = Entry(b"1-0", event_of())
    upstream.began(site, entry, now_s)
    if ends:
        upstream.ended(site, entry)


def fail(upstream: Upstream, site: Site, times: int, now_s: float, trouble: Trouble = Trouble.FAILING) -> list[Fell]:
    """So many attempts fail; returns what each says of going down."""
    verdict = TryAgain(1.0, trouble, aside=False, detail="status 500")
    return [upstream.stumbled(site, verdict, now_s, 0.5) for _ in range(times)]


def most_under_way(upstream: Upstream, site: Site, now_s: float) -> int:
    """How many deliveries of the site may start now, none of which ends."""
    began = 0
    while upstream.may_send(now_s) and upstream.may_send_for(site, now_s):
        send(upstream, site, now_s, ends=False)
        began += 1
    return began


def test_failures_in_a_row_take_it_down(upstream: Upstream, site: Site) -> None:
    """It is down after so many failures without a success between them, and says so once."""
    assert fail(upstream, site, DOWN_AFTER, 0.0) == [Fell.NOTHING] * (DOWN_AFTER - 1) + [Fell.UPSTREAM]
    assert upstream.down
    assert fail(upstream, site, 3, 1.0) == [Fell.NOTHING] * 3


def test_one_success_starts_the_row_anew(upstream: Upstream, site: Site) -> None:
    """Failures with successes between them are no outage."""
    for _ in range(10):
        fail(upstream, site, DOWN_AFTER - 1, 0.0)
        assert upstream.answered(site) == (None, None)
    assert not upstream.down


@pytest.mark.parametrize("trouble", [Trouble.UNREACHABLE, Trouble.MISCONFIGURED])
def test_what_no_event_can_help_takes_it_down_at_once(
    upstream: Upstream, site: Site, another: Site, trouble: Trouble
) -> None:
    """No connection, or no event endpoint, needs no second look, however many sites there are."""
    assert another is not site
    assert fail(upstream, site, 1, 0.0, trouble) == [Fell.UPSTREAM]


def test_one_probe_at_a_time(upstream: Upstream, site: Site) -> None:
    """While it is down nothing is sent but one probe, when its time has come."""
    fail(upstream, site, DOWN_AFTER, 100.0)
    assert not upstream.may_send(100.0)
    at_s = upstream.circuit.next_s
    assert at_s > 100.0
    assert most_under_way(upstream, site, at_s) == 1
    assert not upstream.may_send(at_s + 1_000.0)
    fail(upstream, site, 1, at_s)
    assert not upstream.may_send(at_s)
    assert upstream.may_send(upstream.circuit.next_s)


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_probes_grow_rare_but_never_too_rare(upstream: Upstream, site: Site, draw: float) -> None:
    """The gap grows with the outage from the base to a minute, so that recovery is seen soon, with chance in it."""
    now_s, gaps = 0.0, []
    fail(upstream, site, DOWN_AFTER, now_s)
    while now_s < 3_600.0:
        now_s = upstream.circuit.next_s
        send(upstream, site, now_s)
        upstream.stumbled(site, FAILING, now_s, draw)
        gaps.append(upstream.circuit.next_s - now_s)
    assert gaps == pytest.approx(sorted(gaps))
    assert gaps[0] == pytest.approx(BASE_S * (0.75 + draw / 2))
    assert gaps[-1] == pytest.approx(PROBE_CAP_S * (0.75 + draw / 2))


def test_probes_are_as_soon_as_the_operator_wants() -> None:
    """A small cap on retries is one on probes too, but not below a second."""
    upstream = Upstream(0.02, 0.05, MOST)
    site = upstream.site("example.com")
    fail(upstream, site, DOWN_AFTER, 0.0)
    upstream.stumbled(site, FAILING, 1e6, 1.0)
    assert 0.0 < upstream.circuit.next_s - 1e6 <= 1.25


def test_recovery_ramps_up(upstream: Upstream, site: Site) -> None:
    """After an outage the first answer lets one delivery start, then two, and so on up to the most."""
    fail(upstream, site, DOWN_AFTER, 50.0)
    send(upstream, site, 51.0)
    assert upstream.answered(site) == (50.0, None)
    assert not upstream.down
    assert most_under_way(upstream, site, 51.0) == 1
    upstream.answered(site)
    assert most_under_way(upstream, site, 51.0) == 1, "one more"
    for _ in range(1_000):
        upstream.answered(site)
    assert most_under_way(upstream, site, 51.0) == MOST - 2


def test_a_failure_halves_the_pace_and_it_never_stops(upstream: Upstream, site: Site) -> None:
    """Trouble halves what goes side by side, down to one; then it grows slowly."""
    for _ in range(1_000):
        upstream.answered(site)
    upstream.stumbled(site, FAILING, 0.0, 0.5)
    assert int(upstream.limit) == MOST // 2
    upstream.answered(site)
    assert int(upstream.limit) == MOST // 2
    for _ in range(20):
        upstream.stumbled(site, FAILING, 0.0, 0.5)
        upstream.answered(site)
    assert upstream.may_send(1e9)


def test_retry_after_pauses_everybody(upstream: Upstream, site: Site) -> None:
    """What the upstream asks one sender to wait, all wait; a failure meanwhile does not shorten that."""
    verdict = TryAgain(30.0, Trouble.BUSY, aside=False, detail="status 429", pause_s=30.0)
    upstream.stumbled(site, verdict, 10.0, 0.5)
    assert not upstream.down
    assert not upstream.may_send(39.9)
    assert upstream.may_send(40.0)
    upstream.stumbled(site, FAILING, 11.0, 0.5)
    assert not upstream.may_send(39.9)


def test_what_one_site_is_asked_to_wait_is_its_own(upstream: Upstream, site: Site, another: Site) -> None:
    """With several sites a Retry-After holds for the one that got it."""
    verdict = TryAgain(30.0, Trouble.BUSY, aside=False, detail="status 429", pause_s=30.0)
    upstream.stumbled(site, verdict, 10.0, 0.5)
    assert not upstream.may_send_for(site, 39.9)
    assert upstream.may_send_for(site, 40.0)
    assert upstream.may_send(11.0)
    assert upstream.may_send_for(another, 11.0)


def test_an_event_that_fails_alone_waits_alone(upstream: Upstream, site: Site) -> None:
    """A Retry-After for one visitor, while others pass, is no pause for them."""
    verdict = TryAgain(300.0, Trouble.BUSY, aside=True, detail="status 429", pause_s=300.0)
    upstream.stumbled(site, verdict, 10.0, 0.5, fails_alone=True)
    assert upstream.may_send(10.0)
    assert upstream.may_send_for(site, 10.0)


def test_a_dead_site_goes_down_by_itself(upstream: Upstream, site: Site, another: Site) -> None:
    """Failures of one site among several take down that site, slow down nobody else, and end with its first answer."""
    assert fail(upstream, site, DOWN_AFTER, 5.0)[-1] is Fell.SITE
    fail(upstream, site, 50, 5.0)
    assert not upstream.down
    assert not upstream.may_send_for(site, 5.0)
    assert upstream.limit >= FIRST_LIMIT
    assert upstream.may_send_for(another, 5.0)
    assert upstream.describe(6.0)["failing_sites"] == {"example.com": "failing: status 500"}
    at_s = site.circuit.next_s
    assert most_under_way(upstream, site, at_s) == 1, "one probe"
    assert upstream.answered(site) == (None, 5.0)
    assert upstream.may_send_for(site, at_s)


def test_failures_of_several_sites_are_an_outage(upstream: Upstream, site: Site, another: Site) -> None:
    """When more than one fails, and none passes, the upstream is down, and any site's event is a probe."""
    assert Fell.UPSTREAM not in fail(upstream, site, 4, 5.0)
    assert fail(upstream, another, 2, 5.0)[-1] is Fell.UPSTREAM
    at_s = upstream.circuit.next_s
    assert upstream.may_send(at_s)
    assert upstream.may_send_for(site, at_s)
    assert upstream.may_send_for(another, at_s)
    assert upstream.answered(another)[0] == 5.0


def test_after_an_outage_every_site_is_tried_at_once(upstream: Upstream, site: Site, another: Site) -> None:
    """A site that had failed before it does not wait for its own next probe."""
    fail(upstream, site, DOWN_AFTER, 5.0)
    fail(upstream, another, 2, 6.0)
    assert upstream.down
    upstream.answered(another)
    assert site.circuit.down
    assert upstream.may_send_for(site, 6.0)


def test_a_site_that_hangs_leaves_room_for_the_others(upstream: Upstream, site: Site, another: Site) -> None:
    """One of several has half of what goes side by side at most, and a few once its oldest request waits long."""
    for _ in range(1_000):
        upstream.answered(another)
    assert most_under_way(upstream, site, 10.0) == MOST // 2
    assert most_under_way(upstream, another, 10.0) == MOST // 2
    for entry in list(another.under_way):
        upstream.ended(another, entry)
    for entry in list(site.under_way)[FEW:]:
        upstream.ended(site, entry)
    assert upstream.may_send_for(another, 10.0)
    assert not upstream.may_send_for(site, 10.0 + 2 * STALLED_S)


def test_a_site_is_forgotten_when_nobody_needs_it(upstream: Upstream, site: Site) -> None:
    """Millions of made-up sites cost no memory."""
    for n in range(100):
        upstream.site(f"{n}.example")
    assert list(upstream.sites) == [site.name]


def test_how_others_fare(upstream: Upstream, site: Site) -> None:
    """Others pass when four passed for each that failed since; one's own failures are no evidence."""
    start = upstream.mark(site)
    assert upstream.others(site, start, 0) is Others.UNKNOWN
    fail(upstream, site, 3, 0.0)
    assert upstream.others(site, start, 3) is Others.UNKNOWN
    assert upstream.others(site, start, 1) is Others.FAIL
    for _ in range(4):
        upstream.answered(site)
    assert upstream.others(site, start, 3) is Others.PASS
    assert upstream.others(site, start, 2) is Others.PASS
    assert upstream.others(site, start, 1) is Others.FAIL
    assert upstream.others(site, upstream.mark(site), 0) is Others.UNKNOWN


def test_the_same_site_tells_more_than_the_others(upstream: Upstream, site: Site, another: Site) -> None:
    """An event of a failing site does not fail alone, though others pass; one alone at its site does."""
    start = upstream.mark(site)
    for _ in range(10):
        upstream.answered(another)
    fail(upstream, site, 1, 0.0)
    assert upstream.others(site, start, 1) is Others.PASS
    fail(upstream, site, 1, 0.0)
    assert upstream.others(site, start, 1) is Others.FAIL


def test_what_fails_alone_is_no_sign_against_it(upstream: Upstream, site: Site) -> None:
    """Poison events that are tried again by themselves neither take it down nor slow it down."""
    for _ in range(50):
        assert upstream.stumbled(site, FAILING, 0.0, 0.5, fails_alone=True) is Fell.NOTHING
    assert upstream.failed == 0
    assert most_under_way(upstream, site, 0.0) == FIRST_LIMIT
    unreachable = TryAgain(1.0, Trouble.UNREACHABLE, aside=False, detail="refused")
    assert upstream.stumbled(site, unreachable, 0.0, 0.5, fails_alone=True) is Fell.UPSTREAM


def test_a_probe_that_says_nothing_is_followed_by_another(upstream: Upstream, site: Site) -> None:
    """When a probe was never written, or the relay itself failed with it, the next one may go."""
    fail(upstream, site, DOWN_AFTER, 0.0)
    at_s = upstream.circuit.next_s
    send(upstream, site, at_s)
    assert not upstream.may_send(at_s)
    upstream.undecided(site)
    assert upstream.may_send(at_s)


def test_it_describes_itself(upstream: Upstream, site: Site) -> None:
    """A status page sees up or down, why and for how long."""
    assert upstream.describe(0.0) == {"state": "up", "limit": 8}
    fail(upstream, site, DOWN_AFTER, 5.0)
    assert upstream.describe(8.04) == {"state": "down", "reason": "failing: status 500", "down_for_s": 3.0}
