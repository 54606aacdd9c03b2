"""`plausible-client` 2.0.0, as docs/clients.md sets it up, in a real Chromium and in Node."""

import json
import subprocess

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser
from clients.needs import node
from clients.pages import HERE, Pages
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
(SETUP,) = snippets("plausible-client", "js")
SEEN_FROM_OUTSIDE = "window.plausible = plausible;"
SALE = """{
    url: "https://example.com/basket", props: {plan: "trial"}, revenue: {currency: "EUR", amount: 5} }"""


async def test_a_visit(relay: Relay, pages: Pages, browser: Browser) -> None:
    """Load, pushState, a sale; no preflight. It waits for a 2xx that it can read, and would throw otherwise."""
    first = pages.add("client", pointed_at(relay.door, SETUP) + SEEN_FROM_OUTSIDE)
    page = browser.visit(first)
    await arrivals(relay, pages.origin, 1)
    page.run("history.pushState(null, '', '/basket')")
    await arrivals(relay, pages.origin, 2)
    page.run("plausible.sendEvent('Purchase', {props: {plan: 'trial'}, revenue: {currency: 'EUR', amount: 5}})")
    arrived = await arrivals(relay, pages.origin, 3)
    assert [each.name for each in arrived] == ["pageview", "pageview", "Purchase"]
    assert [each.url for each in arrived] == [first, f"{pages.origin}/basket", f"{pages.origin}/basket"]
    sale = arrived[2]
    assert json.loads(sale.fields["p"]) == sale.props == {"plan": "trial"}
    assert json.loads(sale.fields["revenue"]) == {"currency": "EUR", "amount": 5}
    assert sale.revenue == {"currency": "EUR", "amount": "5"}
    assert {(each.ip, each.user_agent, each.outcome) for each in arrived} == {("127.0.0.1", USER_AGENT, "recorded")}
    assert [(each.type, each.status) for each in page.sent(relay.door)] == [("Fetch", 202)] * 3
    assert page.said() == []


async def test_engagement_and_a_link_out(relay: Relay, pages: Pages, browser: Browser) -> None:
    """Its own engagement event, sent on scrolling, and a click that leaves the page."""
    elsewhere = pages.origin.replace("example.com", "127.0.0.1") + "/"
    link = f'<a id="out" href="{elsewhere}">Elsewhere</a>'
    page = browser.visit(pages.add("clientlinks", pointed_at(relay.door, SETUP), link))
    await arrivals(relay, pages.origin, 1)
    page.run("scrollTo(0, 1500)")
    _, engagement = await arrivals(relay, pages.origin, 2)
    assert engagement.name == "Page engagement"
    assert 30 < int(engagement.props["scrollDepth"]) <= 100
    page.run("document.querySelector('#out').click()")
    *_, click = await arrivals(relay, pages.origin, 3)
    assert (click.name, click.props["url"]) == ("Outbound Link: Click", elsewhere)


async def test_in_node_it_is_a_bot_to_plausible(relay: Relay) -> None:
    """The relay takes it; that Plausible drops it for its User-Agent is told in the account."""
    code = pointed_at(relay.door, SETUP) + f"await plausible.sendEvent('Purchase', {SALE});"
    subprocess.run((node(), "--input-type=module"), input=code, cwd=HERE, text=True, check=True)  # noqa: ASYNC221
    (sale,) = await arrivals(relay, "https://example.com/basket", 1)
    assert (sale.user_agent, sale.outcome, sale.cause) == ("node", "dropped", "bot")
    assert sale.revenue == {"currency": "EUR", "amount": "5"}
