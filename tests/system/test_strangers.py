"""What a stranger makes up never reaches Plausible: seen on the wire behind the relay, not in its own words."""

import json
from pathlib import Path

from tests.system.rig import BROWSER, Relay, event, until

FORGED = "6.6.6.6"
HEADERS = ("X_Forwarded_For", "X_Plausible_IP", "CF_Connecting_IP", "B_Forwarded_For", "X_Real_IP")


async def test_a_strangers_address_key_and_site_never_reach_plausible(tmp_path: Path) -> None:
    """Only the backend that may speaks for a visitor; all others arrive with their own address, or not at all."""
    async with Relay(tmp_path, {"RELAY_TRUSTED_PROXIES": "192.0.2.1"}) as relay:
        keys = {}
        for name, kind in ("shop", "backend"), ("ios", "app"), ("pages", "web"):
            added = relay.command("source", "add", name, "--kind", kind, "--site", f"{name}.example", "--json")
            keys[name] = json.loads(added.stdout)["key"]

        async def known() -> bool:
            """Ask without leaving an event: strangers are out, and browsers, whose source came last, are in."""
            asked = [{"Authorization": "Bearer x"}, {}]
            statuses = [await relay.post(event(), X_Debug_Request="true", **headers) for headers in asked]
            return statuses == [401, 200]

        await until("a door that knows its sources", known, within_s=2.0)
        forged = dict.fromkeys(HEADERS, FORGED) | {"Forwarded": f"for={FORGED}"}
        shop, ios = ({"Authorization": f"Bearer {keys[name]}"} for name in ("shop", "ios"))
        assert await relay.post(event("forged", domain="shop.example"), **forged) == 401
        assert await relay.post(event("forged", domain="shop.example"), **forged, Authorization="Bearer prk_no") == 401
        assert await relay.post(event("forged", domain="shop.example"), **forged, **ios) == 403
        assert await relay.post(event("forged", domain="shop.example"), User_Agent="backend/1", **shop) == 400
        assert await relay.post(event("browser", domain="pages.example"), **forged) == 202
        assert await relay.post(event("app", domain="ios.example"), **forged, **ios) == 202
        visitor = {"X_Forwarded_For": "81.2.69.142", "User_Agent": "Visitor/7"}
        assert await relay.post(event("backend", domain="shop.example"), **visitor, **shop) == 202
        arrived = await relay.recorded(3)
        wire = {json.loads(each["body"])["name"]: dict(each["headers"]) for each in arrived}
        assert {name: (sent["X-Forwarded-For"], sent["User-Agent"]) for name, sent in wire.items()} == {
            "browser": ("127.0.0.1", BROWSER),
            "app": ("127.0.0.1", BROWSER),
            "backend": ("81.2.69.142", "Visitor/7"),
        }
        told = json.dumps(await relay.arrived())
        assert [text for text in (FORGED, "prk_", "Bearer", *keys.values()) if text in told] == []
        assert [key for key in keys.values() if key in relay.said()] == []
        await relay.settled(accepted=3, delivered=3)
