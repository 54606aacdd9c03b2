"""The injected trouble: each kind as a sender meets it, which requests it hits, and what is said of bad rules."""

import asyncio
import json
import shlex
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relay.cli.sandbox import sandbox as command
from relay.sandbox import open_sandbox
from relay.settings import Settings
from tests.sandbox.sender import PAGEVIEW, Sender


async def _outcomes(sender: Sender) -> list[tuple[str, str | None, int | None]]:
    return [(entry["outcome"], entry["cause"], entry["status"]) for entry in await sender.events()]


async def test_status_with_headers(sender: Sender) -> None:
    """A status fault answers with its Retry-After and headers, for `count` requests, which are counted as failed."""
    rule = {"status": 503, "retry_after": "2", "headers": {"x-served-by": "lb-7"}, "count": 2}
    await sender.call("PUT", "/faults", rule)

    answers = [await sender.post() for _ in range(3)]

    assert [status for status, _, _ in answers] == [503, 503, 202]
    assert (answers[0][2]["retry-after"], answers[0][2]["x-served-by"]) == ("2", "lb-7")
    assert "access-control-allow-origin" not in answers[0][2]
    assert await _outcomes(sender) == [("failed", "status 503", 503)] * 2 + [("recorded", None, 202)]
    assert (await sender.call("GET", "/faults"))["rules"] == [rule | {"applied": 2, "remaining": 0}]
    counters = await sender.call("GET", "/events?limit=0")
    assert (counters["total"], counters["failed"], counters["recorded"], counters["requests"]) == (3, 2, 1, 3)


@pytest.mark.parametrize(("when", "outcome"), [("before", "failed"), ("after", "recorded")])
async def test_reset_is_a_real_one(sender: Sender, when: str, outcome: str) -> None:
    """A reset reaches the sender's socket as ECONNRESET without a byte of an answer; `after` has recorded the event."""
    await sender.call("PUT", "/faults", {"reset": when, "count": 1})
    reader, writer = await _raw_post(sender)

    with pytest.raises(ConnectionResetError):
        await reader.read()

    writer.close()
    assert await _outcomes(sender) == [(outcome, f"reset {when}", None)]
    assert (await sender.post())[0] == 202


async def test_reset_before_does_not_read(sender: Sender) -> None:
    """A reset `before` comes while the body is still to be sent, and what was not read is not listed."""
    await sender.call("PUT", "/faults", {"reset": "before"})
    reader, writer = await _raw_post(sender, b"", length=500)

    with pytest.raises(ConnectionResetError):
        await reader.read()

    writer.close()
    (entry,) = await sender.events()
    assert (entry["name"], entry["body"]) == (None, "")


async def test_slow_answer_is_recorded_at_once(sender: Sender) -> None:
    """A delayed event is recorded before its sender is answered, so a sender that gives up leaves it behind."""
    await sender.call("PUT", "/faults", {"delay_s": 0.2})
    started_s = time.monotonic()
    slow = asyncio.create_task(sender.post())
    while not (seen := await _outcomes(sender)):
        assert time.monotonic() - started_s < 5

    assert not slow.done()
    assert seen == [("recorded", "delay 0.2 s", 202)]
    assert (await slow)[0] == 202
    assert time.monotonic() - started_s >= 0.2


async def test_slow_failure(sender: Sender) -> None:
    """A delay goes with any other fault."""
    await sender.call("PUT", "/faults", {"status": 500, "delay_s": 0.05})
    started_s = time.monotonic()

    assert (await sender.post())[0] == 500
    assert time.monotonic() - started_s >= 0.05
    assert await _outcomes(sender) == [("failed", "status 500, delay 0.05 s", 500)]


async def test_drop(sender: Sender) -> None:
    """An injected drop is 202 with the drop header for every site, and is listed as injected."""
    await sender.call("PUT", "/faults", {"drop": True, "count": 1})

    status, _, headers = await sender.post(PAGEVIEW.replace("example.com", "a.example,b.example"))

    assert (status, headers["x-plausible-dropped"]) == (202, "2")
    assert await _outcomes(sender) == [("dropped", "injected", 202)] * 2


async def test_hang(sender: Sender) -> None:
    """A hanging request gets no answer while others do, and is failed at once."""
    await sender.call("PUT", "/faults", {"hang": True, "count": 1})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sender.post(), 0.2)

    assert (await sender.post())[0] == 202
    assert await _outcomes(sender) == [("failed", "hang", None), ("recorded", None, 202)]


async def test_stopping_lets_hanging_requests_go() -> None:
    """A sandbox with a hanging request stops promptly, and the sender sees its connection end."""
    async with aiohttp.ClientSession() as session:
        async with open_sandbox() as url:
            sender = Sender(url, session)
            await sender.call("PUT", "/faults", {"hang": True})
            hanging = asyncio.create_task(sender.post())
            while not await sender.events():
                assert not hanging.done()
            stopping_s = time.monotonic()

        assert time.monotonic() - stopping_s < 3
        with pytest.raises(aiohttp.ClientError):
            await hanging


@pytest.mark.parametrize(
    "match",
    [
        {"name": "Signup"},
        {"site": "b.example"},
        {"user_agent": "acme"},
        {"ip": "203.0.113.9"},
        {"prop": "plan"},
        {"prop": {"plan": "trial", "n": "1"}},
        {"name": "Signup", "ip": "203.0.113.9"},
    ],
)
async def test_match(sender: Sender, match: dict[str, Any]) -> None:
    """A rule hits the requests that fit all it names, and no others."""
    await sender.call("PUT", "/faults", {"status": 503, "match": match})
    meant = {"n": "Signup", "u": "https://b.example/", "d": "a.example,b.example", "p": {"plan": "trial", "n": 1}}
    other = {"n": "Login", "u": "https://b.example/", "d": "c.example", "p": {"Plan": "trial"}}

    hit, _, _ = await sender.post(json.dumps(meant), User_Agent="x acme-shop/2.1", X_Forwarded_For="203.0.113.9")
    missed, _, _ = await sender.post(json.dumps(other), X_Forwarded_For="203.0.113.90")

    assert (hit, missed) == (503, 202)


async def test_first_rule_that_matches_applies(sender: Sender) -> None:
    """The rules are tried in their order; a spent one gives way to the next."""
    rules = [{"status": 500, "count": 1}, {"status": 502, "match": {"name": "other"}}, {"status": 503}]
    await sender.call("PUT", "/faults", rules)

    assert [(await sender.post())[0] for _ in range(3)] == [500, 503, 503]


async def test_share_is_spread_evenly(sender: Sender) -> None:
    """A share hits every k-th request that matches, the same ones each time."""
    await sender.call("PUT", "/faults", {"status": 503, "share": 0.25})

    assert [(await sender.post())[0] for _ in range(8)] == [202, 202, 202, 503] * 2


async def test_share_by_seed_is_repeatable(sender: Sender) -> None:
    """A share with a seed falls as chance has it, but twice the same."""
    runs = []
    for _ in range(2):
        await sender.call("PUT", "/faults", {"status": 503, "share": 0.5, "seed": 7})
        runs.append([(await sender.post())[0] for _ in range(20)])

    assert runs[0] == runs[1]
    assert set(runs[0]) == {202, 503}


async def test_lifting_the_faults(sender: Sender) -> None:
    """DELETE /faults answers normally again; without rules the list is empty."""
    await sender.call("PUT", "/faults", {"status": 503})

    assert await sender.call("DELETE", "/faults") == {"rules": []}
    assert (await sender.post())[0] == 202


async def test_what_is_shown_can_be_put_back(sender: Sender) -> None:
    """The answer of GET /faults is good for PUT /faults: the same rules, with their counts begun anew."""
    await sender.call("PUT", "/faults", [{"status": 503, "count": 1}, {"drop": True, "match": {"name": "x"}}])
    assert (await sender.post())[0] == 503
    shown = await sender.call("GET", "/faults")
    assert [rule["applied"] for rule in shown["rules"]] == [1, 0]

    put = await sender.call("PUT", "/faults", shown)

    assert [rule["applied"] for rule in put["rules"]] == [0, 0]
    assert (await sender.post())[0] == 503
    assert await sender.call("PUT", "/faults", {"rules": []}) == {"rules": []}


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({"rules": {"drop": True}}, "rules", "must be an object"),
        ({"rules": [{"drop": True, "staus": 1}]}, "rules[0].staus", "is not known"),
        ({"rules": ["drop"]}, "rules[0]", "valid dictionary"),
        ({"rules": [], "status": 503}, "rules[0].rules", "is not known"),
        ("503", "rules", "must be an object"),
        ({"staus": 503}, "rules[0].staus", "is not known; known here: status,"),
        ([{"drop": True}, {"match": {"nmae": "x"}, "drop": True}], "rules[1].match.nmae", "known here: name, site,"),
        ({"status": 99}, "rules[0].status", "greater than or equal to 200"),
        ({"status": "503"}, "rules[0].status", "valid integer"),
        ({}, "rules[0]", "does nothing: name one of status, reset, drop, hang, delay_s"),
        ({"status": 503, "drop": True}, "rules[0]", "does two things: status and drop"),
        ({"reset": "later"}, "rules[0].reset", "'before' or 'after'"),
        ({"drop": True, "retry_after": "2"}, "rules[0]", "need a status"),
        ({"status": 503, "headers": {"x": "a\r\nSet-Cookie: b"}}, "rules[0].headers.x", "match pattern"),
        ({"drop": True, "share": 1.5}, "rules[0].share", "less than or equal to 1"),
        ({"drop": True, "seed": 1}, "rules[0]", "seed needs a share"),
    ],
)
async def test_bad_rules_are_named(sender: Sender, given: Any, place: str, words: str) -> None:
    """A bad rule is refused with the place and the reason, and the rules in force stay."""
    await sender.call("PUT", "/faults", {"status": 418})
    async with sender.session.put(f"{sender.url}/faults", json=given) as answer:
        errors = (await answer.json())["errors"]

    assert answer.status == 400
    assert words in errors[place][0]
    assert (await sender.post())[0] == 418


async def test_rules_that_are_no_json(sender: Sender) -> None:
    """Rules that are not JSON are refused in words."""
    async with sender.session.put(f"{sender.url}/faults", data=b"{") as answer:
        assert answer.status == 400
        assert "is not JSON" in (await answer.json())["errors"]["rules"][0]


async def test_examples_work(sender: Sender) -> None:
    """What `relay sandbox --help` shows is understood as it stands, and docs/operating.md shows the same."""
    shown = [line.strip() for line in str(command.help).splitlines() if line.strip().startswith("curl")]
    manual = Path(__file__).parents[2].joinpath("docs/operating.md").read_text(encoding="utf-8").splitlines()
    assert len(shown) > 3
    for line in shown:
        assert line in manual
        _, _, method, url, *data = shlex.split(line)
        path = url.removeprefix(f"http://{Settings().sandbox_listen}")
        answer = await sender.call(method, path, json.loads(data[1]) if data else None)
        assert len(answer["rules"]) == len(data[1:])


async def _raw_post(
    sender: Sender, body: bytes = PAGEVIEW.encode(), length: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = sender.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    size = len(body) if length is None else length
    writer.write(b"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (size, body))
    await writer.drain()
    return reader, writer
