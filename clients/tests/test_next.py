"""`next-plausible` 4.0.0 in a production build of a real Next.js site, with and without its proxy."""

from pathlib import Path

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser, seen_by_browsers
from clients.next_site import next_site
from clients.pages import Pages
from clients.process import edge
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]  # a production build
(CONFIGURATION,) = snippets("next-plausible", "js")
PROXIED, DIRECT = snippets("next-plausible", "jsx")
SCRIPT = "pa-XXXXX.js"
VISITOR = "203.0.113.7"


def with_script_of(pages: Pages, code: str) -> str:
    """The code with the page server in Plausible's place, which serves the script here."""
    assert "https://plausible.io" in code
    return code.replace("https://plausible.io", pages.address)


async def test_through_the_sites_own_rewrites(tmp_path: Path, relay: Relay, browser: Browser) -> None:
    """Script and events go by way of Next.js, with the visitor's address as the site's edge says it, and no cookies."""
    configuration = pointed_at(relay.door, CONFIGURATION)
    with (
        next_site(tmp_path / "next.log", PROXIED, configuration) as site,
        edge(tmp_path / "edge.log", site, visitor=VISITOR) as front,
    ):
        origin = seen_by_browsers(front)
        page = browser.visit(f"{origin}/")
        await arrivals(relay, origin, 1)
        page.run("document.cookie = 'session=secret'")
        page.click("#buy")
        pageview, sale = await arrivals(relay, origin, 2)
        assert [(each.name, each.url) for each in (pageview, sale)] == [
            ("pageview", f"{origin}/"),
            ("Purchase", f"{origin}/"),
        ]
        assert sale.props == {"plan": "trial"}
        assert {(each.ip, each.user_agent, each.outcome) for each in (pageview, sale)} == {
            (VISITOR, USER_AGENT, "recorded")
        }
        assert {name for name, _ in sale.headers} & {
            "Cookie",
            "cookie",
            "X-Forwarded-Host",
            "x-forwarded-host",
        } == set()
        assert page.sent(relay.door) == []
        assert [each.status for each in page.sent(f"{origin}/api/event")] == [202, 202]
        page.close()
        await arrivals(relay, origin, 3)


async def test_from_the_browser_itself(tmp_path: Path, relay: Relay, pages: Pages, browser: Browser) -> None:
    """Without the proxy the browser posts to the relay, and has its own address."""
    pages.add_script(SCRIPT)
    layout = pointed_at(relay.door, with_script_of(pages, DIRECT))
    with next_site(tmp_path / "next.log", layout) as site:
        origin = seen_by_browsers(site)
        page = browser.visit(f"{origin}/")
        await arrivals(relay, origin, 1)
        page.click("#buy")
        _, sale = await arrivals(relay, origin, 2)
        assert (sale.name, sale.ip, sale.outcome) == ("Purchase", "127.0.0.1", "recorded")
        assert [(each.method, each.status) for each in page.sent(relay.door)] == [("POST", 202)] * 2
