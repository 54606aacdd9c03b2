"""How much work a body can make: none of a megabyte may hold up everybody else's requests for long."""

import time
from collections.abc import Callable

import orjson
import pytest

from relay.rules.admission import admit, parse_sites
from relay.rules.batch import items_in
from relay.rules.event import Event, Validation, parse_event
from relay.rules.split import bodies_by_site

MEGABYTE = 1_000_000
LEGAL = b'{"n":"x","u":"http://a.com/",'
SITES = parse_sites(["example.com"])


def filled(begin: bytes, unit: bytes, end: bytes) -> bytes:
    """As many units between the two as a body may have."""
    return begin + unit * ((MEGABYTE - len(begin) - len(end)) // len(unit)) + end


def listed(begin: bytes, member: bytes, end: bytes) -> bytes:
    """Eighty thousand different members between the two."""
    return begin + b",".join(member % i for i in range(80_000)) + end


BODIES = {
    "keys": listed(LEGAL, b'"%d":1', b"}"),
    "escaped keys": listed(LEGAL + b'"\\\\":1,', b'"%d":1', b"}"),
    "props": listed(LEGAL + b'"p":{', b'"%d":1', b"}}"),
    "props in text": filled(LEGAL + b'"p":"{', b'\\"a\\":1,', b'\\"b\\":1}"}'),
    "a long text behind a backslash": filled(LEGAL + b'"$":"{\\"amount\\":1,\\"currency\\":\\"', b"E", b'\\"}"}'),
    "backslashes": filled(LEGAL + b'"x":"', b"\\\\", b'"}'),
    "quotes": filled(LEGAL + b'"x":"', b'\\"', b'"}'),
    "zeros for two sites": filled(LEGAL + b'"d":"example.com,example.com","x":[', b"0,", b"1]}"),
    "sites": filled(LEGAL + b'"d":"', b",", b'"}'),
    "a name of accents": filled(b'{"u":"http://a.com/","n":"a', "\u0301".encode(), b'"}'),
    "a name of spaces": filled(b'{"u":"http://a.com/","n":"', b" ", b'"}'),
    "digits": filled(LEGAL + b'"$":{"currency":"EUR","amount":"0.', b"9", b'"}}'),
    "thousands": filled(LEGAL + b'"$":{"currency":"EUR","amount":"1', b",000", b'"}}'),
    "a deep one": filled(LEGAL + b'"y":"\\"","z":' + b"[" * 1_010 + b"]" * 1_010 + b',"x":[', b"0,", b"0]}"),
    "an unclosed text": filled(LEGAL, b'"', b""),
    "an unclosed list": filled(LEGAL + b'"x":', b"[", b""),
}


def least_s(work: Callable[[], object]) -> float:
    """CPU time of the work, the least of three runs."""
    took_s = []
    for _ in range(3):
        began_s = time.process_time()
        work()
        took_s.append(time.process_time() - began_s)
    return min(took_s)


@pytest.fixture
def yardstick_s() -> float:
    """What merely reading a megabyte of JSON with many members costs here and now: neighbours make all dearer."""
    return least_s(lambda: orjson.loads(BODIES["keys"]))


@pytest.mark.parametrize("validation", Validation)
@pytest.mark.parametrize("name", BODIES)
def test_no_megabyte_makes_much_work(name: str, validation: Validation, yardstick_s: float) -> None:
    """Whatever fills a body, judging it costs no more than reading a few megabytes."""

    def judged() -> None:
        event = parse_event(BODIES[name], validation)
        if isinstance(event, Event):
            admit(event, SITES, validation)
            bodies_by_site(event)

    assert least_s(judged) < 16 * yardstick_s


@pytest.mark.parametrize("unit", [b"0,", b"[],", b'"",', b'{"a":0},', b"\\\\", b"\\ud83d", b"[", b"NaN,"], ids=repr)
def test_no_megabyte_of_a_batch_makes_much_work(unit: bytes, yardstick_s: float) -> None:
    """To cut it into items costs no more than reading a few, also where one of them has half an emoji."""
    begin, end = (b'["\\ud83d', b'"]') if unit[:1] == b"\\" else (b'["\\ud83d",[', b"1]]")
    body = filled(begin, unit, end)
    assert least_s(lambda: items_in(body)) < 8 * yardstick_s
