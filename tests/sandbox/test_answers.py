"""Each answer of contract section 3, over real HTTP.

Where the sandbox and the contract differ, every test of the project that uses the sandbox proves the wrong thing.
"""

import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.sandbox.sender import PAGEVIEW, Sender

JSON = "application/json"
UNREADABLE = {"errors": {"request": ["Unable to parse request body as json"]}}


async def test_accepted(sender: Sender) -> None:
    """An event is answered 202, `ok`, as plain text, without a drop header, and readable across origins."""
    status, text, headers = await sender.post()

    assert (status, text) == (202, "ok")
    assert headers["content-type"].startswith("text/plain")
    assert "x-plausible-dropped" not in headers
    assert headers["access-control-allow-origin"] == "*"


async def test_all_wrong_fields_at_once(sender: Sender) -> None:
    """A refusal is 400 with every wrong field and its messages, and is recorded as refused."""
    status, text, headers = await sender.post('{"n":"","u":5,"d":"example.com"}')

    assert status == 400
    assert json.loads(text) == {"errors": {"event_name": ["can't be blank"], "url": ["must be a valid url"]}}
    assert headers["access-control-allow-origin"] == "*"
    (entry,) = await sender.events()
    assert (entry["outcome"], entry["status"]) == ("refused", 400)
    assert entry["cause"] == "event_name: can't be blank; url: must be a valid url"


@pytest.mark.parametrize("body", ["", "{", "[]", "3", "null", '"text"', "\x00"])
async def test_text_that_is_no_object(sender: Sender, body: str) -> None:
    """A text/plain body that is empty, malformed or not an object is 400 on `request`."""
    status, text, _ = await sender.post(body)

    assert (status, json.loads(text)) == (400, UNREADABLE)


async def test_malformed_json_type(sender: Sender) -> None:
    """A malformed application/json body is a bare 400 from ahead of the router: no errors, no CORS."""
    status, text, headers = await sender.post("{", Content_Type=JSON)

    assert (status, text) == (400, "Bad Request")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("body", ["[1]", "3", "null", ""])
@pytest.mark.parametrize("kind", [JSON, "application/vnd.acme+json; charset=utf-8"])
async def test_json_type_without_fields(sender: Sender, body: str, kind: str) -> None:
    """An application/json body that is a list, a scalar or empty gives the errors of missing fields."""
    status, text, _ = await sender.post(body, Content_Type=kind)

    assert status == 400
    assert set(json.loads(text)["errors"]) >= {"event_name", "url"}


async def test_form(sender: Sender) -> None:
    """A form's fields are read as fields; JSON that `curl -d` sends as a form has none of them."""
    form = "application/x-www-form-urlencoded"

    assert (await sender.post("n=Signup&u=https%3A%2F%2Fexample.com%2F", Content_Type=form))[0] == 202
    assert (await sender.post(PAGEVIEW, Content_Type=form))[0] == 400


async def test_unparsed_type_is_read_as_json(sender: Sender) -> None:
    """A type that Plausible does not parse itself is read as JSON."""
    assert (await sender.post(Content_Type="image/png"))[0] == 202


@pytest.mark.parametrize(("kind", "status"), [("text/plain", 400), (JSON, 413)])
async def test_too_large(sender: Sender, kind: str, status: int) -> None:
    """One byte over 1,000,000 is 400 as text/plain and 413 as application/json; exactly so many are fine."""
    largest = PAGEVIEW + " " * (1_000_000 - len(PAGEVIEW))

    assert (await sender.post(largest, Content_Type=kind))[0] == 202
    refused, text, _ = await sender.post(largest + " ", Content_Type=kind)

    assert refused == status
    assert text == "Request Entity Too Large" if status == 413 else json.loads(text) == UNREADABLE


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_other_methods(sender: Sender, method: str) -> None:
    """Every method but POST and OPTIONS is 404 and leaves no entry."""
    async with sender.session.request(method, f"{sender.url}/api/event") as answer:
        assert answer.status == 404
    assert await sender.events() == []


async def test_preflight(sender: Sender) -> None:
    """A preflight is 204 with CORSPlug's headers; X-Forwarded-For is not among those allowed."""
    async with sender.session.options(f"{sender.url}/api/event") as answer:
        headers = answer.headers

    assert answer.status == 204
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-expose-headers"] == ""
    assert headers["access-control-max-age"] == "1728000"
    assert "POST" in headers["access-control-allow-methods"].split(",")
    assert "Content-Type" in headers["access-control-allow-headers"].split(",")
    assert "x-forwarded-for" not in headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize(
    ("accept", "status"), [("text/html", 406), ("text/html, */*;q=0.1", 202), ("application/json", 202)]
)
async def test_accept(sender: Sender, accept: str, status: int) -> None:
    """An Accept header without room for JSON is 406."""
    assert (await sender.post(Accept=accept))[0] == status


async def test_debug_request(sender: Sender) -> None:
    """`X-Debug-Request: true` is answered with the address that would be used, and nothing is recorded."""
    status, text, _ = await sender.post(X_Debug_Request="true", X_Forwarded_For="203.0.113.9, 10.0.0.1")

    assert (status, text) == (200, "203.0.113.9")
    assert await sender.events() == []


async def test_health(sender: Sender) -> None:
    """`GET /api/health` is 200, as a probe of the upstream expects."""
    async with sender.session.get(f"{sender.url}/api/health") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "ip"),
    [
        ({}, "127.0.0.1"),
        ({"X-Forwarded-For": "203.0.113.9, 10.0.0.1"}, "203.0.113.9"),
        ({"X-Forwarded-For": "unknown, 1.2.3.4"}, "unknown"),
        ({"X-Forwarded-For": "203.0.113.9:4711"}, "203.0.113.9"),
        ({"X-Forwarded-For": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ({"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
        ({"X-Forwarded-For": "", "Forwarded": 'for="[2001:db8::7]:80";proto=https'}, "2001:db8::7"),
        ({"X-Forwarded-For": "203.0.113.9", "B-Forwarded-For": "198.51.100.1, 2.2.2.2"}, "198.51.100.1"),
        ({"B-Forwarded-For": "203.0.113.9", "CF-Connecting-IP": "198.51.100.2, 3.3.3.3"}, "198.51.100.2, 3.3.3.3"),
        ({"CF-Connecting-IP": "203.0.113.9", "X-Plausible-IP": "198.51.100.3"}, "198.51.100.3"),
        ({"X-Real-IP": "203.0.113.9", "True-Client-IP": "203.0.113.8"}, "127.0.0.1"),
    ],
)
async def test_address(sender: Sender, headers: dict[str, str], ip: str) -> None:
    """The address is chosen by Plausible's order, leftmost and unvalidated (contract section 2)."""
    await sender.post(**headers)

    assert [entry["ip"] for entry in await sender.events()] == [ip]


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ({"User-Agent": "WordPress/6.4"}, "bot"),
        ({"X-Plausible-IP-Type": "dc_ip"}, "dc_ip"),
        ({"X-Plausible-IP-Type": "threat_ip"}, "threat_ip"),
    ],
)
async def test_dropped_by_request(sender: Sender, headers: dict[str, str], cause: str) -> None:
    """A bot's event and one from a marked address are answered 202 with the count of sites that dropped it."""
    two_sites = PAGEVIEW.replace('"example.com"', '"example.com,example.org"')
    status, text, answered = await sender.post(two_sites, **headers)

    assert (status, text, answered["x-plausible-dropped"]) == (202, "ok", "2")
    assert [(e["outcome"], e["cause"]) for e in await sender.events()] == [("dropped", cause)] * 2


async def test_missing_user_agent_is_no_bot(sender: Sender) -> None:
    """An event without a User-Agent is recorded."""
    skip = frozenset({"User-Agent"})
    async with aiohttp.ClientSession(skip_auto_headers=skip) as session:
        await session.post(f"{sender.url}/api/event", data=PAGEVIEW.encode())

    assert [(e["outcome"], e["user_agent"]) for e in await sender.events()] == [("recorded", None)]


async def test_comma_list_counts_each_site(opened: Callable[..., Awaitable[Sender]]) -> None:
    """A comma list makes an entry for each site; only the unknown ones are dropped and counted."""
    sender = await opened(sites=["example.com", "example.org"])
    body = PAGEVIEW.replace('"example.com"', '"example.com, www.example.org,nowhere.example"')
    _, _, headers = await sender.post(body)

    assert headers["x-plausible-dropped"] == "1"
    assert [(e["sites"], e["outcome"], e["cause"], e["request"]) for e in await sender.events()] == [
        (["example.com"], "recorded", None, 1),
        (["example.org"], "recorded", None, 1),
        (["nowhere.example"], "dropped", "not_found", 1),
    ]


async def test_empty_part_of_a_list_is_no_site(sender: Sender) -> None:
    """A comma too many names a site without a name, which no account has: dropped and counted, as by Plausible."""
    status, _, headers = await sender.post(PAGEVIEW.replace('"example.com"', '"example.com,"'))

    assert (status, headers["x-plausible-dropped"]) == (202, "1")
    assert [(e["sites"], e["outcome"], e["cause"]) for e in await sender.events()] == [
        (["example.com"], "recorded", None),
        ([""], "dropped", "not_found"),
    ]


async def test_validation_comes_before_drops(sender: Sender) -> None:
    """A bot's invalid event is refused, not dropped."""
    assert (await sender.post("{}", User_Agent="k6/0.49"))[0] == 400
