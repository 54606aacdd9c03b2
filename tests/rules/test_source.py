"""Who may post for which sites: denied by default, and told what would be right."""

from typing import Any

import pytest

from relay.rules.admission import parse_sites
from relay.rules.source import (
    Denial,
    Denied,
    Key,
    Kind,
    Rate,
    Source,
    Sources,
    anybody,
    browsers_of,
    digest_of,
    key_in,
    no_visitor,
    rate_of,
    responsible,
    too_many,
)


def source(name: str, kind: Kind, *sites: str, **more: Any) -> Source:
    """A source that may post for the sites."""
    return Source(name, kind, parse_sites(sites), **more)


SHOP = source("shop", Kind.BACKEND, "shop.example", "a.example", speaks=True)
PAGES = source("pages", Kind.WEB, "a.example", speaks=True)
BLOG = source("blog", Kind.WEB, "b.example", address_rate=Rate(1, 2))
NOW_MS = 1_000_000


def known(*sources: Source, until_ms: int | None = None) -> Sources:
    """The sources, each with the key `prk_<name>`."""
    keys = {digest_of(f"prk_{each.name}".encode()): Key(each, until_ms) for each in sources}
    return Sources(keys, browsers_of(sources))


def reason(found: Source | Denied) -> tuple[int, Denial]:
    """Status and reason of a refusal."""
    assert isinstance(found, Denied)
    assert found.message.isprintable()
    return found.status, found.reason


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([(b"Authorization", b"Bearer k")], b"k"),
        ([(b"AUTHORIZATION", b" bearer   k ")], b"k"),
        ([(b"authorization", b"Bearer")], b""),
        ([(b"authorization", b"Basic Ong=")], None),
        ([(b"authorization", b"Basic Ong="), (b"authorization", b"Bearer k")], None),
        ([(b"authorization", b"Bearer \xff\xfe")], b"\xff\xfe"),
        ([(b"x-authorization", b"Bearer k"), (b"cookie", b"k")], None),
    ],
    ids=repr,
)
def test_the_key_is_a_bearers(headers: list[tuple[bytes, bytes]], key: bytes | None) -> None:
    """One place for the key and no other; what is no key of ours is no key."""
    assert key_in(headers) == key


def test_a_key_opens_for_its_source_only() -> None:
    """A key is known or not, to the letter; nothing like it opens."""
    sources = known(SHOP, PAGES)
    assert sources.identify(b"prk_shop", NOW_MS) == SHOP
    assert sources.identify(b"prk_pages", NOW_MS) == PAGES
    for wrong in (b"", b"prk_sho", b"prk_shop ", b"prk_shopx", b"PRK_SHOP", digest_of(b"prk_shop").encode(), b"\xff"):
        assert reason(sources.identify(wrong, NOW_MS)) == (401, Denial.UNKNOWN_KEY)


def test_an_old_key_opens_until_its_end() -> None:
    """The grace of a rotation ends on the millisecond."""
    sources = known(SHOP, until_ms=NOW_MS)
    assert sources.identify(b"prk_shop", NOW_MS - 1) == SHOP
    ended, unknown = sources.identify(b"prk_shop", NOW_MS), sources.identify(b"x", NOW_MS)
    assert reason(ended) == (401, Denial.UNKNOWN_KEY)
    assert isinstance(ended, Denied)
    assert isinstance(unknown, Denied)
    assert (ended.source, ended.errors) == ("shop", unknown.errors), "told to the log, and not to the sender"


def test_only_a_web_source_lets_in_without_a_key() -> None:
    """Whoever shows no key is a browser or nobody, and where browsers have no business he is nobody."""
    assert reason(known(SHOP).identify(None, NOW_MS)) == (401, Denial.NO_KEY)
    browser = known(SHOP, PAGES).identify(None, NOW_MS)
    assert isinstance(browser, Source)
    assert (browser.name, browser.keyless, browser.speaks) == ("pages", True, False)
    assert reason(known(SHOP, PAGES).identify(None, NOW_MS, keyless=False)) == (401, Denial.NO_KEY)


def test_a_key_covers_every_site_or_the_event_is_refused() -> None:
    """One foreign site is enough; the empty part of a list is none, and left to the rules of events."""
    assert responsible(SHOP, ("shop.example", "", "a.example")) == SHOP
    for sites in (("x.example",), ("shop.example", "x.example"), ("Shop.example",), ("sub.shop.example",)):
        assert reason(responsible(SHOP, sites)) == (403, Denial.WRONG_SITE)
    denied = responsible(SHOP, ("shop.example", "x.example"))
    assert isinstance(denied, Denied)
    assert (denied.source, denied.site) == ("shop", "x.example")
    assert denied.errors == {
        "source": [
            'the key of source "shop" does not cover the site "x.example": it may post for "a.example", "shop.example"'
        ]
    }
    assert responsible(source("all", Kind.APP, "*"), ("x.example",)) == source("all", Kind.APP, "*")


def test_a_refusal_is_short_and_printable_whatever_the_site_is_called() -> None:
    """The site's name comes from the sender, the list of sites may be long."""
    many = source("many", Kind.APP, *(f"{n:03}.example" for n in range(200)))
    denied = responsible(many, ("\x1b[2J\n" + "x" * 5_000,))
    assert isinstance(denied, Denied)
    assert "and 195 more" in denied.message
    assert len(denied.message) < 400
    assert denied.message.isprintable()


def test_of_several_web_sources_the_one_of_the_site_answers() -> None:
    """A browser's event is its site's, limits and all; a site of none needs a key."""
    browser = browsers_of([SHOP, PAGES, BLOG], Rate(7, 7))
    assert browser is not None
    found = responsible(browser, ("b.example",))
    assert isinstance(found, Source)
    assert (found.name, found.address_rate, found.speaks) == ("blog", Rate(1, 2), False)
    found = responsible(browser, ("a.example", "b.example"))
    assert isinstance(found, Source)
    assert (found.name, found.address_rate, found.speaks) == ("pages", Rate(7, 7), False)
    assert reason(responsible(browser, ("shop.example",))) == (401, Denial.NO_KEY)
    assert "a.example" not in str(responsible(browser, ("x.example",))), "a stranger learns no site"


def test_the_open_relay_leaves_sites_to_admission() -> None:
    """Without sources nothing is asked, and RELAY_SITES decide as before."""
    open_relay = anybody(parse_sites(["a.example"]))
    assert responsible(open_relay, ("x.example",)) == open_relay
    assert not open_relay.speaks


def test_other_refusals_say_when_and_what() -> None:
    """A limit says when to come again, in whole seconds and never in none; a missing visitor, which headers."""
    limited = source("shop", Kind.APP, "*", rate=Rate(5, 10), address_rate=Rate(0.5, 1))
    assert [too_many(limited, ms, of_address=False).retry_after_s for ms in (0, 1, 1_000, 1_001)] == [1, 1, 1, 2]
    assert '"shop", at most 5 a second and 10 at once' in too_many(limited, 1, of_address=False).message
    assert "this address, at most 0.5 a second" in too_many(limited, 1, of_address=True).message
    assert list(no_visitor(SHOP).errors) == ["ip"]
    assert "X-Forwarded-For" in no_visitor(SHOP).message


def test_a_rate_without_a_burst() -> None:
    """What ten seconds allow may come at once, and one event always."""
    assert rate_of(None, 5) is None
    assert [rate_of(5, None), rate_of(0.01, None), rate_of(5, 3)] == [Rate(5, 50), Rate(0.01, 1), Rate(5, 3)]
