"""When Plausible is away nothing dies, nothing is used up and each visitor's order holds."""

import time
from email.utils import formatdate
from typing import Any

import pytest

from tests.queue.samples import event_of, until
from tests.workers.rig import Rig, open_rig
from workers.upstream import DOWN_AFTER

VISITORS, EACH = 12, 5


async def in_order(rig: Rig) -> bool:
    """Whether every visitor's events were counted once and in their order."""
    recorded = rig.recorded()
    return len(recorded) == VISITORS and all(names == [f"e{n}" for n in range(EACH)] for names in recorded.values())


OUTAGES: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "408": {"status": 408},
    "404": {"status": 404},
    "a redirect": {"status": 302, "headers": {"Location": "https://example.com/"}},
    "closed": {"status": 401},
    "reset": {"reset": "before"},
    "hangs": {"hang": True},
}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
async def test_an_outage_kills_nothing_and_keeps_the_order(redis_url: str, fault: dict[str, Any]) -> None:
    """However Plausible fails for everybody and however small the limits are: all is delivered once, in order."""
    patience_s = 0.3 if "hang" in fault else 5.0  # two busy cores: an answer that comes shall not come too late
    async with open_rig(redis_url, retry_for_s=0.05, answer_timeout_s=patience_s) as rig:
        rig.fail(fault)
        await rig.accept(*(event_of(f"e{n}", visitor) for n in range(EACH) for visitor in range(VISITORS)))
        async with rig.worker() as runtime:
            await until("it is seen to be down", lambda: runtime.upstream.down)
            await until("it was probed", lambda: rig.failures() >= 8 + DOWN_AFTER)
            account = await rig.account()
            assert account["pending"] == account["accepted"] == VISITORS * EACH
            assert all(note.attempts <= 8 and not note.aside for note in await rig.notes())
            assert runtime.describe()["upstream"]["state"] == "down"
            rig.fail()
            account = await rig.settled()
            assert runtime.describe()["upstream"]["state"] == "up"
        assert account["delivered"] == VISITORS * EACH
        assert await in_order(rig)
        assert await rig.notes() == []


async def test_an_upstream_that_is_not_there_is_waited_for(redis_url: str) -> None:
    """A worker that cannot connect says so before there is an event, keeps all, and delivers when it can."""
    async with open_rig(redis_url) as rig:
        port = rig.upstream.addresses[0][1]
        await rig.close_upstream()
        async with rig.worker() as runtime:
            await until("it is seen to be down", lambda: runtime.upstream.down)
            assert runtime.upstream.circuit.reason.startswith("unreachable")
            await rig.accept(*(event_of(f"e{n}", visitor) for n in range(EACH) for visitor in range(VISITORS)))
            failed = runtime.upstream.failed
            await until("it was probed", lambda: runtime.upstream.failed > failed + 2)
            assert await rig.notes() == []
            await rig.open_upstream(port)
            assert (await rig.settled())["delivered"] == VISITORS * EACH
        assert await in_order(rig)


async def test_while_it_is_down_one_probe_goes_out_at_a_time(redis_url: str) -> None:
    """During an outage no more than one request is under way."""
    async with open_rig(redis_url) as rig:
        rig.fail({"status": 503, "delay_s": 0.02})
        await rig.accept(*(event_of("e0", visitor) for visitor in range(VISITORS)))
        async with rig.worker() as runtime:
            await until("it is down", lambda: runtime.upstream.down and not runtime.dispatcher.in_flight)
            before = rig.failures()

            def probed() -> bool:
                assert runtime.dispatcher.in_flight <= 1
                return rig.failures() >= before + 4

            await until("it was probed", probed)
            rig.fail()
            await rig.settled()


@pytest.mark.parametrize("when", ["60", formatdate(time.time() + 3_600, usegmt=True)], ids=["seconds", "a date"])
async def test_retry_after_is_obeyed_by_all(redis_url: str, when: str) -> None:
    """When Plausible asks one sender to wait, in either form, no event of anybody goes out before that, or the cap."""
    async with open_rig(redis_url, retry_cap_s=1.0) as rig:
        rig.fail({"status": 429, "retry_after": when, "count": 1})
        async with rig.worker():
            await rig.accept(event_of("e0", 0))
            await until("it was told to wait", lambda: rig.failures() == 1)
            await rig.accept(*(event_of("free", visitor) for visitor in range(1, 9)))
            await rig.settled()
        first, *rest = rig.seen()
        assert min(entry.arrival.at_s for entry in rest) >= first.arrival.at_s + 0.99


async def test_a_flaky_upstream_delivers_everything_once(redis_url: str) -> None:
    """With every third answer a 503 all is delivered once, in order, and nothing dies or goes aside for good."""
    async with open_rig(redis_url) as rig:
        rig.fail({"status": 503, "share": 0.34, "seed": 7})
        await rig.accept(*(event_of(f"e{n}", visitor) for n in range(EACH) for visitor in range(VISITORS)))
        async with rig.worker():
            assert (await rig.settled())["delivered"] == VISITORS * EACH
        assert {ip: sorted(names) for ip, names in rig.recorded().items()} == {
            f"9.9.0.{visitor + 1}": [f"e{n}" for n in range(EACH)] for visitor in range(VISITORS)
        }


async def test_an_upstream_that_flaps_delivers_everything_once(redis_url: str) -> None:
    """Ten times up and down, by refusal and by 503, while events come: each arrives once, in order, and none dies."""
    async with open_rig(redis_url, retry_for_s=0.05) as rig, rig.worker() as runtime:
        port = rig.upstream.addresses[0][1]
        for n in range(EACH):
            rig.fail({"status": 503})
            await rig.accept(*(event_of(f"e{n}", visitor) for visitor in range(VISITORS // 2)))
            await until("it is down", lambda: runtime.upstream.down)
            rig.fail()
            await rig.settled()
            await rig.close_upstream()
            runtime.client.close()  # kept connections outlive the listener
            await rig.accept(*(event_of(f"e{n}", visitor) for visitor in range(VISITORS // 2, VISITORS)))
            await until("it is away", lambda: runtime.upstream.down)
            await rig.open_upstream(port)
            await rig.settled()
        assert (await rig.account())["delivered"] == VISITORS * EACH
        assert await in_order(rig)
