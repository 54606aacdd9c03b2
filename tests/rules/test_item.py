"""A batch's bytes become items, and items events: whatever the bytes are, nothing is ever raised."""

import random

import orjson
import pytest

from relay.rules.batch import MAX_ITEMS, Unreadable, items_in
from relay.rules.event import Refused, Validation
from relay.rules.item import OWN_KEYS, Item, read_item

NOW_MS = 1_795_640_645_000
LEGAL = orjson.dumps(
    {
        "id": "3f0c8f0e",
        "name": "Signup",
        "url": "app://example.com/",
        "domain": "example.com",
        "props": {"plan": "trial", "ä": [1, {"x": None}]},
        "revenue": {"amount": 19.9, "currency": "EUR"},
        "ip": "81.2.69.142",
        "user_agent": "App/1",
        "device": {"os": "iOS", "os_version": "18.1"},
        "occurred_at": "2024-02-29T08:00:00Z",
    }
)
TOKENS = (b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\n", b"null", b"1e999", b"\xff", b"\\ud800", b"-", b" ")
MUTANTS = 1_500


def read(raw: bytes) -> Item | Refused:
    """The item, read as that of a source that speaks."""
    return read_item(raw, Validation.STRICT, NOW_MS, believed=True, time_prop="at")


def test_no_bytes_break_it() -> None:
    """Of mutants of a legal batch each is unreadable as a whole, or of each item it is known what it is."""
    chance = random.Random(4)
    kinds = set[type]()
    for n in range(MUTANTS):
        body = bytearray(b"[%b,%b]" % (LEGAL, LEGAL) if n % 2 else LEGAL + b"\n" + LEGAL)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(body))
            body[at : at + chance.randrange(3)] = chance.choice(TOKENS)
        found = items_in(bytes(body), lines=n % 4 == 0)
        if isinstance(found, Unreadable):
            kinds.add(Unreadable)
            continue
        for raw in found:
            item = read(raw)
            kinds.add(type(item))
            if isinstance(item, Item):
                assert not OWN_KEYS & orjson.loads(item.event.body).keys()
    assert kinds == {Unreadable, Refused, Item}


@pytest.mark.parametrize("depth", [10, 500, 900, 980, 1_000, 1_020, 1_100, 100_000])
def test_any_depth_is_read_or_refused(depth: int) -> None:
    """With the relay's keys and without; what is kept keeps its depth."""
    props = b'{"a":' * depth + b"1" + b"}" * depth
    for own in (b"", b'"id":"x",'):
        raw = b'{%b"name":"a","url":"/","domain":"a.example","props":%b}' % (own, props)
        item = read(raw)
        if isinstance(item, Refused):
            assert list(item.errors) == ["request"]
        else:
            assert item.event.body.endswith(b'"props":%b}' % props)
        assert isinstance(items_in(b"[%b]" % raw), list | Unreadable)


@pytest.mark.parametrize(
    "number", [b"18446744073709551616", b"-9223372036854775809", b"1e2", b"0.1000000000000000055511151231257827"]
)
def test_numbers_stay_as_they_are(number: bytes) -> None:
    """Whatever Python would make of them."""
    item = read(b'{"name":"a","url":"/","domain":"a.example","id":"x","props":{"n":%b}}' % number)
    assert isinstance(item, Item)
    assert item.event.body == b'{"name":"a","url":"/","domain":"a.example","props":{"n":%b}}' % number


def test_half_an_emoji_is_its_own_item_s_fault() -> None:
    """Many writers cut a text amid one: the array is read nevertheless, and what is none is refused as before."""
    assert items_in(b'[{"a":"x\\ud83d"}, {"a":[1,"],"]} ,3 ]') == [b'{"a":"x\\ud83d"}', b'{"a":[1,"],"]}', b"3"]
    for broken in (b'[{"a":"\\ud83d"}, {"a":}]', b'[{"a":"\\ud83d"}', b'["\\ud83d"', b'["\\ud83d",]'):
        found = items_in(broken)
        assert isinstance(found, Unreadable)
        assert found.status == 400
    written = b' [ "\\\\ud83d,",\n"\\\\\\uDC00]" ,{"a":[NaN]}\t, -Infinity,"NaN" ] '
    assert items_in(written) == [b'"\\\\ud83d,"', b'"\\\\\\uDC00]"', b'{"a":[NaN]}', b"-Infinity", b'"NaN"']
    many = items_in(b'["\\ud83d"' + b",1" * MAX_ITEMS + b"]")
    assert isinstance(many, Unreadable)
    assert many.status == 413


def test_lines_and_elements() -> None:
    """Blank lines, a mark of the byte order and space around are no items; null is an element."""
    assert items_in(b"\xef\xbb\xbf \n[ 1 ,null, {} ]\r\n") == [b"1", b"null", b"{}"]
    assert items_in(b"\n\n {} \r\n\r\n\t\n no \n") == [b"{} \r", b"no "]
    assert items_in(b"[1]\n[2]", lines=True) == [b"[1]", b"[2]"]
    assert items_in(b"\n" * 1_000_000 + b"{}") == [b"{}"]
    assert isinstance(items_in(b"[" + b"1," * 2_000_000 + b"1]"), Unreadable)
    exactly = items_in(b"[" + b"1," * (MAX_ITEMS - 1) + b"1]")
    assert isinstance(exactly, list)
    assert len(exactly) == MAX_ITEMS
