"""Outages of days, on a clock that the test moves: the time that an outage lasts is nobody's fault and kills nobody."""

import time
from collections.abc import Callable, Iterator

import pytest

from relay.rules.judge import DeadReason
from tests.queue.samples import event_of, until
from tests.workers.rig import Rig, open_rig

POISON = {"status": 500, "match": {"name": "poison"}}
OUTAGE = {"status": 500}
WEEK_S = 7 * 86_400.0
EACH = 5


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Give a function that moves the clock of the workers, not that of the queue, by so many seconds."""
    real, ahead_s = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead_s[0])

    def move(by_s: float) -> None:
        ahead_s[0] += by_s

    yield move
    monkeypatch.undo()


async def fails_for_a_week(rig: Rig, move: Callable[[float], None], *, days: int = 7) -> None:
    """Let all fail for so many days; each day another worker has begun and seen it fail, some events several times."""
    for day in range(days):
        rig.sandbox.book.clear()
        async with rig.worker(f"day{day}"):
            await until("it was tried", lambda: rig.failures() >= 8)
            move(WEEK_S / days / 2)
            rig.sandbox.book.clear()
            await until("it was tried again", lambda: rig.failures() >= 3)
        move(WEEK_S / days / 2)


async def test_a_week_long_outage_exhausts_nothing(redis_url: str, later: Callable[[float], None]) -> None:
    """After a week of nothing but 500, and a stumble behind it, all is delivered in order, whoever failed first."""
    async with open_rig(redis_url, retry_for_s=3 * 86_400.0) as rig:
        rig.fail(OUTAGE)
        await rig.accept(*(event_of(f"e{n}", visitor) for n in range(EACH) for visitor in range(12)))
        await fails_for_a_week(rig, later)
        assert (await rig.account())["dead"] == 0
        assert min(note.first_failed_ms for note in await rig.notes()) < (time.time() - 6 * 86_400) * 1_000
        rig.fail({"status": 500, "share": 0.1, "seed": 3})  # an upstream that has just come back still stumbles
        async with rig.worker():
            assert (await rig.settled())["delivered"] == 12 * EACH
        assert await rig.letters() == []


async def test_what_was_aside_when_the_outage_began_outlives_it(redis_url: str, later: Callable[[float], None]) -> None:
    """Events set aside have their days left when the outage ends: it used up none of them, through restarts too."""
    async with open_rig(redis_url, retry_for_s=3 * 86_400.0, retry_cap_s=0.3) as rig:
        rig.fail(POISON)
        async with rig.worker():
            await rig.accept(*(event_of("poison", n) for n in range(3)))
            for n in range(3, 10_000, 20):
                await rig.accept(*(event_of("free", free) for free in range(n, n + 20)))
                if sum(note.aside for note in await rig.notes()) == 3:
                    break
            await rig.settled(3)
        rig.fail(OUTAGE)
        await fails_for_a_week(rig, later)
        rig.fail({"status": 500, "share": 0.1, "seed": 3})
        async with rig.worker():
            await rig.accept(*(event_of("free", n) for n in range(100, 140)))
            await rig.settled()
        assert await rig.letters() == []


async def test_what_fails_alone_is_exhausted_though_an_outage_came_between(redis_url: str) -> None:
    """The time before an outage and the time after it add up: poison ends dead."""
    async with open_rig(redis_url, retry_for_s=0.3) as rig, rig.worker() as runtime:
        rig.fail(POISON)
        await rig.accept(event_of("poison", 0), *(event_of("free", n) for n in range(1, 60)))
        await until("it waits aside", lambda: rig.failures("poison") >= 3)
        rig.fail(OUTAGE)
        await rig.accept(*(event_of("waits", n) for n in range(1, 9)))
        await until("it is down", lambda: runtime.upstream.down)
        rig.fail(POISON)
        account = await rig.settled()
        assert account["dead"] == 1
        [letter] = await rig.letters()
        assert letter.reason == DeadReason.EXHAUSTED
