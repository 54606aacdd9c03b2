"""`plausible-tracker` 0.3.9, as docs/clients.md sets it up, in a real Chromium."""

import json

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser
from clients.pages import Pages
from clients.snippets import pointed_at, snippets, with_option
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
(SETUP,) = snippets("plausible-tracker", "js")
SEEN_FROM_OUTSIDE = "window.plausible = plausible;"


async def test_pageviews_and_a_custom_event(relay: Relay, pages: Pages, browser: Browser) -> None:
    """A load, a pushState, an event whose props are JSON text; none needs a preflight, all come as the browser's."""
    first = pages.add("old", pointed_at(relay.door, SETUP) + SEEN_FROM_OUTSIDE)
    page = browser.visit(first)
    await arrivals(relay, pages.origin, 1)
    page.run("history.pushState(null, '', '/basket')")
    await arrivals(relay, pages.origin, 2)
    page.run("new Promise(callback => plausible.trackEvent('Signup', {callback, props: {plan: 'trial'}}))")
    arrived = await arrivals(relay, pages.origin, 3)
    second = f"{pages.origin}/basket"
    assert [(each.name, each.url) for each in arrived] == [
        ("pageview", first),
        ("pageview", second),
        ("Signup", second),
    ]
    assert json.loads(arrived[2].fields["p"]) == arrived[2].props == {"plan": "trial"}
    assert {(each.ip, each.user_agent, each.outcome) for each in arrived} == {("127.0.0.1", USER_AGENT, "recorded")}
    sent = page.sent(relay.door)
    assert [(each.type, each.content_type, each.status) for each in sent] == [("XHR", "text/plain", 202)] * 3
    assert [each.body for each in sent] == [each.body for each in arrived]
    assert page.said() == []


async def test_both_pageviews_of_a_hash_navigation_arrive(relay: Relay, pages: Pages, browser: Browser) -> None:
    """It sends two of the same bytes, and the relay takes no event for another's repetition by its content."""
    address = pages.add("oldhash", pointed_at(relay.door, with_option(SETUP, "hashMode: true")))
    page = browser.visit(address)
    await arrivals(relay, pages.origin, 1)
    page.run("location.hash = '#/b'")
    _, once, twice = await arrivals(relay, pages.origin, 3)
    assert once.body == twice.body
    assert (once.url, once.fields["h"]) == (f"{address}#/b", 1)


async def test_a_link_out(relay: Relay, pages: Pages, browser: Browser) -> None:
    """A click that leaves the page is kept."""
    elsewhere = pages.origin.replace("example.com", "127.0.0.1") + "/"
    link = f'<a id="out" href="{elsewhere}">Elsewhere</a>'
    page = browser.visit(pages.add("oldlinks", pointed_at(relay.door, SETUP), link))
    await arrivals(relay, pages.origin, 1)
    page.click("#out")
    _, click = await arrivals(relay, pages.origin, 2)
    assert (click.name, click.props) == ("Outbound Link: Click", {"url": elsewhere})
