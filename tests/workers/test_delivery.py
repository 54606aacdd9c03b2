"""What becomes of events in a worker: delivered in their visitor's order, dropped, or dead with the right reason."""

import time

import orjson
import pytest

from relay.queue import keys
from relay.queue.stored import pack, partition_of
from relay.rules.judge import Attempt, DeadReason, NoAnswer, Reply, RetryPolicy, Verdict, judge
from relay.sandbox.record import Outcome
from tests.queue.samples import AGENT, SITE, event_of, until
from tests.workers.rig import open_rig


async def test_each_visitors_events_arrive_in_their_order(redis_url: str) -> None:
    """Four hundred events of forty visitors arrive once each, each visitor's in the order of acceptance."""
    async with open_rig(redis_url) as rig:
        await rig.accept(*(event_of(f"e{n}", visitor) for n in range(5) for visitor in range(40)))
        async with rig.worker():
            await rig.accept(*(event_of(f"e{n}", visitor) for n in range(5, 10) for visitor in range(40)))
            account = await rig.settled()
        assert account == {"accepted": 400, "delivered": 400, "dropped": 0, "dead": 0, "pending": 0}
        assert await rig.counter("repeated") == 0
        recorded = rig.recorded()
        assert len(recorded) == 40
        assert all(names == [f"e{n}" for n in range(10)] for names in recorded.values())


async def test_plausible_sees_the_visitor_and_nothing_of_us(redis_url: str) -> None:
    """User-Agent, address and body arrive byte for byte."""
    body = orjson.dumps({"n": "pageview", "u": "https://example.com/ä", "d": SITE}) + b"  \n"
    async with open_rig(redis_url) as rig, rig.worker():
        await rig.accept(event_of(user_agent=b"M\xfcller/1", ip="2620:fe::fe", body=body))
        await rig.settled()
        [entry] = rig.seen()
    assert (entry.arrival.user_agent, entry.arrival.ip, entry.body) == (b"M\xfcller/1", "2620:fe::fe", body)
    names = [name.lower() for name, _ in entry.arrival.headers]
    assert names == [b"host", b"user-agent", b"x-forwarded-for", b"content-type", b"accept", b"content-length"]


async def test_a_drop_is_counted_with_its_probable_cause(redis_url: str) -> None:
    """What Plausible drops is `dropped`: a bot at once, an engagement without a session after its few tries."""
    lonely = orjson.dumps({"n": "engagement", "u": "https://example.com/", "d": SITE, "sd": 50, "e": 1_000})
    async with open_rig(redis_url) as rig, rig.worker():
        await rig.accept(event_of("bot", 1, user_agent=b"Googlebot/2.1"))
        await rig.accept(event_of("engagement", 2, body=lonely, engagement=True))
        account = await rig.settled()
        assert account["dropped"] == 2
        assert await rig.counter("dropped:bot") == 1
        assert await rig.counter("dropped:no_session") == 1
        assert len(rig.seen(Outcome.DROPPED)) == 4


async def test_an_engagement_may_find_its_session_late(redis_url: str) -> None:
    """A drop that may pass is tried again, and delivered when it has passed."""
    lonely = orjson.dumps({"n": "engagement", "u": "https://example.com/", "d": SITE, "sd": 50, "e": 1_000})
    async with open_rig(redis_url, retry_base_s=0.1) as rig, rig.worker():
        await rig.accept(event_of("engagement", 2, body=lonely, engagement=True), event_of("pageview", 2))
        assert (await rig.settled())["delivered"] == 2
        assert rig.recorded() == {"9.9.0.3": ["pageview", "engagement"]}


async def test_400_is_dead_with_plausibles_words(redis_url: str) -> None:
    """What Plausible refuses dies at once with its words, and holds up nobody."""
    async with open_rig(redis_url) as rig, rig.worker():
        nameless = event_of(visitor=1, body=b'{"u":"https://example.com/","d":"example.com"}')
        await rig.accept(nameless, event_of("next", 1))
        assert await rig.settled() == {"accepted": 2, "delivered": 1, "dropped": 0, "dead": 1, "pending": 0}
        [letter] = await rig.letters()
    assert (letter.reason, letter.attempts, letter.event) == (DeadReason.REFUSED_UPSTREAM, 1, nameless)
    assert orjson.loads(letter.detail) == {"errors": {"event_name": ["can't be blank"]}}


async def test_413_is_dead(redis_url: str) -> None:
    """What is too large for what stands before Plausible dies at once."""
    async with open_rig(redis_url) as rig, rig.worker():
        rig.fail({"status": 413, "match": {"name": "large"}})
        await rig.accept(event_of("large", 1), event_of("next", 1))
        assert (await rig.settled())["delivered"] == 1
        assert [letter.reason for letter in await rig.letters()] == [DeadReason.TOO_LARGE]


async def test_what_is_too_old_is_not_sent(redis_url: str) -> None:
    """An event older than the limit at its turn is dead `too_late`: Plausible never sees it."""
    async with open_rig(redis_url, max_age_s=60.0) as rig, rig.worker():
        old_ms = time.time_ns() // 1_000_000 - 61_000
        await rig.accept(event_of("old", 1, accepted_ms=old_ms), event_of("young", 1))
        assert (await rig.settled())["delivered"] == 1
        [letter] = await rig.letters()
        assert (letter.reason, letter.attempts) == (DeadReason.TOO_LATE, 0)
        assert rig.recorded() == {"9.9.0.2": ["young"]}


async def test_an_unreadable_entry_is_dead_and_holds_nobody(redis_url: str) -> None:
    """What a newer relay or a bit flip left in the stream becomes a dead letter with its bytes."""
    async with open_rig(redis_url) as rig:
        event = event_of("next", 1)
        partition = partition_of(event, 4)
        for form in (b"9new", b"1null\nx", pack(event)[1:]):
            await rig.redis.xadd(keys.events(partition), {"e": form})
            await rig.redis.hincrby(keys.ledger(partition), "accepted", 1)  # type: ignore[misc]
        await rig.accept(event)
        async with rig.worker():
            assert await rig.settled() == {"accepted": 4, "delivered": 1, "dropped": 0, "dead": 3, "pending": 0}
        assert {letter.reason for letter in await rig.letters()} == {DeadReason.UNREADABLE}
        kept = await rig.redis.xrange(keys.dead(partition), count=1)
        assert kept[0][1][b"e"] == b"9new"


async def test_revenue_that_may_have_been_counted_is_parked(redis_url: str) -> None:
    """When no answer comes an event with revenue is parked as `ambiguous`, any other is sent again."""
    async with open_rig(redis_url) as rig, rig.worker():
        rig.fail({"reset": "after", "count": 1})
        await rig.accept(event_of("order", 1, revenue=True))
        await rig.settled()
        rig.fail({"reset": "after", "count": 1})
        await rig.accept(event_of("pageview", 2))
        assert await rig.settled() == {"accepted": 2, "delivered": 1, "dropped": 0, "dead": 1, "pending": 0}
        [letter] = await rig.letters()
        assert letter.reason == DeadReason.AMBIGUOUS
        assert rig.recorded() == {"9.9.0.2": ["order"], "9.9.0.3": ["pageview", "pageview"]}


@pytest.mark.parametrize("decided", ["ambiguous", "ambiguous_revenue"])
async def test_the_operator_decides_about_ambiguous_ones(redis_url: str, decided: str) -> None:
    """Each kind can be parked or sent again."""
    async with open_rig(redis_url, **{"ambiguous": "retry", "ambiguous_revenue": "retry"} | {decided: "park"}) as rig:
        rig.fail({"hang": True, "match": {"name": "hangs"}, "count": 1})
        async with rig.worker(answer_timeout_s=0.1):
            await rig.accept(event_of("hangs", 1, revenue=decided == "ambiguous_revenue"))
            assert (await rig.settled())["dead"] == 1
            rig.fail({"hang": True, "match": {"name": "hangs"}, "count": 1})
            await rig.accept(event_of("hangs", 2, revenue=decided != "ambiguous_revenue"))
            assert (await rig.settled())["delivered"] == 1


async def test_a_slow_answer_holds_up_its_visitor_only(redis_url: str) -> None:
    """While one visitor's event hangs all others pass."""
    async with open_rig(redis_url) as rig, rig.worker(answer_timeout_s=30.0):
        rig.fail({"hang": True, "match": {"name": "hangs"}})
        await rig.accept(event_of("hangs", 0), event_of("behind", 0), *(event_of("free", n) for n in range(1, 50)))
        await rig.settled(2)
        assert "9.9.0.1" not in rig.recorded()
        rig.sandbox.closing.set()  # lets go of what hangs, without an answer
        rig.fail()
        await until("the rest passes", lambda: rig.recorded().get("9.9.0.1") == ["hangs", "behind"])
        assert rig.seen()[0].arrival.user_agent == AGENT


@pytest.mark.parametrize("as_probe", [False, True], ids=["in good times", "as the probe of an outage"])
async def test_a_fault_of_ours_with_one_event_holds_up_no_other(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, *, as_probe: bool
) -> None:
    """An event on which the relay itself fails is dead `internal_error`; the others pass."""

    def failing(answer: Reply | NoAnswer, attempt: Attempt, policy: RetryPolicy) -> Verdict:
        if isinstance(answer, Reply) and answer.dropped:
            raise RuntimeError("a bug")
        return judge(answer, attempt, policy)

    monkeypatch.setattr("workers.dispatch.judge", failing)
    async with open_rig(redis_url) as rig:
        rig.fail(*([{"status": 503, "count": 5}] if as_probe else []), {"drop": True, "count": 1})
        await rig.accept(*(event_of("e0", visitor) for visitor in range(6)))
        async with rig.worker():
            account = await rig.settled()
        assert (account["delivered"], account["dead"]) == (5, 1)
        [letter] = await rig.letters()
        assert (letter.reason, letter.detail) == (DeadReason.INTERNAL_ERROR, "RuntimeError")
