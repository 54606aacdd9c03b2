"""`django-plausible-proxy` 0.5.1 in a real Django site behind an edge, as docs/clients.md sets it up."""

from pathlib import Path

import pytest

from clients.arrivals import arrivals
from clients.chromium import USER_AGENT, Browser, seen_by_browsers
from clients.install import PYTHON
from clients.process import HERE, edge, server
from clients.snippets import pointed_at, snippets
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
SETTINGS, URLS, VIEWS = snippets("django-plausible-proxy", "python")
VISITOR = "203.0.113.8"


async def test_tag_proxy_and_custom_events(tmp_path: Path, relay: Relay, browser: Browser) -> None:
    """Only the host is changed: Django has the script from the relay, posts there what it is sent and its own."""
    site = tmp_path / "site"
    site.mkdir()
    with edge(tmp_path / "events.log", relay.door) as events:
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


async def test_its_script_is_the_one_that_plausible_serves(tmp_path: Path, relay: Relay) -> None:
    """Through Django and the relay, byte for byte, under each name that the package's settings can make."""
    (tmp_path / "settings.py").write_text(pointed_at(relay.door, SETTINGS), encoding="utf-8")
    (tmp_path / "urls.py").write_text(URLS, encoding="utf-8")
    (tmp_path / "views.py").write_text(VIEWS, encoding="utf-8")
    with server((PYTHON, HERE / "django_site.py", tmp_path), tmp_path / "django.log") as django:
        for name in ("script.js", "script.hash.outbound-links.js"):
            async with relay.http.get(f"{relay.sandbox}/js/{name}") as own:
                expected = await own.read()
            async with relay.http.get(f"{django}/js/{name}") as script:
                assert (script.status, script.content_type) == (200, "application/javascript")
                assert await script.read() == expected
