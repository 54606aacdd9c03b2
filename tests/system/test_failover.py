"""The queue's server dies, and Sentinel makes its replica the new one: the relay finds it by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from load.chaos.pair import Pair
from tests.system.rig import Relay, event, until

HEALED_WITHIN_S: Final = 10.0  # of the new master's election, as is promised of every return


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A running pair."""
    folder = tmp_path / "pair"
    folder.mkdir()
    made = Pair(folder)
    try:
        made.start()
        yield made
    finally:
        made.close()


async def test_a_failover_by_sentinel(tmp_path: Path, pair: Pair) -> None:
    """Doors and workers follow to the new master within seconds; what the replica had is delivered, in order."""
    async with Relay(tmp_path, {"RELAY_REDIS_URL": pair.url}) as relay:
        await relay.faults({"status": 503})
        for n in range(50):
            assert await relay.post(event(f"before{n}")) == 202
        assert pair.replicated()
        pair.kill_master()
        assert await relay.post(event("while there is none")) == 503
        refused = set()

        async def taken() -> bool:
            refused.add(status := await relay.post(event("during")))
            return status == 202

        async def elected() -> bool:
            return pair.has_elected()

        await until("Sentinel elects the replica", elected)
        await until("events are taken by the new master", taken, within_s=HEALED_WITHIN_S)
        assert refused <= {202, 503}
        for n in range(20):
            assert await relay.post(event(f"after{n}")) == 202
        await relay.faults()
        names = [entry["name"] for entry in await relay.recorded(71)]
        assert names == [f"before{n}" for n in range(50)] + ["during"] + [f"after{n}" for n in range(20)]
        await relay.settled(accepted=71, delivered=71)
