"""Half a minute of `load/chaos`: every kind of kill and of clean stop under load, and an account of every event."""

from pathlib import Path
from typing import Final

import pytest

from load.chaos.campaign import Plan, run
from load.chaos.troubles import TROUBLES

KILLS: Final = {trouble.name for trouble in TROUBLES if trouble.kills}
QUICK: Final = [
    trouble
    for trouble in TROUBLES
    if trouble.kills or trouble.name.startswith("SIGTERM") or trouble.name == "connections to the queue cut"
]
PLAN: Final = Plan(seconds=15, kills=1_000, events=1_000_000, visitors=100, rate=300, seed=11, waits=0.25)


@pytest.mark.timeout(240)
async def test_kills_lose_nothing_and_keep_the_order(tmp_path: Path) -> None:
    """SIGKILL of doors, workers, server and supervisor: no acknowledged event is lost, repeated beyond what a killed
    worker had under way, or out of its visitor's order; after SIGTERM nothing is repeated; the ledger balances.
    """  # noqa: D205 - one sentence
    result = await run(PLAN, QUICK, tmp_path)
    assert result.findings.faults == []
    assert {blow.name for blow in result.facts.blows} >= KILLS
    assert result.kills >= len(KILLS)
    assert result.findings.acknowledged > 1_000
