"""The script in the place of Plausible's: served as Plausible serves its own. What it does, `clients/tests` has."""

import pytest

from tests.sandbox.sender import Sender


@pytest.mark.parametrize("name", ["script.js", "script.hash.outbound-links.js", "plausible.js", "pa-Xy_9-z.js"])
async def test_served_as_plausible_serves_its_own(sender: Sender, name: str) -> None:
    """JavaScript for pages of any origin, which says that it is a stand-in."""
    async with sender.session.get(f"{sender.url}/js/{name}") as answer:
        text = await answer.text()
    assert (answer.status, answer.content_type) == (200, "application/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=60, no-transform"
    assert text.startswith("// A stand-in for the script that Plausible serves")


@pytest.mark.parametrize("name", ["other.js", "script.css", "pa-.js", "script..js", "script.js.map"])
async def test_other_names_are_not_there(sender: Sender, name: str) -> None:
    """As with Plausible, where a misspelt name is a 404."""
    async with sender.session.get(f"{sender.url}/js/{name}") as answer:
        assert answer.status == 404
