"""`GET /js/{name}`: Plausible's script is passed on, nothing of a visitor goes up, and nothing else can be had."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from relay import __version__
from relay.http.script_copies import AT_ONCE
from relay.http.script_fetch import MAX_SCRIPT_BYTES
from tests.http.conftest import OpenDoor
from tests.http.door import Door, has_cors, request, until, until_ready
from tests.http.upstream import SCRIPT, Upstream, serving

NAMES = ["script.js", "script.hash.outbound-links.js", "plausible.js", "pa-Xy_9-z.js", "s-0b1c.js"]
STRANGE = [
    *("/js/", "/js/.js", "/js/script.css", "/js/script.js.map", "/js/-x.js", "/js/%2e%2e.js", f"/js/{'a' * 201}.js"),
    *("/js/..%2fapi%2fevent", "/js/..%2fx.js", "/js/%2e%2e/x.js", "/js//x.js", "/js/a/x.js", "/js/..%5cx.js"),
    *("/js/http://127.0.0.1/x.js", "/js/http:%2f%2f127.0.0.1%2fx.js", "/js/@127.0.0.1:1%2fx.js", "/js/a%23.js"),
    *(
        "/js/a%00.js",
        "/js/a%0d%0aHost:b%0d%0a.js",
        "/js/%c3%a9.js",
        "/js/script.js%0a",
        "/js/a%3fb=.js",
        "/js/%252e.js",
    ),
]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """Give a server in Plausible's place."""
    async with serving() as upstream:
        yield upstream


@pytest.fixture
async def fetching(open_door: OpenDoor, upstream: Upstream) -> Door:
    """Give a door before that server."""
    door = await open_door(upstream=upstream.url)
    await until_ready(door)
    return door


async def test_a_script_is_passed_on_and_kept(fetching: Door, upstream: Upstream) -> None:
    """Byte for byte, for pages of any origin, for as long as Plausible says; it is fetched once."""
    for name in NAMES * 2:
        answer = await fetching.get(f"/js/{name}")
        assert (answer.status, answer.content_type, await answer.read()) == (200, "application/javascript", SCRIPT)
        assert has_cors(answer)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "Set-Cookie" not in answer.headers
        public, _, left = answer.headers["Cache-Control"].partition(", max-age=")
        assert public == "public"
        assert 86_000 < int(left) <= 86_400
    assert [path for path, _ in upstream.asked] == [f"/stats/js/{name}" for name in NAMES]
    assert 'relay_scripts_total{result="served"} 10.0' in await (await fetching.get("/metrics")).text()


async def test_nothing_of_a_visitor_goes_up(fetching: Door, upstream: Upstream) -> None:
    """Plausible sees the relay: its User-Agent, no address, no cookie, no key, no page, and no query."""
    theirs = {
        **dict.fromkeys(("X-Forwarded-For", "X-Plausible-IP", "CF-Connecting-IP", "Forwarded"), "203.0.113.7"),
        **dict.fromkeys(("Cookie", "Authorization", "Referer", "Origin", "User-Agent", "Accept-Language"), "secret"),
    }
    for name in ("script.js", "plausible.js"):  # the second after a cookie was set
        async with fetching.client.get(f"/js/{name}?visitor=secret", headers=theirs) as answer:
            assert answer.status == 200
    assert [path for path, _ in upstream.asked] == ["/stats/js/script.js", "/stats/js/plausible.js"]
    for _, headers in upstream.asked:
        assert {name: text for name, text in headers.items() if name != "Host"} == {
            "User-Agent": f"plausible-relay/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }


async def test_whoever_has_it_is_told_so(fetching: Door, upstream: Upstream) -> None:
    """304 to the ETag that was given; HEAD has the headers alone; both without asking Plausible again."""
    whole = await fetching.get("/js/script.js")
    etag = whole.headers["ETag"]
    for told in (etag, f'W/"other", W/{etag}'):
        async with fetching.client.get("/js/script.js", headers={"If-None-Match": told}) as answer:
            assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", etag)
            assert has_cors(answer)
    async with fetching.client.get("/js/script.js", headers={"If-None-Match": '"other"'}) as answer:
        assert answer.status == 200
    async with fetching.client.head("/js/script.js") as answer:
        assert (answer.status, await answer.read(), answer.headers["ETag"]) == (200, b"", etag)
        assert answer.headers["Content-Length"] == str(len(SCRIPT))
    assert len(upstream.asked) == 1


async def test_it_is_no_open_proxy(fetching: Door, upstream: Upstream) -> None:
    """What is not named as Plausible's scripts are is not there, and Plausible is not asked."""
    for path in STRANGE:
        answer = await fetching.converse(request(line=b"GET %b HTTP/1.1" % path.encode()))
        assert (answer.status, answer.has_cors) == (404, True), path
    assert upstream.asked == []


async def test_it_is_only_read(fetching: Door, upstream: Upstream) -> None:
    """A script takes no POST, and a refusal is readable."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        async with fetching.client.request(method, "/js/script.js") as answer:
            assert (answer.status, has_cors(answer)) == (405, True)
    assert upstream.asked == []


@pytest.mark.parametrize(
    ("status", "headers", "body", "answered", "why"),
    [
        (404, {}, b"", 404, "has none of this name"),
        (302, {"Location": "/stats/js/other.js"}, SCRIPT, 502, "answered 302"),
        (403, {}, SCRIPT, 502, "answered 403"),
        (500, {}, SCRIPT, 502, "answered 500"),
        (200, {"Content-Type": "text/html"}, b"<script>", 502, "no JavaScript"),
        (200, {"Content-Encoding": "gzip"}, SCRIPT, 502, "compressed"),
        (200, {}, b" " * (MAX_SCRIPT_BYTES + 1), 502, "more than 262,144 bytes"),
        (200, {}, b" " * MAX_SCRIPT_BYTES, 200, ""),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_what_is_no_script_is_not_passed_on(  # noqa: PLR0917 - the columns of the table
    fetching: Door, upstream: Upstream, status: int, headers: dict[str, str], body: bytes, answered: int, why: str
) -> None:
    """It is said why; a redirect is not followed; and Plausible is not asked again at once."""
    upstream.status, upstream.body = status, body
    upstream.headers |= headers
    for _ in range(2):
        answer = await fetching.get("/js/script.js")
        assert (answer.status, has_cors(answer)) == (answered, True)
        if answered != 200:
            assert why in await answer.text()
            assert (answer.content_type, answer.headers["Cache-Control"]) == ("text/plain", "no-store")
    assert [path for path, _ in upstream.asked] == ["/stats/js/script.js"]


async def test_while_plausible_is_away_events_are_taken(open_door: OpenDoor) -> None:
    """503 with Retry-After for a script that was never had; an event is as good as ever, and the door is ready."""
    door = await open_door(upstream="http://127.0.0.1:9")
    await until_ready(door)
    answer = await door.get("/js/script.js")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert await answer.text() == "no script now: Plausible cannot be reached; events are taken\n"
    assert (await door.post()).status == 202
    assert (await door.get("/health/ready")).status == 200
    assert 'relay_scripts_total{result="unavailable"} 1.0' in await (await door.get("/metrics")).text()


async def test_many_who_wait_are_one_fetch(fetching: Door, upstream: Upstream) -> None:
    """One fetch a name, a few names at once; who asks for more is told so at once; events pass meanwhile."""
    upstream.open.clear()
    names = [f"pa-{n}.js" for n in range(AT_ONCE)]
    waiting = [asyncio.create_task(fetching.get(f"/js/{name}")) for name in names * 5]

    async def all_asked() -> bool:
        return len(upstream.asked) == AT_ONCE

    await until("a fetch of each name", all_asked)
    one_more = await fetching.get("/js/pa-more.js")
    assert (one_more.status, "as many are asked for at once" in await one_more.text()) == (503, True)
    assert (await fetching.post()).status == 202
    upstream.open.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
    assert sorted(path for path, _ in upstream.asked) == [f"/stats/js/{name}" for name in names]


async def test_who_leaves_does_not_end_the_fetch(fetching: Door, upstream: Upstream) -> None:
    """A proxy that waits a second for a slow Plausible finds the script when it asks again."""
    upstream.open.clear()
    async with await fetching.connection() as impatient:
        await impatient.send(request(line=b"GET /js/script.js HTTP/1.1"))

        async def asked() -> bool:
            return len(upstream.asked) == 1

        await until("a fetch", asked)
    upstream.open.set()
    assert (await fetching.get("/js/script.js")).status == 200
    assert len(upstream.asked) == 1


async def test_a_door_ends_amid_a_fetch(fetching: Door, upstream: Upstream) -> None:
    """What hangs there does not hold up a stop."""
    upstream.open.clear()
    waiting = asyncio.create_task(fetching.get("/js/script.js"))

    async def asked() -> bool:
        return len(upstream.asked) == 1

    await until("a fetch", asked)
    async with asyncio.timeout(20):
        await fetching.client.close()
    await asyncio.gather(waiting, return_exceptions=True)
