"""Engagement events need a live session of the same visitor, who is User-Agent, IP and site (contract section 5).

The clock is the test's own; the requests are real.
"""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from relay.sandbox import build_sandbox
from tests.sandbox.sender import PAGEVIEW, Sender

ENGAGEMENT = '{"n":"engagement","u":"https://example.com/a","d":"example.com","sd":50,"e":3000}'


class _Clock:
    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> _Clock:
    """Give a clock that stands still until it is set."""
    return _Clock()


@pytest.fixture
async def timed(clock: _Clock) -> AsyncIterator[Sender]:
    """Give a sender to a sandbox that lives by that clock, mounted in this process."""
    async with TestServer(build_sandbox(clock=clock)) as server, aiohttp.ClientSession() as session:
        yield Sender(str(server.make_url("")).rstrip("/"), session)


async def test_engagement_without_a_session_is_dropped(timed: Sender) -> None:
    """An engagement with nothing before it is dropped for want of a session."""
    _, _, headers = await timed.post(ENGAGEMENT)

    assert headers["x-plausible-dropped"] == "1"
    assert [e["cause"] for e in await timed.events()] == ["no_session_for_engagement"]


async def test_session_lasts_half_an_hour_and_is_prolonged(timed: Sender, clock: _Clock) -> None:
    """Every recorded event prolongs the session by 30 minutes, and one second later it is over."""
    await timed.post(PAGEVIEW)
    clock.now_s += 1800
    await timed.post(ENGAGEMENT)
    clock.now_s += 1800
    await timed.post(ENGAGEMENT)
    clock.now_s += 1801
    await timed.post(ENGAGEMENT)

    assert [e["outcome"] for e in await timed.events()] == ["recorded", "recorded", "recorded", "dropped"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ENGAGEMENT, {"User-Agent": "another browser"}),
        (ENGAGEMENT, {"X-Forwarded-For": "203.0.113.9"}),
        (ENGAGEMENT.replace('"d":"example.com"', '"d":"example.org"'), {}),
    ],
)
async def test_another_visitor_has_no_session(timed: Sender, body: str, headers: dict[str, str]) -> None:
    """Another User-Agent, another address or another site is another visitor."""
    await timed.post(PAGEVIEW)
    await timed.post(body, **headers)

    assert [e["outcome"] for e in await timed.events()] == ["recorded", "dropped"]


async def test_dropped_event_opens_no_session(timed: Sender) -> None:
    """What was dropped counts for nothing, for a session too; the times come from the given clock."""
    await timed.post(PAGEVIEW, X_Plausible_IP_Type="dc_ip")
    await timed.post(ENGAGEMENT)

    events = await timed.events()
    assert [e["cause"] for e in events] == ["dc_ip", "no_session_for_engagement"]
    assert events[0]["at"] == "2027-01-15T08:00:00.000Z"
