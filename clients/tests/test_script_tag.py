"""Plausible's script tag, as docs/clients.md has it, in a real Chromium: the script comes through the relay.

Behind the relay is the sandbox's stand-in for the script, as Plausible's own is in no package.
"""

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser
from clients.pages import Pages
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
TAG, OWN_SCRIPT = snippets("Plausible's script tag", "html")
TOLD = "new Promise(callback => plausible({name}, {{...{more}, callback}}))"


@pytest.mark.parametrize("tag", [TAG, OWN_SCRIPT], ids=["script.js", "pa-XXXXX.js"])
async def test_only_the_host_is_changed(relay: Relay, pages: Pages, browser: Browser, tag: str) -> None:
    """A page view on load, custom events whose answer the page can read, and engagement when it is closed."""
    address = pages.add("tag", "", pointed_at(relay.door, tag))
    page = browser.visit(address)
    await arrivals(relay, pages.origin, 1)
    assert page.run(TOLD.format(name="'Signup'", more='{props: {plan: "Größe"}}')) == {"status": 202}
    sale = TOLD.format(name="'Purchase'", more='{revenue: {amount: 19.9, currency: "EUR"}, interactive: false}')
    assert page.run(sale) == {"status": 202}
    assert [each.method for each in page.sent(f"{relay.door}/api/event")] == ["POST"] * 3
    assert page.said() == []
    page.close()
    pageview, signup, purchase, engagement = arrived = await arrivals(relay, pages.origin, 4)
    assert [each.name for each in arrived] == ["pageview", "Signup", "Purchase", "engagement"]
    assert (pageview.url, pageview.ip, pageview.user_agent) == (address, "127.0.0.1", USER_AGENT)
    assert (signup.props, purchase.interactive) == ({"plan": "Größe"}, False)
    assert purchase.revenue == {"amount": "19.9", "currency": "EUR"}
    assert 0 < engagement.fields["sd"] < 100
    assert {(*each.sites, each.outcome) for each in arrived} == {("example.com", "recorded")}


async def test_what_was_called_before_it_came(relay: Relay, pages: Pages, browser: Browser) -> None:
    """A page may call `plausible` at once; what it queued is sent in its order, behind the page view."""
    early = "<script>plausible('Early', {props: {n: 1}}); plausible('Later')</script>"
    address = pages.add("early", "", pointed_at(relay.door, OWN_SCRIPT) + early)
    browser.visit(address)
    arrived = await arrivals(relay, pages.origin, 3)
    assert [each.name for each in arrived] == ["pageview", "Early", "Later"]
