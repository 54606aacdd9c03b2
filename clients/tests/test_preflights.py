"""What a browser asks before it sends, from a real page: Chromium itself judges the relay's CORS headers."""

import pytest

from clients.arrivals import arrivals
from clients.chromium import Browser
from clients.pages import Pages
from tests.system.rig import Relay

pytestmark = pytest.mark.asyncio(loop_scope="session")
POST = """fetch("{door}/api/event", {{method: "POST", headers: {headers}, body: JSON.stringify({{
    name: "Signup", domain: "example.com", url: location.href }}) }})
    .then(async answer => [answer.status, await answer.text()], error => [String(error)])"""


async def test_json_is_asked_for_and_let_through(relay: Relay, pages: Pages, browser: Browser) -> None:
    """`application/json` takes a preflight; after it the event is sent and its answer can be read."""
    page = browser.visit(pages.add("json", ""))
    answer = page.run(POST.format(door=relay.door, headers='{"Content-Type": "application/json"}'))
    assert answer == [202, "ok"]
    await arrivals(relay, pages.origin, 1)
    sent = sorted((each.method, each.status) for each in page.sent(relay.door))
    assert sent == [("OPTIONS", 204), ("POST", 202)]


async def test_no_page_can_name_an_address(relay: Relay, pages: Pages, browser: Browser) -> None:
    """`X-Forwarded-For` is not among the allowed headers, as with Plausible: the browser does not send the event."""
    page = browser.visit(pages.add("forged", ""))
    (said,) = page.run(POST.format(door=relay.door, headers='{"X-Forwarded-For": "203.0.113.9"}'))
    assert said == "TypeError: Failed to fetch"
    (failed,) = {each.failed for each in page.sent(relay.door) if each.method == "POST"}
    assert failed == "HeaderDisallowedByPreflightResponse"
    urls = [each["url"] for each in (await relay.arrived())["events"]]
    assert [url for url in urls if url.startswith(pages.origin)] == []
