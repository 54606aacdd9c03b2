"""The account, wherever it is told, is the same account: status, the tables by site and hour, metrics, the audit."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.system.rig import Relay, event

SITES = ("a.example", "b.example", "silent.example")
OUTCOMES = ("delivered", "dropped", "dead", "pending")
BOT = "Googlebot/2.1"


async def a_mixture(relay: Relay) -> None:
    """Events of two sites in every state; some letters were sent again, one is gone for good."""
    await relay.faults({"status": 400, "match": {"name": "refused"}})
    for number, site in enumerate(("a.example", "a.example", "b.example", "a.example,b.example")):
        for name in ("fine", "refused", "dropped"):
            agent = {"User_Agent": BOT} if name == "dropped" else {}
            address = f"203.0.113.{10 * number + len(name)}"
            assert await relay.post(event(name, domain=site), X_Forwarded_For=address, **agent) == 202
    assert await relay.post(event(domain="unknown.example")) == 400
    await relay.settled(accepted=15, delivered=5, dead=5, dropped=5)
    assert relay.command("dead", "purge", "--site", "b.example").stdout == "2 dead letters removed\n"
    await relay.faults({"status": 503, "match": {"name": "waiting"}})
    assert relay.command("dead", "retry", "--all").stdout == "3 dead letters sent back to the queue\n"
    await relay.settled(accepted=15, delivered=8, dead=2, dropped=5)
    for domain in ("a.example", "a.example,b.example"):
        assert await relay.post(event("waiting", domain=domain)) == 202
    await relay.settled(accepted=18, delivered=8, dead=2, dropped=5, pending=3)


async def metrics(relay: Relay) -> dict[str, float]:
    """Every sample of the door, by its name and labels as Prometheus reads them."""
    async with relay.http.get(f"{relay.door}/metrics") as answer:
        lines = [line for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def of_metrics(found: dict[str, float]) -> dict[str, dict[str, int]]:
    """The metrics by site, in the form of `relay status --by site --json`."""
    sites: dict[str, dict[str, int]] = {}
    for name, value in found.items():
        if match := re.fullmatch(r'relay_site_events\{outcome="(\w+)",site="(.+)"\}', name):
            sites.setdefault(match[2], {})[match[1]] = int(value)
    return {site: {"accepted": sum(numbers.values())} | numbers for site, numbers in sites.items()}


async def test_every_account_is_the_same_account(tmp_path: Path) -> None:
    """After a mixture of outcomes the ledger, its rows by site and by hour, the metrics and the audit agree."""
    async with Relay(tmp_path, {"RELAY_SITES": ",".join(SITES)}) as relay:
        await a_mixture(relay)
        told: list[dict[str, Any]] = [
            json.loads(relay.command("status", "--by", by, "--json").stdout) for by in ("site", "hour")
        ]
        by_site, by_hour = told[0]["sites"], told[1]["hours"]
        for status, rows in zip(told, (by_site, by_hour), strict=True):
            together = Counter[str]()
            for row in rows.values():
                together.update(row)
                assert row["accepted"] == sum(row[outcome] for outcome in OUTCOMES)
            assert +together == +Counter(status["ledger"]), "the rows add up to the ledger, in one and the same answer"
        assert by_site["b.example"] == {"accepted": 7, "delivered": 2, "dropped": 2, "dead": 2, "pending": 1}
        found = await metrics(relay)
        silent = dict.fromkeys(("accepted", *OUTCOMES), 0)
        assert of_metrics(found) == by_site | {"silent.example": silent}, "a named site is there from 0 on"
        for outcome, name in {
            "accepted": "relay_accepted_total", "delivered": "relay_delivered_total", "pending": "relay_pending"
        }.items():  # fmt: skip
            assert found[name] == sum(row[outcome] for row in by_site.values())
        for outcome, name in {"dropped": "relay_dropped_total{", "dead": "relay_dead{"}.items():
            whole = sum(value for key, value in found.items() if key.startswith(name))
            assert whole == sum(row[outcome] for row in by_site.values())
        audit = relay.command("audit")
        assert (audit.returncode, audit.stdout.splitlines()[-1]) == (0, "all agrees"), audit.stdout
