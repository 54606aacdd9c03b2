"""The shortcut for usual events against the rules for all: whatever the event, both say the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rules.document import read_object
from relay.rules.event import Event, Validation, parse_by_rules, parse_event
from relay.rules.fault import Fault
from relay.rules.usual import read_usual, read_usual_body
from relay.rules.usual_items import read_usual_items
from relay.rules.warnings import of_single

SIMPLE = b'{"n":"a","u":"/","d":"b.com"}'
CORPUS = Path(__file__).parents[1] / "corpus"
PAIRS = [("n", "name"), ("u", "url"), ("d", "domain"), ("r", "referrer"), ("p", "props"), ("revenue", "$")]
OTHERS = ["m", "meta", "i", "interactive", "h", "hashMode", "sd", "e", "ip", "timestamp"]
KEYS = [*(key for pair in PAIRS for key in pair), *OTHERS]
USUAL = {"n": "pageview", "u": "https://a.com/b?c", "d": "a.com"}
WHITE = [" ", "\t", "\x1c", "\x85", "\xa0", "\u2003", "\u200b"]
SITES = ["a.com", "www.a.com", "a.com,b.com", " a.com ", ",", "a" * 254, ",".join("a" * 101)]
LIMITS = [120, 300, 500, 2_000]
LONGS = [character * (limit + more) for character in "aä😀" for limit in LIMITS for more in (0, 1)]
PATHS = ["", "/", "/a", "/a%20", "/a%C2%A0", "/%E4%BD%A0", "/a ", "/a\xa0", "/a%20/b", "/ä", "/%E2%80%80", "/%20ab"]
URLS = [
    begin + path + end
    for begin in ("https://a.com", "app://x", "", "//b", "data:", "DATA:x", "http://[::1]:80")
    for path in PATHS
    for end in ("", "?q= ", "#f", "?a#b ", "#?%20")
]
AMOUNTS = [
    *("0", "00", "-1", "+1", "1.", ".5", "1.50", "1e3", "1,5", " 1", "1\n", "9" * 15, "9" * 16, "0." + "1" * 15),
    *("0." + "1" * 16, "9" * 15 + "." + "9" * 15, 0, 1, -1, 10**15, 2**64 - 1, 19.9, 5.0, 1e-5, 1e15, 1e16, -0.0, "٣"),
]
PLAIN: list[Any] = [None, False, True, 0, 1, -1, 1.5, 2.0**70, "", "null", "{}", "engagement", *WHITE, *LONGS, [], {}]
MONEY = [{"amount": amount, "currency": "EUR"} for amount in [*AMOUNTS, *PLAIN]]
MONEY += [{"amount": 1, "currency": code} for code in [*PLAIN, "eur", " EUR", "USD", "XYZ"]]
PROPS = [{"a": "b", "k": value} for value in PLAIN] + [{key: "v"} for key in PLAIN if isinstance(key, str)]
PROPS += [{f"k{n}": n for n in range(count)} for count in (29, 30, 31)]
OBJECTS: list[Any] = [*MONEY, *PROPS, {"amount": 1}, {"currency": "EUR"}]
OBJECTS += [orjson.dumps(each).decode() for each in OBJECTS]
EDGES = [*PLAIN, *SITES, *AMOUNTS]


def check(told: dict[str, Any]) -> bool:
    """Both ways say the same; returns whether the shortcut was taken."""
    return check_body(orjson.dumps(told))


def check_body(body: bytes) -> bool:
    """All ways say the same of a body, from its fields and straight from its bytes; whether those were enough."""
    straight = read_usual_body(body)
    check_items([body])
    check_items([SIMPLE, body, body])
    fields = read_object(body)
    if isinstance(fields, Fault):
        assert straight is None, body
        return False
    usual = read_usual(fields)
    for validation in Validation:
        by_rules = parse_by_rules(fields, body, validation)
        assert usual is None or by_rules == Event(*usual, body), body
        assert straight is None or (by_rules == Event(*straight, body) and not of_single(fields)), body
    assert usual is not None or straight is None, body
    return straight is not None


def check_items(bodies: Sequence[bytes]) -> bool:
    """What is read of many at once is what the rules read of each; whether it was."""
    found = read_usual_items(bodies)
    if found is None:
        return False
    for body, site, sale, engagement in zip(bodies, *found, strict=True):
        for validation in Validation:
            event = parse_by_rules(fields(body), body, validation)
            assert isinstance(event, Event), body
            assert (event.sites, event.revenue is not None, event.warnings) == ((site,), sale, ()), body
            assert (event.name == "engagement") == engagement, body
        assert not of_single(fields(body)), body
    return True


def fields(body: bytes) -> dict[str, Any]:
    """The fields of a body, which has to be an event's."""
    found = read_object(body)
    assert not isinstance(found, Fault), body
    return found


def each_edge() -> Iterator[dict[str, Any]]:
    """A usual event with one of its fields on an edge, beside its other key and alone."""
    for key in KEYS:
        for value in EDGES + (URLS if key in {"u", "url"} else OBJECTS if key in {"p", "m", "$"} else []):
            yield USUAL | {key: value}
            yield {name: kept for name, kept in USUAL.items() if name != key[0]} | {key: value}
    for first, second in PAIRS:
        for value in PLAIN:
            yield USUAL | {first: value, second: {"a": "b", "amount": 1, "currency": "EUR"}}
            yield USUAL | {first: value, second: "x"}


def test_every_edge_is_read_as_by_the_rules() -> None:
    """One field at an edge of its rules, all others usual: the same event and no warning, or left to the rules."""
    taken = [check(told) for told in each_edge()]
    assert 0.2 * len(taken) < sum(taken) < 0.9 * len(taken)


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(EDGES + URLS + OBJECTS) | st.text(max_size=3), max_size=4)
)
def test_edges_together_are_read_as_by_the_rules(told: dict[str, Any]) -> None:
    """Several fields at once."""
    check(USUAL | told)


MEMBERS = [
    *('"n":"a"', '"n" :"b"', '"n":null', '"n":"\\":"', '"n":"x\\u0022:"', '"\\u006e":"c"', '"name":"d"', '"n":":"'),
    *('"n":"\\ud800"', '"n":"engagement"', '"u":"https://a.com/"', '"url": "https://b.com/"', '"u":"//x\\n"'),
    *('"u":null', '"d":"a.com"', '"domain":"b.com"', '"d":""', '"r":"x"', '"r":null', '"v":3', '"v":{"a":1}'),
    *('"v":1e400', '"v":123456789012345678901234567890', '"p":{}', '"p":{"a":"b"}', '"p":{"a":1,"a":2}'),
    *('"p":{"a":null}', '"p":{"a" :"b"}', '"p":{"a":2e70,"b":-0.0}', '"p":{"a":18446744073709551616}', '"props":{}'),
    *('"props":{"b":true}', '"p":{"\\":":1}', '"p":{"a":[{"b":1}]}', '"$":{"amount":-0,"currency":"EUR"}', '"$":{}'),
    *('"revenue":{"amount":12.50,"currency":"USD"}', '"$":{"amount":1,"amount":2}', '"revenue":null', '"sd":70'),
    *('"revenue":{"amount":1E2,"currency":"EUR","more":":"}', '"e":"5000"', '"e":1', '"sd":99999999999999999999999'),
    *('"v":%s' % ("1" * 310), '"p":{"a":%s}' % ("1" * 310), '"$":{"amount":%s,"currency":"EUR"}' % ("1" * 310)),
    *('"h":-9223372036854775809', '"h":-9223372036854775808', '"h":18446744073709551615', '"v":9223372036854775808'),
    *('"i":false', '"i":true', '"interactive":false', '"h":1', '"w":390', '"m":"{}"', '"unknown":1', '"id":"x"'),
]  # fmt: skip


@settings(max_examples=1_500)
@given(
    st.lists(st.sampled_from(MEMBERS), max_size=7),
    st.sampled_from([",", " ,\n", ",\t"]),
    st.sampled_from(["{%s}", " {%s}\r\n", "{%s", "[%s]", "{%s}x", "\ufeff{%s}", "{%s,}"]) | st.just("{%s}"),
    st.sampled_from(['"n":"a","u":"https://a.com/","d":"a.com"', ""]),
)
def test_whatever_bytes_are_read_as_by_the_rules(chosen: list[str], comma: str, whole: str, first: str) -> None:
    """Keys that stand there twice, nulls, escapes, numbers at the ends of what numbers can be, and what is no JSON."""
    check_body((whole % comma.join(filter(None, [first, *chosen]))).encode())


@settings(max_examples=300)
@given(st.binary(min_size=1, max_size=3), st.integers(0, 200), st.integers(0, 3))
def test_damaged_bytes_are_read_as_by_the_rules(damage: bytes, place: int, gone: int) -> None:
    """A usual body with some of its bytes others."""
    body = b'{"n":"pageview","u":"https://a.com/b","d":"a.com","p":{"plan":"trial","n":3},"$":{"amount":"1.50","currency":"EUR"}}'
    assert check_body(body)
    check_body(body[:place] + damage + body[place + gone :])


@pytest.mark.parametrize(
    "name", ["tracker-pageview", "tracker-revenue", "tracker-engagement", "tracker-two-sites", "plausible-android"]
)
def test_usual_events_take_the_shortcut(name: str) -> None:
    """What trackers and apps send every day is read by it."""
    body = orjson.loads((CORPUS / f"{name}.json").read_bytes())["body"].encode()
    fields = read_object(body)
    assert not isinstance(fields, Fault)
    usual = read_usual(fields)
    assert usual is not None
    assert read_usual_body(body) == usual
    assert parse_event(body, Validation.STRICT) == Event(*usual, body)
    assert check_items([body] * 3) == (len(usual[1]) == 1)


PIECES = [
    *(SIMPLE, SIMPLE[:-1] + b',"p":{"k":"\xc3\xa4"}}', b'{"name":"\xc2\xa0","url":"/","domain":"b.com"}', b"{}", b""),
    *(b'{"n":"a"', b'"u":"/","d":"b.com"}', b"{", b"}", b",", b'"', b"\n,", b"[", b"]", b'"x":"', b"\n,{", b" "),
    *(b'{"n":"Buy","u":"/","d":"c.com","$":{"amount":1,"currency":"EUR"}}', b"7"),
    *(b'{"n":"engagement","u":"/","d":"b.com","e":1}', b'{"n":"engagement","u":"/","d":"b.com"}'),
    *(b'{"n":"a\\u003a","u":"/","d":"b.com","n":"b"}', b'{"n":":","u":"http:\\/\\/a\\u003A","d":"b.com","d":"b.com"}'),
    *(b'{"n":"\\"","u":"http:\\/\\/a","d":"b.com"}', b'{"n":"\\u2003","u":"/","d":"b.com"}', b'"\\'),
    *(b'{"n":"a","u":"/b\\t","d":"b.com"}', b'{"n":"a","u":"/b\\u001c","d":"b.com"}'),
    *(b'{"n":"\\ud800","u":"/","d":"b.com"}', b'{"n":"a","u":"/","d":"b.com","p":{"\\n":"a"}}'),
    *(b'{"n":"a","u":"/b ","d":"b.com"}', b'{"n":"a","u":"/%20","d":"b.com"}', b'{"n":"a","u":"Data:x","d":"b.com"}'),
    *(b'{"n":":","u":"/","d":"b.com","n":"b"}', b'{"n":"a","u":"/","d":"b.com","p":{"a":"\xe2\x80\x83"}}', b"null"),
]  # fmt: skip


@settings(max_examples=1_500)
@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(b"".join) | st.sampled_from(PIECES)))
def test_many_bytes_at_once_are_read_as_by_the_rules(bodies: list[bytes]) -> None:
    """Items that are JSON only together, and one that is not plain among others that are."""
    check_items(bodies)


@pytest.mark.parametrize("piece", PIECES)
def test_two_lines_are_two_events_or_none(piece: bytes) -> None:
    """However an event and another piece are cut in two, none of it is read as two others."""
    whole = SIMPLE + b"," + piece + b"," + SIMPLE
    for place in range(len(whole)):
        check_items([whole[:place], whole[place:]])
        check_items([whole[:place], whole[place + 1 :]])


def test_items_of_many_sites_and_words_are_read_at_once() -> None:
    """Whatever the sites, the language, and the order of names."""
    bodies = [
        b'{"n":"e\\u00e4%d","u":"https://s%d.com/a b?c=%%20","d":"www.s%d.com","p":{"wo":"K\xc3\xb6ln"}}' % (n, n, n)
        for n in range(9)
    ]
    assert check_items(bodies)
    assert not check_items([*bodies, b'{"n":"a","u":"/","d":"a.com,b.com"}'])
    assert not check_items([])
