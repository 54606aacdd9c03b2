"""The main job, seen from outside: an app's POST becomes a delivered event, or is accounted for."""

import json
from pathlib import Path

import aiohttp

from tests.system.rig import BROWSER, Relay, event, until

PASSED_ON = {"Host", "User-Agent", "X-Forwarded-For", "Content-Type", "Accept", "Content-Length"}


async def test_an_event_arrives_byte_for_byte_with_its_visitor_and_nothing_else(tmp_path: Path) -> None:
    """The body, one User-Agent and one X-Forwarded-For arrive; no cookie, key or other address does."""
    body = b'{ "n":"pageview",\t"u":"https://example.com/\xc3\xa4?q=1.0", "d":"www.example.com", "p":"{\\"a\\":1}" }'
    async with Relay(tmp_path) as relay:
        status = await relay.post(
            body,
            User_Agent="Mozilla/5.0 (Käfer)",
            X_Forwarded_For="198.51.100.1, 203.0.113.7:4711",
            Cookie="session=1",
            Authorization="Bearer key",
            Forwarded="for=192.0.2.1",
            X_Plausible_IP_Type="dc_ip",
            X_Real_IP="192.0.2.2",
            Content_Type="text/plain",
        )
        assert status == 202
        (arrived,) = await relay.recorded(1)
        assert arrived["body"].encode() == body
        names = [name for name, _ in arrived["headers"]]
        assert sorted(names) == sorted(PASSED_ON)
        sent = dict(arrived["headers"])
        assert sent["User-Agent"].encode("latin-1").decode() == "Mozilla/5.0 (Käfer)"
        assert sent["X-Forwarded-For"] == "203.0.113.7"
        await relay.settled(accepted=1, delivered=1)


async def test_a_drop_and_a_refusal_are_told_with_their_reason(tmp_path: Path) -> None:
    """A bot's event ends `dropped: bot`, one that Plausible refuses ends dead; both can be looked at."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"status": 400, "match": {"name": "odd"}})
        assert await relay.post(event(), User_Agent="Googlebot/2.1", X_Forwarded_For="203.0.113.1") == 202
        assert await relay.post(event("odd")) == 202
        await relay.settled(accepted=2, dropped=1, dead=1)
        told = json.loads(relay.command("status", "--json").stdout)
        assert told["dropped"] == {"bot": 1}
        assert told["dead"] == {"refused_upstream": 1}
        listed = json.loads(relay.command("dead", "list", "--json").stdout)
        assert [(letter["event"], letter["reason"]) for letter in listed] == [("odd", "refused_upstream")]
        shown = json.loads(relay.command("dead", "show", listed[0]["name"]).stdout)
        assert json.loads(shown["body"])["name"] == "odd"
        assert shown["user_agent"] == BROWSER


async def test_a_dead_letter_can_be_sent_again_or_removed(tmp_path: Path) -> None:
    """`relay dead retry` brings an event back into the ledger as pending, `purge` leaves it counted as dead."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"status": 400})
        for name in ("first", "second"):
            assert await relay.post(event(name)) == 202
        await relay.settled(dead=2)
        await relay.faults()
        first = next(x for x in json.loads(relay.command("dead", "list", "--json").stdout) if x["event"] == "first")
        assert relay.command("dead", "retry", first["name"]).returncode == 0
        await relay.settled(accepted=2, delivered=1, dead=1)
        assert relay.command("dead", "purge").returncode == 2, "to mean all, one has to say so"
        assert relay.command("dead", "purge", "--all").returncode == 0
        assert json.loads(relay.command("dead", "list", "--json").stdout) == []
        await relay.settled(accepted=2, delivered=1, dead=1)


async def test_a_list_of_sites_becomes_one_event_each(tmp_path: Path) -> None:
    """Each site of a comma list has its own delivery and its own outcome."""
    async with Relay(tmp_path) as relay:
        await relay.faults({"drop": True, "match": {"site": "b.example"}})
        assert await relay.post(event(domain="a.example,b.example"), X_Forwarded_For="203.0.113.5") == 202
        await relay.settled(accepted=2, delivered=1, dropped=1)
        sites = {tuple(e["sites"]): e["outcome"] for e in (await relay.arrived())["events"]}
        assert sites == {("a.example",): "recorded", ("b.example",): "dropped"}


async def test_an_upstream_that_is_away_is_told_and_nothing_is_refused(tmp_path: Path) -> None:
    """With nobody at the upstream's address the door goes on accepting, and says everywhere what is wrong."""
    away = {"RELAY_UPSTREAM": "http://127.0.0.1:9", "RELAY_SITES": "*"}
    async with Relay(tmp_path, away) as relay:
        assert await relay.post(event()) == 202

        async def told() -> bool:
            async with relay.http.get(f"{relay.door}/health/ready") as answer:
                ready = await answer.json()
            return answer.status == 200 and any("127.0.0.1:9 is down" in text for text in ready["warnings"])

        await until("/health/ready names the upstream", told)
        status = json.loads(relay.command("status", "--json").stdout)
        assert status["upstream"]["state"] == "down"
        assert "refused" in status["upstream"]["reason"].lower()
        assert "127.0.0.1:9 down" in relay.command("status").stdout
        assert relay.ledger()["pending"] == 1
        assert relay.command("check").returncode == 1


async def test_every_endpoint_answers(tmp_path: Path) -> None:
    """The four endpoints answer, each with CORS headers, and the sandbox shows its page."""
    async with Relay(tmp_path) as relay:
        for path in ("/api/event", "/health/live", "/health/ready", "/metrics"):
            async with relay.http.request("OPTIONS" if path == "/api/event" else "GET", relay.door + path) as answer:
                assert answer.status == (204 if path == "/api/event" else 200), path
                assert answer.headers["Access-Control-Allow-Origin"] == "*", path
        async with aiohttp.request("GET", f"{relay.sandbox}/") as page:
            assert "text/html" in page.headers["Content-Type"]
