"""A relay that is closed but for its sources: the tracker, which has no place for a key, still works for its site."""

from pathlib import Path

import pytest

from clients.arrivals import arrivals
from clients.chromium import Browser
from clients.pages import Pages
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay, event, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
(SETUP,) = snippets("@plausible-analytics/tracker", "js")
SIGNUP = "new Promise(callback => plausible('Signup', {callback}))"


async def test_a_web_sources_site_needs_no_key_and_another_is_refused(
    tmp_path: Path, pages: Pages, browser: Browser
) -> None:
    """The site of a web source is let in without a key; a page that posts for another site gets a 401 it can read."""
    (tmp_path / "relay").mkdir()
    async with Relay(tmp_path / "relay") as relay:
        added = relay.command("source", "add", "pages", "--kind", "web", "--site", "example.com")
        assert added.returncode == 0, added.stderr

        async def closed() -> bool:
            return (
                await relay.post(event(domain="other.example"), X_Debug_Request="true", Authorization="Bearer x") == 401
            )

        await until("a door that knows its source", closed, within_s=5.0)
        code = pointed_at(relay.door, SETUP)
        page = browser.visit(pages.add("mine", code))
        await arrivals(relay, pages.origin, 1)
        assert page.run(SIGNUP) == {"status": 202}
        stranger = browser.visit(pages.add("other", code.replace('"example.com"', '"other.example"')))
        assert stranger.run(SIGNUP) == {"status": 401}
        assert {each.sites[0] for each in await arrivals(relay, pages.origin, 2)} == {"example.com"}
        await relay.settled(accepted=2, delivered=2)
