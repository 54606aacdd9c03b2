"""When an event occurred as its prop: added where Plausible reads props, and not a byte of the others changes."""

import orjson
import pytest

from relay.rules.event import Event, Refused, Validation, parse_event
from relay.rules.item import read_item

NOW_MS = 1_795_640_645_000
AT = "2024-02-29T08:00:00Z"
LEGAL = '"name":"a","url":"/","domain":"a.example"'


def body_of(members: str, time_prop: str | None = "at") -> bytes:
    """The body of a legal item with these members, as it goes to Plausible."""
    raw = f'{{{LEGAL},"occurred_at":"{AT}"{members and ","}{members}}}'
    item = read_item(raw.encode(), Validation.STRICT, NOW_MS, believed=False, time_prop=time_prop)
    assert not isinstance(item, Refused)
    return item.event.body


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("", '"props":{"at":"%s"}'),
        ('"props":{"n": 1.50 }', '"props":{"n": 1.50 ,"at":"%s"}'),
        ('"p" : { }', '"p":{"at":"%s"}'),
        ('"m":null,"p":{"a":"\\u00e4"},"props":{"x":1}', '"m":null,"p":{"a":"\\u00e4","at":"%s"},"props":{"x":1}'),
        ('"meta":{},"props":{"x":1}', '"meta":{"at":"%s"},"props":{"x":1}'),
        ('"props":null', '"props":{"at":"%s"}'),
        ('"props":["x"]', '"props":{"at":"%s"}'),
        ('"props":{"at":"mine"}', '"props":{"at":"mine"}'),
        ('"p":"{\\"a\\": 1}"', '"p":"{\\"a\\": 1,\\"at\\":\\"%s\\"}"'),
        ('"p":"no json"', '"p":"{\\"at\\":\\"%s\\"}"'),
        ('"$":{"amount":1.10,"currency":"EUR"}', '"$":{"amount":1.10,"currency":"EUR"},"props":{"at":"%s"}'),
    ],
)
def test_it_is_added_where_plausible_reads_props(members: str, expected: str) -> None:
    """Whatever key and form the props have, Plausible reads one more."""
    body = body_of(members)
    assert body.decode() == f"{{{LEGAL},{expected.replace('%s', AT)}}}"
    before, after = parse_event(body_of(members, None), Validation.STRICT), parse_event(body, Validation.STRICT)
    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert after.props == {"at": AT} | before.props


def test_thirty_props_leave_no_room() -> None:
    """The sender's own come first, and it is told that the time found no place."""
    raw = {"name": "a", "url": "/", "domain": "a.example", "occurred_at": AT, "props": {str(n): "x" for n in range(30)}}
    item = read_item(orjson.dumps(raw), Validation.STRICT, NOW_MS, believed=False, time_prop="at")
    assert not isinstance(item, Refused)
    assert 'no room for the prop "at"' in item.own.warnings
    assert b"2024" not in item.event.body


def test_without_the_setting_or_a_time_nothing_is_added() -> None:
    """An event goes as it came."""
    assert body_of('"props":{"n":1}', None) == b'{"name":"a","url":"/","domain":"a.example","props":{"n":1}}'
    plain = b'{"name":"a","url":"/","domain":"a.example","id":"x"}'
    item = read_item(plain, Validation.STRICT, NOW_MS, believed=False, time_prop="at")
    assert not isinstance(item, Refused)
    assert item.event.body == b'{"name":"a","url":"/","domain":"a.example"}'
