"""`@plausible-analytics/tracker` 0.4.6, as docs/clients.md sets it up, in a real Chromium."""

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser
from clients.pages import Pages
from clients.snippets import pointed_at, snippets, with_option
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
(SETUP,) = snippets("@plausible-analytics/tracker", "js")
TOLD = "new Promise(callback => plausible({name}, {{...{more}, callback}}))"


def track(name: str, more: str = "{}") -> str:
    """JavaScript that tracks an event and gives what the tracker tells its callback."""
    return TOLD.format(name=repr(name), more=more)


async def test_a_pageview_arrives_as_the_browser_sent_it(relay: Relay, pages: Pages, browser: Browser) -> None:
    """On load one pageview leaves, without a preflight, and arrives with the browser's User-Agent and address."""
    address = pages.add("tracker", pointed_at(relay.door, SETUP))
    page = browser.visit(address)
    (pageview,) = await arrivals(relay, pages.origin, 1)
    assert (pageview.name, pageview.url, pageview.outcome) == ("pageview", address, "recorded")
    assert (pageview.ip, pageview.user_agent) == ("127.0.0.1", USER_AGENT)
    assert pageview.sites == ["example.com"]
    (sent,) = page.sent(relay.door)
    assert (sent.method, sent.url, sent.status) == ("POST", f"{relay.door}/api/event", 202)
    assert (sent.content_type, sent.body) == ("text/plain", pageview.body)
    assert page.said() == []


async def test_custom_events(relay: Relay, pages: Pages, browser: Browser) -> None:
    """Props, revenue and `interactive` arrive whole; the tracker can read the answer of another origin."""
    page = browser.visit(pages.add("custom", pointed_at(relay.door, SETUP)))
    await arrivals(relay, pages.origin, 1)
    assert page.run(track("Signup", '{props: {plan: "Größe", seats: 3}}')) == {"status": 202}
    assert page.run(track("Purchase", '{revenue: {amount: 19.9, currency: "EUR"}}')) == {"status": 202}
    assert page.run(track("Autoplay", "{interactive: false}")) == {"status": 202}
    _, signup, purchase, autoplay = await arrivals(relay, pages.origin, 4)
    assert (signup.name, signup.props) == ("Signup", {"plan": "Größe", "seats": "3"})
    assert (purchase.name, purchase.revenue) == ("Purchase", {"amount": "19.9", "currency": "EUR"})
    assert (autoplay.name, autoplay.interactive) == ("Autoplay", False)
    assert page.said() == []


async def test_a_refusal_can_be_read(relay: Relay, pages: Pages, browser: Browser) -> None:
    """What the relay refuses, the page is told; without CORS headers on errors it would only see a broken request."""
    page = browser.visit(pages.add("refused", pointed_at(relay.door, SETUP)))
    await arrivals(relay, pages.origin, 1)
    assert page.run(track("Purchase", '{revenue: {amount: "1,299.00", currency: "EUR"}}')) == {"status": 400}
    await arrivals(relay, pages.origin, 1)


async def test_events_arrive_in_their_order(relay: Relay, pages: Pages, browser: Browser) -> None:
    """What a page sends one after the other, Plausible gets one after the other."""
    page = browser.visit(pages.add("order", pointed_at(relay.door, SETUP)))
    script = "(async () => {{ for (let n = 0; n < 30; n++) await {each}; }})()"
    page.run(script.format(each="new Promise(callback => plausible(`Step ${n}`, {callback}))"))
    arrived = await arrivals(relay, pages.origin, 31)
    assert [each.name for each in arrived] == ["pageview", *(f"Step {n}" for n in range(30))]


async def test_engagement_when_the_page_is_hidden(relay: Relay, pages: Pages, browser: Browser) -> None:
    """A page that closes still tells how far and how long it was read, behind its pageview, and it counts."""
    address = pages.add("read", pointed_at(relay.door, SETUP))
    page = browser.visit(address)
    await arrivals(relay, pages.origin, 1)
    page.run("new Promise(done => { addEventListener('scroll', () => setTimeout(done, 50)); scrollTo(0, 1500); })")
    page.close()
    pageview, engagement = await arrivals(relay, pages.origin, 2)
    assert [pageview.name, engagement.name] == ["pageview", "engagement"]
    assert (engagement.url, engagement.outcome, engagement.ip) == (address, "recorded", pageview.ip)
    assert 30 < engagement.fields["sd"] < 100
    assert engagement.fields["e"] > 0


async def test_engagement_when_another_window_is_used(relay: Relay, pages: Pages, browser: Browser) -> None:
    """A visit that pauses and never ends: the page is not closed, only looked at no more."""
    page = browser.visit(pages.add("covered", pointed_at(relay.door, SETUP)))
    await arrivals(relay, pages.origin, 1)
    page.cover()
    pageview, engagement = await arrivals(relay, pages.origin, 2)
    assert (engagement.name, engagement.url, engagement.outcome) == ("engagement", pageview.url, "recorded")


async def test_a_single_page_application(relay: Relay, pages: Pages, browser: Browser) -> None:
    """Both `pushState` and the way back are pageviews; each page that is left tells of its engagement."""
    first = pages.add("spa", pointed_at(relay.door, SETUP))
    second = f"{pages.origin}/basket"
    page = browser.visit(first)
    await arrivals(relay, pages.origin, 1)
    page.run("history.pushState(null, '', '/basket')")
    await arrivals(relay, pages.origin, 3)
    page.run("history.back()")
    arrived = await arrivals(relay, pages.origin, 5)
    told = [(each.name, each.url) for each in arrived]
    assert told[0] == ("pageview", first)
    # the two of a navigation leave at once, on two connections: which is first is the browser's chance
    assert sorted(told[1:3]) == [("engagement", first), ("pageview", second)]
    assert sorted(told[3:]) == [("engagement", second), ("pageview", first)]
    assert {each.outcome for each in arrived} == {"recorded"}


async def test_hash_mode(relay: Relay, pages: Pages, browser: Browser) -> None:
    """With `hashBasedRouting` a change of the fragment is a pageview, and says that the fragment counts."""
    address = pages.add("hash", pointed_at(relay.door, with_option(SETUP, "hashBasedRouting: true")))
    page = browser.visit(f"{address}#/a")
    await arrivals(relay, pages.origin, 1)
    page.run("location.hash = '#/b'")
    arrived = await arrivals(relay, pages.origin, 3)
    views = [each for each in arrived if each.name == "pageview"]
    assert [view.url for view in views] == [f"{address}#/a", f"{address}#/b"]
    assert {each.fields["h"] for each in arrived} == {1}


async def test_links_out_and_downloads(relay: Relay, pages: Pages, browser: Browser) -> None:
    """A click that leaves the page is kept all the same."""
    code = with_option(with_option(SETUP, "outboundLinks: true"), "fileDownloads: true")
    (pages.folder / "prices.csv").write_text("a,b\n")
    elsewhere = pages.origin.replace("example.com", "127.0.0.1") + "/prices.html"
    links = f'<a id="file" href="/prices.csv">Prices</a> <a id="out" href="{elsewhere}">Elsewhere</a>'
    page = browser.visit(pages.add("links", pointed_at(relay.door, code), links))
    await arrivals(relay, pages.origin, 1)
    page.click("#file")
    _, download = await arrivals(relay, pages.origin, 2)
    assert (download.name, download.props) == ("File Download", {"url": f"{pages.origin}/prices.csv"})
    page.click("#out")
    *_, last, further = await arrivals(relay, pages.origin, 4)
    assert {last.name, further.name} == {"Outbound Link: Click", "engagement"}
    outbound = last if last.name != "engagement" else further
    assert outbound.props == {"url": elsewhere}
