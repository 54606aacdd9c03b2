"""What a door keeps of scripts: for how long, how many, and what happens when one cannot be had anew.

The server is a real one; only the clock is the test's own.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from relay.http.script_copies import ABSENT_S, BURST, COPIES, RETRY_S, Copies, Copy
from relay.http.script_fetch import Absent, Failed, Script, fetch, open_session
from relay.http.scripts import Result, Scripts
from tests.http.door import until
from tests.http.upstream import SCRIPT, Upstream, serving

DAY_S = 86_400.0


@dataclass
class Kept:
    """Copies, the server that they are of, and what time it is."""

    upstream: Upstream
    copies: Copies
    now_s: float = 1_000.0

    async def content(self, name: str = "script.js") -> bytes | str | None:
        """Find it: what it says, why it cannot be had, or None."""
        match await self.copies.find(name):
            case Copy(script=script):
                return script.content
            case Absent():
                return None
            case Failed(why=why):
                return why


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    """Give empty copies before a server in Plausible's place."""
    async with serving() as upstream, open_session() as session:
        copies = Copies(lambda name: fetch(session, f"{upstream.url}/js/{name}"), lambda: at.now_s)
        at = Kept(upstream, copies)
        yield at
        await copies.end()


@pytest.mark.parametrize(
    ("told", "fresh_s"),
    [
        ("public, max-age=3600, must-revalidate", 3_600),
        ("max-age=60,public", 60),
        ("public, Max-Age=86400", 86_400),
        ("s-maxage=90000, max-age=100", 100),
        ("max-age=999999999", 86_400),
        ("max-age=0", 60),
        ("no-store", 60),
        ("max-age=-1", 60),
        ("", 60),
    ],
)
async def test_for_as_long_as_plausible_says(kept: Kept, told: str, fresh_s: float) -> None:
    """For its max-age, a minute at least and a day at most; then the new one is fetched, once."""
    kept.upstream.headers["Cache-Control"] = told
    assert await kept.content() == SCRIPT
    kept.upstream.body = b"the next one"
    kept.now_s += fresh_s - 1
    found = await kept.copies.find("script.js")
    assert isinstance(found, Copy)
    assert (found.script.content, found.left_s) == (SCRIPT, 1)
    kept.now_s += 1
    assert [await kept.content() for _ in range(3)] == [b"the next one"] * 3
    assert len(kept.upstream.asked) == 2


@pytest.mark.parametrize("status", [500, 503, 403, 302])
async def test_an_old_copy_rather_than_none(kept: Kept, status: int) -> None:
    """While it cannot be had anew the old one is passed on, however old, and Plausible is asked now and then."""
    assert await kept.content() == SCRIPT
    kept.upstream.status = status
    kept.now_s += 30 * DAY_S
    for attempts in (2, 3, 4):
        found = await kept.copies.find("script.js")
        assert isinstance(found, Copy)
        assert (found.script.content, found.left_s) == (SCRIPT, 0)
        assert await kept.content() == SCRIPT
        assert len(kept.upstream.asked) == attempts
        kept.now_s += RETRY_S
    kept.upstream.status, kept.upstream.body = 200, b"the next one"
    assert await kept.content() == b"the next one"


async def test_a_slow_plausible_delays_nobody_who_can_be_served(kept: Kept) -> None:
    """The old copy is passed on while the new one comes, and then the new one."""
    assert await kept.content() == SCRIPT
    kept.upstream.open.clear()
    kept.upstream.body = b"the next one"
    kept.now_s += DAY_S
    assert await kept.content() == SCRIPT
    assert len(kept.upstream.asked) == 2
    kept.upstream.open.set()

    async def renewed() -> bool:
        return await kept.content() == b"the next one"

    await until("the next one", renewed)
    assert len(kept.upstream.asked) == 2


async def test_a_missing_script_is_asked_for_again_in_a_while(kept: Kept) -> None:
    """A 404 holds for a minute, and takes the old copy away: Plausible has spoken."""
    kept.upstream.status = 404
    assert [await kept.content() for _ in range(3)] == [None] * 3
    kept.now_s += ABSENT_S
    kept.upstream.status = 200
    assert await kept.content() == SCRIPT
    kept.now_s += DAY_S
    kept.upstream.status = 404
    assert await kept.content() is None
    assert len(kept.upstream.asked) == 3


async def test_only_so_many_are_kept(kept: Kept) -> None:
    """Beyond the limit that one goes which was longest not asked for."""
    for n in range(COPIES):
        kept.now_s += 1
        assert await kept.content(f"pa-{n}.js") == SCRIPT
    assert await kept.content("pa-0.js") == SCRIPT
    kept.now_s += 1
    assert await kept.content("pa-new.js") == SCRIPT
    asked = len(kept.upstream.asked)
    kept.now_s += 1
    assert await kept.content("pa-0.js") == SCRIPT
    assert len(kept.upstream.asked) == asked
    assert await kept.content("pa-1.js") == SCRIPT
    assert len(kept.upstream.asked) == asked + 1


async def test_made_up_names_do_not_become_a_flood(kept: Kept) -> None:
    """Plausible is asked so many times at once and then once a second; what is kept is passed on meanwhile."""
    assert await kept.content() == SCRIPT
    kept.upstream.status = 404
    found = [await kept.content(f"pa-{n}.js") for n in range(100)]
    assert found[: round(BURST) - 1] == [None] * (round(BURST) - 1)
    assert all("many are asked for" in str(each) for each in found[round(BURST) :])
    assert len(kept.upstream.asked) == BURST
    assert await kept.content() == SCRIPT
    kept.now_s += 1
    assert await kept.content("pa-last.js") is None
    assert len(kept.upstream.asked) == BURST + 1


async def test_browsers_are_told_the_time_that_is_left(kept: Kept, aiohttp_client: AiohttpClient) -> None:
    """A page has the new script when the door has, not a day later; an old copy is to be asked for each time."""
    results = Counter[str]()
    scripts = Scripts(kept.upstream.url, results, lambda: kept.now_s)
    app = web.Application()
    app.router.add_get("/js/{name}", scripts.get)
    app.cleanup_ctx.append(scripts.run)
    client: TestClient[web.Request, web.Application] = await aiohttp_client(app)
    told = []
    for later_s in (0, 3_600, DAY_S):
        kept.now_s += later_s
        async with client.get("/js/script.js") as answer:
            assert answer.status == 200
            told.append(answer.headers["Cache-Control"])
        kept.upstream.status = 500
    assert told == [f"public, max-age={left_s}" for left_s in (86_400, 82_800, 0)]
    assert results == {Result.SERVED: 2, Result.STALE: 1}


async def test_the_same_script_has_the_same_etag() -> None:
    """Doors beside each other, and a door before and after its restart, agree on it."""
    async with serving() as upstream, open_session() as one, open_session() as other:
        first, second = await fetch(one, f"{upstream.url}/js/a.js"), await fetch(other, f"{upstream.url}/js/b.js")
        assert isinstance(first, Script)
        assert first == second
