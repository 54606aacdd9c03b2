"""The compressed form: a third of the plain one, read for ever, and never a way to fill a worker's memory."""

import hashlib
import os

import pytest
import zstandard

from load.bench.relay import stored
from load.dictionary.traffic import traffic
from relay.queue import compressed
from relay.queue.stored import PLAIN, SMALL, StoredEvent, UnreadableError, mark_in, mark_of, pack, pack_small, unpack
from tests.queue.samples import event_of

FIXED = StoredEvent(
    "bücher.example",
    "2001:db8::1",
    b"M\xfcller/1",
    '{"n":"pageview",\n"u":"https://bücher.example/","d":"bücher.example"}'.encode(),
    1_790_000_000_000,
    revenue=True,
    occurred_ms=7,
)
ON_DISK = (
    "3369f05b77ec601d01a0c4506c0000000000000720010db80000000000000000000000019062c3bc636865720a4dfc6c6c65722f0a227d06fc"
    "2a284d621d8798b28381c6df8cd08c24f402"
)


def test_the_dictionary_never_changes() -> None:
    """What was written with it can be read with no other; another one is another version of the form."""
    assert hashlib.sha256(compressed.DICTIONARY).hexdigest() == (
        "202c1309ab987caeb81b028ccea9083981848fec03d629bd31e0233b064ef250"
    )


def test_what_is_on_disks_is_read_for_ever() -> None:
    """Version 3 as it was written first."""
    assert unpack(bytes.fromhex(ON_DISK)) == FIXED


@pytest.mark.parametrize(
    "events",
    [list(traffic(1, 500, seed=3)), stored(range(0, 48_500, 97))],
    ids=["of sites, words and versions it was not trained with", "of load/bench"],
)
def test_events_take_a_third(events: list[StoredEvent]) -> None:
    """On the whole, whatever the site; and each comes back."""
    forms = [pack_small(event) for event in events]
    assert sum(map(len, forms)) < 0.36 * sum(len(pack(event)) for event in events)
    assert [unpack(form) for form in forms] == events


@pytest.mark.parametrize(
    "changes",
    [
        {"body": os.urandom(400), "user_agent": os.urandom(60).replace(b"\n", b"")},
        {"body": b"x" * compressed.MOST_BYTES},
        {"user_agent": b"two\nlines"},
        {"site": "two\nlines.example"},
        {"ip": "2001:DB8::1"},
        {"ip": "2001:db8:0:0:0:0:0:1"},
        {"ip": "fe80::1%eth0"},
        {"accepted_ms": 2**48},
        {"occurred_ms": -1},
    ],
    ids="-".join,
)
def test_what_does_not_fit_or_help_stays_plain(changes: dict[str, object]) -> None:
    """Not one byte or letter of an event is given up to make it shorter."""
    event = event_of(**changes)  # type: ignore[arg-type]
    assert pack_small(event) == pack(event)


@pytest.mark.parametrize("length", [14, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385])
def test_any_length_comes_back(length: int) -> None:
    """Also where another buffer is taken, and where none is large enough: what is longer stays plain."""
    head = compressed.text_of("example.com", None, b"")
    event = event_of(site="example.com", user_agent=None, body=b"x" * (length - len(head)))
    form = pack_small(event)
    assert unpack(form) == event
    assert form[:1] == (PLAIN if length in {14, 16_385} else SMALL)


def frame_of(text: bytes, **options: object) -> bytes:
    """A block as a relay would write it, of any text."""
    dictionary = zstandard.ZstdCompressionDict(compressed.DICTIONARY)
    told = {"write_content_size": False, "write_checksum": False, "write_dict_id": False} | options
    return zstandard.ZstdCompressor(dict_data=dictionary, **told).compress(text)[9:]  # type: ignore[arg-type]


def test_bombs_are_unreadable() -> None:
    """A few bytes that would become more than an event may have are none, and are not unfolded."""
    head = pack_small(event_of())[:18]
    bomb = frame_of(b"example.com\n\n" + bytes(100_000))
    assert len(bomb) < 200
    with pytest.raises(UnreadableError):
        unpack(head + bomb)
    assert len(unpack(head + frame_of(b"example.com\n\n" + bytes(16_000))).body) == 16_000
    with pytest.raises(UnreadableError):
        unpack(head + bytes(3_000_000))


def test_damage_is_unreadable_or_another_event() -> None:
    """Whatever happens to its bytes, nothing else is ever raised; cut short it is never an event of another site."""
    form = pack_small(event_of(occurred_ms=5))
    assert form[:1] == SMALL
    for n in range(len(form)):
        with pytest.raises(UnreadableError):
            unpack(form[:n])
        for bit in range(8):
            damaged = form[:n] + bytes([form[n] ^ 1 << bit]) + form[n + 1 :]
            try:
                assert isinstance(unpack(damaged), StoredEvent)
            except UnreadableError:
                continue


@pytest.mark.parametrize("text", [b"", b"example.com", b"example.com\nagent", b"other.example\n\n{}", b"\xff\n\n{}"])
def test_text_that_is_no_event_is_unreadable(text: bytes) -> None:
    """A block that unfolds, to something else."""
    head = pack_small(event_of())[:18]
    with pytest.raises(UnreadableError):
        unpack(head + frame_of(text + b" " * 40 if text.count(b"\n") == 2 else text))


def test_a_site_is_known_without_unpacking() -> None:
    """By its mark, which plain forms do not have."""
    event = event_of("x", 1, site="a.example", body=b"{}" * 200)
    assert pack_small(event).startswith(SMALL)
    assert mark_in(pack_small(event)) == mark_of("a.example") != mark_of("b.example")
    assert mark_in(pack(event)) == mark_in(b"") == b""
