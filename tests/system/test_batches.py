"""An app's batch, from outside: through a killed door and a repeat each event arrives once, in order, as its device."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from tests.http.batches import IPHONE, item
from tests.system.rig import Relay, until

EVENTS = 60
AGENT = "AppVersion/3.2 (iPhone; CPU iPhone OS 18_1 like Mac OS X) appname/app-0c58e39c"


async def post(relay: Relay, items: list[dict[str, Any]]) -> list[str] | None:
    """Post a batch as lines in gzip; what became of each, or None if the door is not there to say so."""
    body = gzip.compress(b"\n".join(json.dumps(each).encode() for each in items))
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "User-Agent": "CFNetwork/1"}
    try:
        async with relay.http.post(f"{relay.door}/api/events", data=body, headers=headers) as answer:
            told = await answer.json()
            return [each["status"] for each in told["events"]] if answer.status == 202 else None
    except aiohttp.ClientError:
        return None


async def test_a_batch_arrives_once_and_in_order(tmp_path: Path) -> None:
    """The door is killed, the batch is sent again, and all of it is a repeat; one event was too old."""
    settings = {"RELAY_OCCURRED_AT_PROP": "occurred at", "RELAY_MAX_AGE_S": "86400"}
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    items = [item(n, id=f"id {n}", ip="203.0.113.9", device=IPHONE) for n in range(EVENTS)]
    items[7] |= {"occurred_at": an_hour_ago}
    items[9] |= {"occurred_at": "2024-02-29T08:00:00Z"}
    async with Relay(tmp_path, settings) as relay:
        assert await post(relay, items) == ["accepted"] * EVENTS
        await relay.killed("serve")
        again = await until("the door again", lambda: post(relay, items))
        assert again == ["duplicate"] * EVENTS
        arrived = await relay.recorded(EVENTS - 1)
        await relay.settled(accepted=EVENTS, delivered=EVENTS - 1, dead=1)
        bodies = [json.loads(each["body"]) for each in arrived]
        assert [body["name"] for body in bodies] == [f"e{n}" for n in range(EVENTS) if n != 9]
        assert bodies[7].pop("props") == {"occurred at": an_hour_ago}
        assert all(body.keys() == {"name", "url", "domain"} for body in bodies)
        sent = [dict(each["headers"]) for each in arrived]
        assert {each["User-Agent"] for each in sent} == {AGENT}
        assert {each["X-Forwarded-For"] for each in sent} == {"203.0.113.9"}
        (letter,) = json.loads(relay.command("dead", "list", "--json").stdout)
        assert (letter["event"], letter["reason"]) == ("e9", "too_late")
