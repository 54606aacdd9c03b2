"""What Plausible will do without a word is told, of each field once, and of nothing that it leaves as it is."""

from ipaddress import ip_address
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rules.bots import _BOT, looks_like_bot
from relay.rules.event import Event, Validation, parse_event
from relay.rules.visitor import Visitor
from relay.rules.warnings import in_header, is_public, of_visitor

REPEATABLE = settings(derandomize=True, database=None, deadline=None, max_examples=200)


def told(validation: Validation = Validation.STRICT, **fields: Any) -> tuple[str, ...]:
    """The warnings of a legal event with some fields changed."""
    event = parse_event(
        orjson.dumps({"n": "pageview", "u": "https://a.example/", "d": "a.example"} | fields), validation
    )
    assert isinstance(event, Event)
    return event.warnings


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"r": "x" * 2_001}, "referrer is cut to 2,000 characters"),
        ({"referrer": 7}, "referrer is ignored: it is no text"),
        ({"p": {"a": "", "b": 1}}, 'props: "a" (blank) dropped'),
        ({"m": {"a": " \u2003", "b": 1}}, 'props: "a" (blank) dropped'),
        ({"p": {"tags": ["x"], "at": {}, "no": None}}, 'props: "tags" (a list), "at" (an object), "no" (null) dropped'),
        ({"p": {" ": "x"}}, 'props: " " (a blank name) dropped'),
        ({"p": {str(n): "" for n in range(9)}}, '"2" (blank) and 6 more dropped'),
        ({"p": '{"a": []}'}, 'props: "a" (a list) dropped'),
        ({"p": ["a"]}, "props is dropped: it is no object"),
        ({"p": "no json"}, "props is dropped: it is no object"),
        ({"p": 7}, "props is dropped: it is no object"),
        ({"u": "https://a.example/x "}, "the path's end is trimmed"),
        ({"u": "https://a.example/x%20?q=1"}, "the path's end is trimmed"),
        ({"u": "/x%E2%80%83#f"}, "the path's end is trimmed"),
        ({"interactive": "no"}, "interactive is ignored"),
        ({"i": 0}, "interactive is ignored"),
        ({"ip": "81.2.69.142"}, "ip is not read: send X-Forwarded-For"),
        ({"timestamp": 1}, "timestamp is not read: Plausible books an event when it arrives"),
    ],
)
def test_what_is_lost_is_told(fields: dict[str, Any], said: str) -> None:
    """One warning says what and why."""
    (warning,) = told(**fields)
    assert said in warning


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"r": "x" * 2_000, "p": {"a": "x", "b": 1, "c": False, "d": 0.5}, "i": False, "v": 33, "h": 1},
        {"p": {}, "r": "", "m": None},
        {"p": '{"a": "x"}', "r": None},
        {"u": "https://a.example/x%20y?q=%20"},
        {"u": "https://a.example/a%", "w": 1_280},
        {"u": "about:blank"},
        {"u": ""},
        {"$": {"amount": "19.90", "currency": "EUR"}},
    ],
)
def test_what_stays_is_not_told(fields: dict[str, Any]) -> None:
    """Whatever the tracker sends has no warning."""
    assert told(**fields) == ()


def test_plausible_validation_warns_of_what_strict_refuses() -> None:
    """The 31st prop, and revenue that is lost or cut."""
    lax = Validation.PLAUSIBLE
    (props,) = told(lax, p={f"{n:02}": "x" for n in range(31)})
    assert props == "props: there are more than 30, and Plausible keeps 30"
    (first, second) = told(lax, p={f"{n:02}": "x" for n in range(31)} | {"x": []})
    assert (first, second) == (props, 'props: "x" (a list) dropped: send text, a number, true or false')
    (revenue,) = told(lax, revenue={"amount": "1,299.00", "currency": "USD"})
    assert revenue.startswith('revenue amount "1,299.00" is not a plain number, Plausible would book "1": send 1299.00')


def test_visitors_that_plausible_drops() -> None:
    """A bot's User-Agent and a private address; no User-Agent is none."""
    assert of_visitor(Visitor("81.2.69.142", b"Mozilla/5.0 (X11)")) == of_visitor(Visitor("2a00:1450::1", None)) == ()
    (bot,) = of_visitor(Visitor("81.2.69.142", b"acme-proxy/1.0"))
    assert "bot lists match the User-Agent" in bot
    (private,) = of_visitor(Visitor("10.0.0.1", None))
    assert "private or reserved" in private


@REPEATABLE
@given(st.ip_addresses(v=4) | st.ip_addresses(v=6) | st.integers(0, 255).map(lambda n: ip_address(f"{n}.0.0.1")))
def test_the_short_way_to_public_addresses_is_the_library_s(address: Any) -> None:
    """What is public is so by the standard library's own table."""
    assert is_public(str(address)) == address.is_global


@REPEATABLE
@given(
    st.lists(
        st.sampled_from(
            [
                b"bot",
                b"Crawler",
                b"x",
                b" ",
                b"/",
                b"-",
                b"node",
                b"k6",
                b"Proxy",
                b"HeadlessChrome",
                b"url",
                b"WordPress/",
            ]
        )
        | st.binary(max_size=4),
        max_size=6,
    ).map(b"".join)
)
def test_the_short_way_past_the_bots_misses_none(agent: bytes) -> None:
    """Looking for signs first changes no answer."""
    assert looks_like_bot(agent) == (_BOT.search(agent) is not None)


def test_a_warning_fits_into_a_header() -> None:
    """Printable ASCII, whatever the sender wrote."""
    (warning,) = told(p={"ü\r\n\x7f\u2028😀": []})
    header = in_header(warning)
    assert header.isascii()
    assert header.isprintable()
    assert "\\xfc" in header
