"""One site that fails, hangs or does not exist keeps its trouble to itself."""

from typing import Any

import orjson
import pytest

from relay.queue.stored import StoredEvent
from tests.queue.samples import event_of, until
from tests.workers.rig import open_rig

SITES = 10
DEAD = "dead.example"
TROUBLES: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503},
    "429": {"status": 429, "retry_after": "30"},
    "hangs": {"hang": True},
    "resets": {"reset": "after"},
}


def at(site: str, name: str, visitor: int) -> StoredEvent:
    """An event of that site."""
    body = orjson.dumps({"name": name, "url": f"https://{site}/", "domain": site})
    return event_of(name, visitor, site=site, body=body)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_dead_site_holds_up_no_other(redis_url: str, trouble: dict[str, Any]) -> None:
    """While one site of ten fails the others' events pass, however many of the dead one's wait before them."""
    async with open_rig(redis_url, answer_timeout_s=3.0, retry_cap_s=300.0, retry_base_s=1.0) as rig:
        rig.fail(trouble | {"match": {"site": DEAD}})
        async with rig.worker() as runtime:
            await rig.accept(*(at(f"site{site}.example", "first", 100 + site) for site in range(1, SITES)))
            await rig.settled()
            await rig.accept(*(at(DEAD, "early", visitor) for visitor in range(60)))
            before = (await rig.account())["delivered"]
            for n in range(20):
                await rig.accept(*(at(f"site{site}.example", f"e{n}", 100 + site) for site in range(1, SITES)))

            async def passed() -> bool:
                return (await rig.account())["delivered"] >= before + 20 * (SITES - 1)

            await until("the others' events passed", passed)
            assert not runtime.upstream.down
            rig.fail()


async def test_a_dead_site_recovers_in_order(redis_url: str) -> None:
    """When it answers again all that waited arrives, once and each visitor's in order; nothing went dead."""
    async with open_rig(redis_url, retry_for_s=0.1) as rig:
        rig.fail({"status": 500, "match": {"site": DEAD}})
        async with rig.worker() as runtime:
            await rig.accept(*(at(f"site{site}.example", "first", 100 + site) for site in range(1, SITES)))
            await rig.accept(*(at(DEAD, f"e{n}", visitor) for n in range(5) for visitor in range(12)))
            await until("it is held", lambda: DEAD in runtime.upstream.describe(0.0).get("failing_sites", {}))
            wasted = rig.failures()
            await until("it is probed", lambda: rig.failures() >= wasted + 3)
            rig.fail()
            account = await rig.settled()
        assert account["delivered"] == 60 + SITES - 1
        assert all(names == [f"e{n}" for n in range(5)] for names in rig.recorded().values() if names != ["first"])


async def test_a_site_that_plausible_does_not_know_yet(redis_url: str) -> None:
    """The events of a new site are dropped at first; they are tried again until its cache has it."""
    async with open_rig(redis_url, retry_base_s=0.02, retry_cap_s=5.0) as rig, rig.worker():
        rig.fail({"drop": True, "match": {"site": "new.example"}, "count": 2})
        await rig.accept(at("new.example", "e0", 1))
        assert (await rig.settled())["delivered"] == 1
        assert len(rig.seen()) == 3
