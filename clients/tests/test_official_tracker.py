"""`@plausible-analytics/tracker` 0.4.6, as docs/clients.md sets it up, in a real Chromium."""

import pytest

from clients.arrivals import arrivals
from clients.chromium import Browser
from clients.pages import Pages
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
(SETUP,) = snippets("@plausible-analytics/tracker")


async def test_a_pageview_arrives_as_the_browser_sent_it(relay: Relay, pages: Pages, browser: Browser) -> None:
    """On load one pageview leaves, without a preflight, and arrives with the browser's User-Agent and address."""
    address = pages.add("tracker", pointed_at(relay.door, SETUP))
    page = browser.visit(address)
    (pageview,) = await arrivals(relay, page.user_agent, 1)
    assert (pageview.name, pageview.url, pageview.outcome) == ("pageview", address, "recorded")
    assert (pageview.ip, pageview.user_agent) == ("127.0.0.1", page.run("navigator.userAgent"))
    assert pageview.body["d"] == "example.com"
    (sent,) = page.sent(relay.door)
    assert (sent.method, sent.url, sent.status) == ("POST", f"{relay.door}/api/event", 202)
    assert sent.body is not None
    assert page.said() == []
