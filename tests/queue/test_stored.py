"""The stored form: what goes in comes out, byte for byte, and what is no stored form is told apart."""

import contextlib
from collections.abc import Callable
from zlib import crc32

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.queue.stored import StoredEvent, UnreadableError, pack, pack_small, partition_of, unpack
from tests.queue.samples import event_of

REPEATABLE = settings(derandomize=True, database=None, deadline=None, max_examples=60)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
# Bytes that become shorter when they are compressed, as nearly all do in life.
PARTS = st.sampled_from([b'{"n":"pageview","u":"https://', b"example.com/", b"\0", b"\xff", b"Mozilla/5.0", b'"}\r\n'])
WORDS = st.lists(PARTS, min_size=4).map(b"".join)
EVENTS = st.builds(
    StoredEvent,
    site=TEXTS,
    ip=st.ip_addresses().map(str),
    user_agent=st.none() | st.binary(max_size=40) | WORDS,
    body=st.binary(max_size=60) | WORDS,
    accepted_ms=st.integers(0, 2**53) | st.integers(0, 2**41),
    revenue=st.booleans(),
    engagement=st.booleans(),
    occurred_ms=st.none() | st.integers(0, 2**53) | st.integers(0, 2**41),
)


Write = Callable[[StoredEvent], bytes]
FORMS = pytest.mark.parametrize("write", [pack, pack_small])


@FORMS
@REPEATABLE
@given(EVENTS)
def test_what_is_kept_comes_back(write: Write, event: StoredEvent) -> None:
    """An event is read back exactly, its User-Agent's and its body's bytes too."""
    assert unpack(write(event)) == event


def test_the_form_is_the_one_that_is_on_disks() -> None:
    """Versions 1 and 2 are fixed: what an earlier relay wrote is read for ever."""
    event = StoredEvent("bücher.example", "::1", b"M\xfcller/1 \xe2\x82\xac", b'{"n":\n"x"}', 7, revenue=True)
    form = b'1["b\xc3\xbccher.example","::1","M\xc3\xbcller/1 \xc3\xa2\xc2\x82\xc2\xac",7,"r"]\n{"n":\n"x"}'
    assert pack(event) == form
    assert unpack(form) == event
    timed = event._replace(occurred_ms=5)
    later_form = b"2" + form[1:].replace(b',7,"r"]', b',7,"r",5]')
    assert pack(timed) == later_form
    assert unpack(later_form) == timed
    assert (event.began_ms, timed.began_ms) == (7, 5)


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"\n",
        b"1",
        b'2["a","9.9.9.9",null,1,""]\n{}',
        b'2["a","9.9.9.9",null,1,"",null]\n{}',
        b'2["a","9.9.9.9",null,1,5]\n{}',
        b"2[]\n{}",
        b"2null\n{}",
        b'3["a","9.9.9.9",null,1,"",5]\n{}',
        b'1["a","9.9.9.9",null,1,"",5]\n{}',
        b'["a","9.9.9.9",null,1,""]\n{}',
        b"1\n{}",
        b"1{}\n{}",
        b"1[]\n{}",
        b"1null\n{}",
        b'1"abcde"\n{}',
        b'1["a","9.9.9.9",null,1]\n{}',
        b'1["a","9.9.9.9",5,1,""]\n{}',
        b'1["a","9.9.9.9","\xe2\x82\xac",1,""]\n{}',
        b'1["a","9.9.9.9",null,1,null]\n{}',
        b'1["a","9.9.9.9",null,null,""]\n{}',
        b'1["a",9,null,1,""]\n{}',
        b'1[null,"9.9.9.9",null,1,""]\n{}',
        b'1["a","no address",null,1,""]\n{}',
        b'1["a","fe80::1%eth0",null,1,""]\n{}',
        b'1["a","fe80::1%\\r\\nX: y",null,1,""]\n{}',
        b"\xff\xfe\n{}",
    ],
)
def test_anything_else_is_unreadable(form: bytes) -> None:
    """An unknown version or a damaged head is an UnreadableError, and nothing else is ever raised."""
    with pytest.raises(UnreadableError):
        unpack(form)


@REPEATABLE
@given(
    st.binary(max_size=40)
    | st.binary(max_size=40).map(lambda rest: b"3" + rest)
    | (EVENTS.map(pack) | EVENTS.map(pack_small)).flatmap(
        lambda form: st.integers(0, len(form)).map(lambda n: form[:n])
    )
)
def test_no_bytes_break_it(form: bytes) -> None:
    """Any bytes are an event or unreadable."""
    with contextlib.suppress(UnreadableError):
        assert isinstance(unpack(form), StoredEvent)


def test_a_visitor_has_one_partition_for_ever() -> None:
    """The partition depends on User-Agent, address and site alone, by a sum that no upgrade may change."""
    event = event_of("a", 1, user_agent=b"M\xfcller", site="example.org", body=b"{}")
    assert partition_of(event, 8) == crc32(b"M\xfcller\n9.9.0.2\nexample.org") % 8 == 0
    later = event_of("b", 1, user_agent=b"M\xfcller", site="example.org", revenue=True, accepted_ms=1)
    assert partition_of(later, 8) == partition_of(event, 8)
    assert event.visitor == later.visitor


def test_visitors_spread_over_the_partitions() -> None:
    """Two thousand visitors fill eight partitions evenly enough."""
    counts = [0] * 8
    for visitor in range(2_000):
        counts[partition_of(event_of(visitor=visitor), 8)] += 1
    assert min(counts) > 180


@FORMS
def test_the_body_is_kept_as_it_came(write: Write) -> None:
    """No byte of the body is touched, whatever it looks like."""
    body = orjson.dumps({"name": "ä"}) + b"\n\r\0\xff" + b'1["x"]'
    assert unpack(write(event_of(body=body))).body == body
