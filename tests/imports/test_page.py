"""The columns that come from an event's URL and referrer, as Plausible fills them."""

import pytest

from relay.imports.origin import Origin, origin_of
from relay.imports.page import page_of
from relay.imports.sources import named_by_host, named_by_tag


@pytest.mark.parametrize(
    ("url", "hostname", "path"),
    [
        ("https://www.example.com", "example.com", "/"),
        ("https://user@Example.com:8443/a%20b/?x#y", "Example.com", "/a b/"),
        ("https://[2001:db8::1]/x ", "2001:db8::1", "/x"),
        ("app://welcome/step/2", "welcome", "/step/2"),
        ("/only/a/path?q", "(none)", "/only/a/path"),
        ("about:blank", "(none)", "blank"),
        ("https://example.com/%ff", "example.com", "/\ufffd"),
        ("", "(none)", "/"),
    ],
)
def test_host_and_path(url: str, hostname: str, path: str) -> None:
    """One `www.` less, the path decoded, no query and no fragment."""
    assert page_of(url)[:2] == (hostname, path)


def test_hash_mode_keeps_the_fragment() -> None:
    """For sites whose pages are told apart by it."""
    assert page_of("https://example.com/app#/a%20b", hash_mode=True).path == "/app#/a b"


def test_a_query_of_a_thousand_fields_has_no_tags() -> None:
    """It is no page of a person, and is not worth the time."""
    assert page_of("/?utm_source=x&" + "a&" * 2_000).query == {}


@pytest.mark.parametrize(
    ("url", "referrer", "origin"),
    [
        ("/", "https://www.example.com/x", Origin("", "", "", "", "", "", "")),
        ("/", "https://localhost:3000/", Origin("", "", "", "", "", "", "")),
        ("/", "ftp://a.example/", Origin("", "", "", "", "", "", "")),
        ("/", "nonsense", Origin("", "", "", "", "", "", "")),
        ("/", "https://a.example/x//", Origin("a.example", "a.example/x", "", "", "", "", "")),
        (
            "/",
            "android-app://com.example.mail/",
            Origin("android-app://com.example.mail", "android-app://com.example.mail", "", "", "", "", ""),
        ),
        ("/", "https://en.m.wikipedia.org/wiki/X", Origin("Wikipedia", "en.m.wikipedia.org/wiki/X", *[""] * 5)),
        ("/?utm_source=&ref=x", "https://bing.com/", Origin("", "bing.com", "", "", "", "", "")),
        ("/?source=FB", None, Origin("Facebook", "", "FB", "", "", "", "")),
        ("/?utm_campaign=c&utm_content=d", None, Origin("", "", "", "", "c", "d", "")),
        ("/?msclkid=1", "https://www.bing.com/search", Origin("Bing", "bing.com/search", "", "(msclkid)", "", "", "")),
    ],
)
def test_origin(url: str, referrer: str | None, origin: Origin) -> None:
    """A tag outranks the referrer; a page of the same host, of localhost or of no web address is no referrer."""
    assert origin_of(page_of(f"https://example.com{url}"), referrer) == origin


@pytest.mark.parametrize("host", ["google.com", "www.google.de", "google.co.uk", "google.com.br"])
def test_google_is_one_source_in_every_country(host: str) -> None:
    """Also in those that are not listed."""
    assert named_by_host(host) == "Google"


@pytest.mark.parametrize("host", ["notgoogle.com", "google.example.com", "example.com", "com", "", "."])
def test_other_hosts_are_not_known(host: str) -> None:
    """A name that only looks like one."""
    assert named_by_host(host) is None


def test_a_tag_is_known_in_any_case_or_kept() -> None:
    """As Plausible merges tags with sources."""
    assert [named_by_tag(tag) for tag in ("GOOGLE", "hacker news", "Our Newsletter")] == [
        "Google",
        "Hacker News",
        "Our Newsletter",
    ]
