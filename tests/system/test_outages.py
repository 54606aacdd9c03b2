"""What waits is delivered later: once, in each visitor's order, whoever was away or restarted meanwhile."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from tests.system.rig import Relay, event, until

VISITORS, EACH = 40, 25
IN_FLIGHT_MOST = 128  # the default of RELAY_CONCURRENCY: deliveries under way or not yet written down


async def post_all(relay: Relay, visitors: int = VISITORS, each: int = EACH) -> None:
    """Post each visitor's events one after the other, the visitors side by side; all must be accepted."""

    async def one(visitor: int) -> None:
        for n in range(each):
            status = await relay.post(
                event(f"e{n}"), X_Forwarded_For=f"203.0.113.{visitor}", User_Agent=f"Mozilla/5.0 (v{visitor})"
            )
            assert status == 202

    await asyncio.gather(*(one(visitor) for visitor in range(visitors)))


def names_by_visitor(recorded: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The events' names by visitor, as they arrived."""
    found: dict[str, list[str]] = {}
    for entry in recorded:
        found.setdefault(entry["ip"], []).append(entry["name"])
    return found


def not_once_in_order(
    recorded: list[dict[str, Any]], visitors: int = VISITORS, each: int = EACH
) -> dict[str, list[str]]:
    """The visitors whose events did not arrive exactly once and in their order, and what arrived of them."""
    came = names_by_visitor(recorded)
    right = [f"e{n}" for n in range(each)]
    everybody = {f"203.0.113.{visitor}" for visitor in range(visitors)} | came.keys()
    return {visitor: came.get(visitor, []) for visitor in everybody if came.get(visitor) != right}


async def test_an_outage_loses_repeats_and_swaps_nothing(tmp_path: Path) -> None:
    """1,000 events of 40 visitors posted while Plausible fails arrive afterwards, each once and in order.

    One outage after the other, of every kind, on the same relay.
    """
    faults: tuple[dict[str, Any], ...] = ({"status": 503}, {"reset": "before"}, {"status": 500}, {"status": 404})
    async with Relay(tmp_path) as relay:
        for number, fault in enumerate(faults):
            await an_outage(relay, fault, delivered=number * VISITORS * EACH)


async def an_outage(relay: Relay, fault: dict[str, Any], *, delivered: int) -> None:
    """An outage of one kind, after which everything arrives; so many events were delivered before.

    With 500 from the first event on, a lone visitor's second one would be tried, too, to tell an outage from poison.
    """
    await relay.forget()
    await relay.faults({"status": 503} if fault == {"status": 500} else fault)
    await post_all(relay)
    await relay.faults(fault)

    async def failed_for_a_while() -> bool:
        return bool((await relay.arrived())["failed"] >= 6)

    await until(f"several attempts failed, {fault}", failed_for_a_while)
    accepted = delivered + VISITORS * EACH
    nothing = {"accepted": accepted, "delivered": delivered, "dropped": 0, "dead": 0, "pending": VISITORS * EACH}
    assert relay.ledger() == nothing, fault
    await relay.faults()
    recorded = await relay.recorded(VISITORS * EACH)
    await relay.settled(accepted=accepted, delivered=accepted)
    assert not_once_in_order(recorded) == {}, fault
    assert (await relay.arrived())["failed"] < 100, fault


async def test_a_stop_and_a_start_find_what_waits(tmp_path: Path) -> None:
    """Ctrl-C ends everything cleanly, also with events pending, and the next start delivers them."""
    async with Relay(tmp_path, {"RELAY_UPSTREAM": "http://127.0.0.1:9", "RELAY_SITES": "*"}) as relay:
        await post_all(relay, visitors=4, each=5)
        assert relay.stop(signal.SIGINT) == 0
        relay.environ.clear()
        await relay.start()
        recorded = await relay.recorded(20)
        await relay.settled(accepted=20, delivered=20)
        assert not_once_in_order(recorded, visitors=4, each=5) == {}


async def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL for the worker with deliveries in flight: all arrive, in order but for repeats of what was in flight."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"delay_s": 0.05})
        await post_all(relay, visitors=20, each=10)
        await relay.recorded(30)
        await relay.restarted("work", signal.SIGKILL)
        await relay.faults()
        await relay.settled(accepted=200, delivered=200)
        recorded = await relay.recorded(200)
        for names in names_by_visitor(recorded).values():
            assert list(dict.fromkeys(names)) == [f"e{n}" for n in range(10)]
        assert len(recorded) - 200 <= IN_FLIGHT_MOST


async def test_revenue_that_may_have_been_counted_is_parked(tmp_path: Path) -> None:
    """When no answer comes to a written request, a sale is never sent twice by itself; other events are."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"reset": "after", "count": 1, "match": {"name": "sale"}}, {"reset": "after", "count": 1})
        assert await relay.post(event("sale", revenue={"amount": "9.90", "currency": "EUR"})) == 202
        await relay.settled(accepted=1, dead=1)
        assert await relay.post(event("visit")) == 202
        await relay.settled(accepted=2, dead=1, delivered=1)
        assert [e["name"] for e in await relay.recorded(3)] == ["sale", "visit", "visit"]


async def test_a_killed_supervisor_leaves_nobody_behind(tmp_path: Path) -> None:
    """After SIGKILL for `relay up` its children end, and a new start on the same folder delivers what waited."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"status": 503})
        await post_all(relay, visitors=2, each=3)
        children = [relay.child(role) for role in ("serve", "work", "sandbox", "valkey")]
        relay.process.kill()
        relay.process.wait()

        async def gone() -> bool:
            return not any(_lives(pid) for pid in children)

        await until("all children gone", gone)
        await relay.start()
        assert not_once_in_order(await relay.recorded(6), visitors=2, each=3) == {}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
