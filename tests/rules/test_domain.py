"""Which sites an event names: `domain`, a comma list, or the host of the url (contract section 1, the row "domain")."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.rules.event import Event, Refused

Parse = Callable[..., Event | Refused]

BLANK = "can't be blank"


@pytest.mark.parametrize(
    ("fields", "sites"),
    [
        ({"domain": "example.com"}, ("example.com",)),
        ({"d": "a.com", "domain": "b.com"}, ("a.com",)),
        ({"d": None, "domain": "b.com"}, ("b.com",)),
        ({"domain": " www.Example.com\u3000"}, ("Example.com",)),
        ({"domain": "WWW.example.com"}, ("WWW.example.com",)),
        ({"domain": "www.www.example.com"}, ("www.example.com",)),
        ({"domain": "a.com, www.b.com ,a.com"}, ("a.com", "b.com", "a.com")),
        ({"domain": "a.com,,b.com"}, ("a.com", "", "b.com")),
        ({"domain": ","}, ("", "")),
        ({"domain": ..., "url": "https://www.shop.com:8080/x"}, ("shop.com",)),
        ({"domain": None, "url": "HTTPS://Shop.com/x"}, ("Shop.com",)),
        ({"domain": ["a.com"], "url": "http://user:pw@b.com"}, ("b.com",)),
        ({"d": 0, "domain": "a.com", "url": "//c.com?x"}, ("c.com",)),
        ({"domain": ..., "url": "http://[2001:db8::1]:80/"}, ("2001:db8::1",)),
        ({"domain": ..., "url": "app://localhost/home"}, ("localhost",)),
        ({"domain": ..., "url": "http://a,b/"}, ("a,b",)),
    ],
)
def test_sites_that_an_event_names(strict: Parse, fields: dict[str, Any], sites: tuple[str, ...]) -> None:
    """`domain` is trimmed, split at commas and loses one `www.` a part; without text the host of the url counts."""
    event = strict(**fields)
    assert isinstance(event, Event)
    assert event.sites == sites


@pytest.mark.parametrize(
    "fields",
    [
        {"domain": ""},
        {"domain": " \u2003"},
        {"d": "", "domain": "does.not.fall.through"},
        {"domain": ..., "url": "/about"},
        {"domain": ..., "url": "about:blank"},
        {"domain": ..., "url": "file:///index.html"},
        {"domain": ..., "url": ""},
        {"domain": {}, "url": "free text"},
    ],
)
def test_no_site_is_refused(plausible: Parse, strict: Parse, fields: dict[str, Any]) -> None:
    """A blank `domain`, or none and a url without a host, is a 400 on `domain`."""
    assert plausible(**fields) == Refused(400, {"domain": [BLANK]})
    told = strict(**fields)
    assert isinstance(told, Refused)
    assert told.errors["domain"][0].startswith(f"{BLANK}: ")


def test_a_list_as_long_as_a_request_is_refused(plausible: Parse, strict: Parse) -> None:
    """More than 100 sites in one event are refused in both modes, before a body is made for each."""
    for parse in (plausible, strict):
        refused = parse(domain=",".join(["a.com"] * 101))
        assert isinstance(refused, Refused)
        assert "101" in refused.errors["domain"][0]
        assert isinstance(parse(domain=",".join(["a.com"] * 100)), Event)
