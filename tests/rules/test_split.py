"""An event for several sites becomes one body for each, and nothing else in it changes."""

import pytest

from relay.rules.event import Event, Validation, parse_event
from relay.rules.split import bodies_by_site


def split(body: bytes) -> list[tuple[str, bytes]]:
    """The bodies of a legal event."""
    event = parse_event(body, Validation.PLAUSIBLE)
    assert isinstance(event, Event)
    return bodies_by_site(event)


@pytest.mark.parametrize("domain", [b'"a.com"', b'" www.a.com "', b"null", b'["x","y"]'])
def test_one_site_keeps_the_body(domain: bytes) -> None:
    """An event of one site is sent byte for byte as it came, whatever the spelling."""
    body = b' {"n":"x" , "u":"http://a.com/", "domain":%b}\n' % domain
    assert split(body) == [("a.com", body)]


@pytest.mark.parametrize(
    ("body", "with_a", "with_b"),
    [
        (
            b'{"n":"x","u":"/","d":"a.com, www.b.com"}',
            b'{"n":"x","u":"/","d":"a.com"}',
            b'{"n":"x","u":"/","d":"b.com"}',
        ),
        (
            b' { "domain" :\t"a.com,b.com" , "n":"x","u":"/" } ',
            b' { "domain" :\t"a.com" , "n":"x","u":"/" } ',
            b' { "domain" :\t"b.com" , "n":"x","u":"/" } ',
        ),
        (
            b'{"\\u0064":"a.com\\u002cb.com","n":"x","u":"/"}',
            b'{"\\u0064":"a.com","n":"x","u":"/"}',
            b'{"\\u0064":"b.com","n":"x","u":"/"}',
        ),
        (
            b'{"d":null,"domain":"a.com,b.com","n":"x","u":"/","p":{"domain":"a.com,b.com","d":"}\\","}}',
            b'{"d":null,"domain":"a.com","n":"x","u":"/","p":{"domain":"a.com,b.com","d":"}\\","}}',
            b'{"d":null,"domain":"b.com","n":"x","u":"/","p":{"domain":"a.com,b.com","d":"}\\","}}',
        ),
        (
            b'{"domain":"a.com,b.com","n":"x","u":"/","d" : false }',
            b'{"domain":"a.com","n":"x","u":"/","d" : false }',
            b'{"domain":"b.com","n":"x","u":"/","d" : false }',
        ),
        (
            b'{"d":"a.com,b.com","domain":"other.com","n":"domain","u":"\\\\"}',
            b'{"d":"a.com","domain":"other.com","n":"domain","u":"\\\\"}',
            b'{"d":"b.com","domain":"other.com","n":"domain","u":"\\\\"}',
        ),
    ],
)
def test_only_the_site_changes(body: bytes, with_a: bytes, with_b: bytes) -> None:
    """The value of the key that counts is replaced wherever it stands in the outermost object; no other byte is."""
    assert split(body) == [("a.com", with_a), ("b.com", with_b)]


def test_a_doubled_site_stays_two_events() -> None:
    """A site that a list names twice gets the event twice, as upstream."""
    assert [site for site, _ in split(b'{"n":"x","u":"/","d":"a.com,a.com"}')] == ["a.com", "a.com"]


@pytest.mark.parametrize("part", ["www.www.a.com", "www. a.com", "", "www.", 'quo"te', "münchen.de"])
def test_an_odd_spelling_reads_as_the_same_site_again(part: str) -> None:
    """Plausible reads out of each body exactly the site that it would have read out of the list."""
    body = ('{"n":"x","u":"/","d":"a.com,' + part.replace('"', '\\"') + '"}').encode()
    site, alone = split(body)[1]
    event = parse_event(alone, Validation.PLAUSIBLE)
    assert isinstance(event, Event)
    assert event.sites == (site,)
