"""`django-plausible-proxy` 0.5.1 in a real Django site behind an edge, as docs/clients.md sets it up."""

from pathlib import Path

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser, seen_by_browsers
from clients.install import PYTHON
from clients.pages import Pages
from clients.process import HERE, edge, server
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
SETTINGS, URLS, VIEWS = snippets("django-plausible-proxy", "python")
VISITOR = "203.0.113.8"


async def test_tag_proxy_and_custom_events(tmp_path: Path, relay: Relay, pages: Pages, browser: Browser) -> None:
    """The tag's script posts to Django, Django to the relay, and what Django sends itself is the same visitor's."""
    pages.add_script("script.js")
    site = tmp_path / "site"
    site.mkdir()
    with edge(tmp_path / "events.log", relay.door, script=pages.address) as events:
        (site / "settings.py").write_text(pointed_at(events, SETTINGS), encoding="utf-8")
        (site / "urls.py").write_text(URLS, encoding="utf-8")
        (site / "views.py").write_text(VIEWS, encoding="utf-8")
        with (
            server((PYTHON, HERE / "django_site.py", site), tmp_path / "django.log") as django,
            edge(tmp_path / "edge.log", django, visitor=VISITOR) as front,
        ):
            origin = seen_by_browsers(front)
            page = browser.visit(f"{origin}/")
            await arrivals(relay, origin, 1)
            assert page.run("fetch('/signup').then(answer => answer.text())") == "Welcome"
            pageview, signup = await arrivals(relay, origin, 2)
            page.close()
            *_, engagement = await arrivals(relay, origin, 3)
    named = [each.name for each in (pageview, signup, engagement)]
    assert named == ["pageview", "Signup", "engagement"]
    assert (pageview.url, signup.props) == (f"{origin}/", {"plan": "trial"})
    for each in (pageview, signup, engagement):
        assert (each.ip, each.user_agent, each.outcome) == (VISITOR, USER_AGENT, "recorded")
        assert each.sites == ["example.com"]


async def test_without_the_script_its_own_events_still_come(tmp_path: Path, relay: Relay) -> None:
    """Where `/js/` does not lead to Plausible, the tag's script is an error; what Django sends is not touched by it."""
    (tmp_path / "settings.py").write_text(pointed_at(relay.door, SETTINGS), encoding="utf-8")
    (tmp_path / "urls.py").write_text(URLS, encoding="utf-8")
    (tmp_path / "views.py").write_text(VIEWS, encoding="utf-8")
    with server((PYTHON, HERE / "django_site.py", tmp_path), tmp_path / "django.log") as django:
        async with relay.http.get(f"{django}/js/script.js") as script:
            assert script.status == 500
        async with relay.http.get(f"{django}/signup", headers={"User-Agent": USER_AGENT}) as page:
            assert await page.text() == "Welcome"
        (signup,) = await arrivals(relay, django, 1)
    assert (signup.name, signup.user_agent, signup.outcome) == ("Signup", USER_AGENT, "recorded")
