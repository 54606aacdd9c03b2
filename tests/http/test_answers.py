"""What the door answers, status by status, and what it keeps of an event for several sites."""

import orjson
import pytest
from aiohttp import FormData

from relay.http import intake
from tests.http.conftest import OpenDoor
from tests.http.door import Door, body, errors, has_cors, padded, request

PREFLIGHT = {
    "Access-Control-Max-Age": "1728000",
    "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Accept,Origin,User-Agent,DNT,Cache-Control,"
    "X-Mx-ReqToken,Keep-Alive,X-Requested-With,If-Modified-Since,X-CSRF-Token",
}


async def test_an_accepted_event_is_answered_as_by_plausible(door: Door) -> None:
    """202, `ok`, text/plain, readable by a browser, and nothing dropped."""
    answer = await door.post()
    assert (answer.status, await answer.text(), answer.content_type) == (202, "ok", "text/plain")
    assert has_cors(answer)
    assert "x-plausible-dropped" not in answer.headers
    assert [event.body for event in await door.kept()] == [body()]


async def test_a_refusal_names_every_wrong_field(door: Door) -> None:
    """400 tells all faults at once, as JSON, and keeps nothing."""
    answer = await door.post(b'{"n": " ", "d": "", "h": "yes"}')
    assert (answer.status, answer.content_type, has_cors(answer)) == (400, "application/json", True)
    assert sorted(errors(await answer.read())) == ["domain", "event_name", "hash_mode", "url"]
    assert await door.kept() == []


async def test_too_large_is_413(door: Door) -> None:
    """A body over the limit is refused as such, and a browser may read why."""
    answer = await door.post(padded(1_000_001))
    assert (answer.status, has_cors(answer)) == (413, True)
    assert "1,000,000 bytes" in errors(await answer.read())["request"][0]


async def test_a_preflight_is_answered_as_by_plausible(door: Door) -> None:
    """OPTIONS gets 204 and Plausible's headers; X-Forwarded-For is not among the allowed ones."""
    async with door.client.options("/api/event") as answer:
        assert (answer.status, await answer.read(), has_cors(answer)) == (204, b"", True)
        assert {name: answer.headers[name] for name in PREFLIGHT} == PREFLIGHT
        assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_only_posts_are_events(door: Door, method: str) -> None:
    """Every other method on /api/event is 404, as Plausible has it (contract section 3)."""
    async with door.client.request(method, "/api/event") as answer:
        assert (answer.status, has_cors(answer)) == (404, True)


@pytest.mark.parametrize("path", ["/", "/api/event/", "/api/events2", "//api/event", "/api", "/js", "/%00"])
async def test_an_unknown_path_is_404(door: Door, path: str) -> None:
    """A misspelt path says so, also to a browser's sender."""
    for line in (b"POST %b HTTP/1.1", b"GET %b HTTP/1.1", b"OPTIONS %b HTTP/1.1"):
        answer = await door.converse(request(line=line % path.encode()))
        assert (answer.status, answer.has_cors) == (404, True)


async def test_the_wrong_method_elsewhere_is_405(door: Door) -> None:
    """Health and metrics are only read; HEAD is reading."""
    for path in ("/health/live", "/health/ready", "/metrics"):
        async with door.client.post(path) as answer:
            assert (answer.status, has_cors(answer)) == (405, True)
        async with door.client.head(path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize("path", ["/api/event?id=7", "/api/%65vent", "http://elsewhere.test/api/event"])
async def test_the_same_path_written_otherwise(door: Door, path: str) -> None:
    """A query, an escape or an absolute target still means /api/event."""
    assert (await door.converse(request(body(), line=b"POST %b HTTP/1.1" % path.encode()))).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (b"Content-Type: text/plain",),
        (b"Content-Type: text/plain;charset=UTF-8",),
        (b"Content-Type: application/json; charset=utf-16",),
        (b"Content-Type: application/x-www-form-urlencoded",),
        (b"Content-Type: multipart/form-data",),
        (b"Content-Type:",),
        (b"Content-Type: ;;;==\xff",),
    ],
    ids=repr,
)
async def test_any_content_type_is_read_as_json(door: Door, headers: tuple[bytes, ...]) -> None:
    """What a sender calls its body does not matter: `curl -d` says form, the browser tracker says text."""
    sent = body(props={"town": "Köln 🚲"})
    assert (await door.converse(request(sent, *headers))).status == 202
    assert [event.body for event in await door.kept()] == [sent]


async def test_a_real_form_is_no_event(door: Door) -> None:
    """Only JSON is an event, whatever the content type may promise."""
    answer = await door.client.post("/api/event", data=FormData({"n": "pageview"}))
    assert (answer.status, list(errors(await answer.read()))) == (400, ["request"])


async def test_a_list_of_sites_becomes_an_event_for_each(door: Door) -> None:
    """Each site has its own event with its own `d`, and not another byte differs."""
    sent = b'{ "n":"pageview" ,"d" : " a.example,www.b.example,a.example ","u":"https://x.example/\\u00e9", "v":33.50}'
    assert (await door.post(sent)).status == 202
    kept = await door.kept()
    assert sorted(event.site for event in kept) == ["a.example", "a.example", "b.example"]
    for event in kept:
        named = orjson.dumps(orjson.loads(event.body)["d"])
        assert named == f'"{event.site}"'.encode()
        assert event.body == sent.replace(b'" a.example,www.b.example,a.example "', named)
    assert len({event.accepted_ms for event in kept}) == 1


async def test_an_unknown_site_is_refused(open_door: OpenDoor) -> None:
    """In strict validation an event is for known sites only; not even its known sites are kept."""
    door = await open_door(sites="a.example,b.example")
    for domain in ("c.example", "a.example,c.example", "A.example"):
        answer = await door.post(body(domain=domain))
        assert (answer.status, list(errors(await answer.read()))) == (400, ["domain"])
    assert await door.kept() == []


@pytest.mark.parametrize(
    ("domain", "dropped", "kept"),
    [
        ("a.example", None, ["a.example"]),
        ("c.example", "1", []),
        ("c.example,a.example,d.example,", "3", ["a.example"]),
    ],
)
async def test_an_unknown_site_is_dropped_as_plausible_drops_it(
    open_door: OpenDoor, domain: str, dropped: str | None, kept: list[str]
) -> None:
    """In plausible validation the answer is 202 and says how many of the event's sites were dropped."""
    door = await open_door(sites="a.example", validation="plausible")
    answer = await door.post(body(domain=domain))
    assert (answer.status, await answer.text()) == (202, "ok")
    assert answer.headers.get("x-plausible-dropped") == dropped
    assert [event.site for event in await door.kept()] == kept


async def test_a_sender_can_ask_for_its_address(door: Door) -> None:
    """`X-Debug-Request: true` is answered with the address that would count, and nothing is kept."""
    answer = await door.post(headers={"X-Debug-Request": "true"})
    assert (answer.status, await answer.text(), has_cors(answer)) == (200, "127.0.0.1", True)
    assert await door.kept() == []
    assert (await door.post(headers={"X-Debug-Request": "false"})).status == 202


async def test_flags_are_kept(door: Door) -> None:
    """What delivery must know of an event without reading it again: revenue, engagement."""
    await door.post(body(revenue={"amount": "12.50", "currency": "EUR"}))
    await door.post(body(name="engagement", sd=40, e=1000))
    assert [(event.revenue, event.engagement) for event in await door.kept()] == [(True, False), (False, True)]


async def test_a_body_that_does_not_come_is_408(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops in the middle of a body gets an answer in the end and its connection is closed."""
    monkeypatch.setattr(intake, "BODY_WITHIN_S", 0.2)
    halves = [(), (b"0\r\n",), (b"no length\r\n\r\n",)]
    for rest in halves:
        async with await door.connection() as socket:
            head = request(b"", b"Transfer-Encoding: chunked", b"Expect: 100-continue")
            assert (await socket.ask(head)).status == 100  # so the door reads the body by now
            answer = await socket.ask(b"5\r\nabcde\r\n", *rest)
            assert (answer.status, answer.has_cors, answer.headers["connection"]) == (408, True, "close")
    assert await door.kept() == []
