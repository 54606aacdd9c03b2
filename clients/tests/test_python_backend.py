"""`plausible-events` 0.1.0, as docs/clients.md sets it up, in a Python process of its own."""

import json
import re
from pathlib import Path

import pytest

from clients.arrivals import arrivals
from clients.install import PYTHON
from clients.process import HERE, running
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOST_ALONE, WITH_KEY = snippets("plausible-events", "python")
BACKEND = HERE / "python_backend.py"
PUBLIC_ADDRESS = "203.0.113.50"
APP = "app://localhost/"
VISITORS = [("81.2.69.142", "Mozilla/5.0 (iPhone) Visitor/1"), ("81.2.69.143", "Mozilla/5.0 (X11) Visitor/2")]


async def test_with_its_host_changed(tmp_path: Path, relay: Relay) -> None:
    """The event arrives, as the server's own."""
    with running((PYTHON, BACKEND, pointed_at(relay.door, HOST_ALONE), PUBLIC_ADDRESS), tmp_path / "log"):
        (event,) = await arrivals(relay, APP, 1)
    assert (event.name, event.props, event.outcome) == ("Signup", {"plan": "trial"}, "recorded")
    assert event.ip == PUBLIC_ADDRESS
    assert event.user_agent.startswith("python-requests/")


async def test_a_refused_event_is_repeated_without_end(tmp_path: Path, relay: Relay) -> None:
    """What the page warns of: a 400 is sent again and again, and what comes after it waits."""
    hasty = pointed_at(relay.door, HOST_ALONE).replace('domain="example.com",', 'domain="example.com", timeout=0.05,')
    refused = hasty.replace('"Signup"', '""') + 'events.event("Late", path="late")\n'

    async def often() -> bool:
        async with relay.http.get(f"{relay.door}/metrics") as answer:
            found = re.search(r'^relay_refused_total{reason="event_name"} (\S+)$', await answer.text(), re.MULTILINE)
            return found is not None and float(found[1]) >= 3

    with running((PYTHON, BACKEND, refused, PUBLIC_ADDRESS), tmp_path / "log"):
        await until("three refusals of one event", often)
    assert "Late" not in {each["name"] for each in (await relay.arrived())["events"]}


async def test_with_a_key_it_speaks_for_its_visitors(tmp_path: Path) -> None:
    """A backend's key and two headers make each event its visitor's, whoever connects."""
    (tmp_path / "relay").mkdir()
    async with Relay(tmp_path / "relay", {"RELAY_TRUSTED_PROXIES": "192.0.2.1"}) as relay:
        added = relay.command("source", "add", "shop", "--kind", "backend", "--site", "example.com", "--json")
        key = json.loads(added.stdout)["key"]

        async def known() -> bool:
            async with relay.http.post(f"{relay.door}/api/event", data=b"") as answer:
                return answer.status == 401

        await until("the door asks for a key", known)
        code = pointed_at(relay.door, WITH_KEY).replace("prk_…", key)
        calls = "".join(f"signed_up({address!r}, {agent!r})\n" for address, agent in VISITORS)
        with running((PYTHON, BACKEND, code + calls, PUBLIC_ADDRESS), tmp_path / "log"):
            arrived = await arrivals(relay, APP, 2)
        assert [(each.ip, each.user_agent) for each in arrived] == VISITORS
        await relay.settled(accepted=2, delivered=2)
