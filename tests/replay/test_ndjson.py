"""What a line of NDJSON names beside Plausible's fields is taken out of it, and nothing else of it changes."""

import pytest

from relay.replay.admitting import Admission, Terms
from relay.replay.batch import Batch, Lines, judge
from relay.replay.formats import FORMATS
from relay.replay.keeping import Keeper, Place
from relay.replay.rules import Rules
from relay.rules.admission import Sites
from relay.rules.device import read_device
from relay.rules.event import Validation
from tests.replay.test_formats import NOW_MS

BODY = b'{"name":"a","url":"https://a.example/","domain":"a.example","props":{"n":%b}}'
OWN = b',"id":"x","ip":"203.0.113.9","occurred_at":"2025-10-10T13:55:36Z"}'


def judged(line: bytes, site: str = "", day_prop: str | None = None) -> Batch:
    """What becomes of the line."""
    terms = Terms(Sites(frozenset(), every=True), Validation.STRICT, 10**14, day_prop=day_prop)
    keeper = Keeper(FORMATS["ndjson"].parser(), Rules(), Place(site))
    return judge(Lines(0, 0, [line]), keeper, Admission(terms), NOW_MS)


@pytest.mark.parametrize("number", [b"18446744073709551616", b"-9223372036854775809", b"1e2", b"19.90", b'"\\u00e4"'])
def test_values_stay_as_they_are(number: bytes) -> None:
    """Whatever Python would make of them, also for another site."""
    body = BODY % number
    [(_, event, _)] = judged(body[:-1] + OWN).events
    assert event.body == body
    [(_, event, _)] = judged(body[:-1] + OWN, "b.example").events
    assert event.body == body.replace(b'"a.example"', b'"b.example"')
    revenue = b',"revenue":{"amount":19.900,"currency":"EUR"}'
    [(_, event, _)] = judged(body[:-1] + revenue + OWN, day_prop="day").events
    assert revenue in event.body


def test_a_key_twice_is_refused() -> None:
    """Plausible reads the first, Python the last."""
    for site in ("", "b.example"):
        [refused] = judged((BODY % b"1")[:-1] + b',"name":"b"' + OWN, site).refused
        assert refused.refusal.reason == "invalid"
        assert 'the key "name" stands there twice' in refused.refusal.detail


def test_a_device_is_a_user_agent() -> None:
    """As in a batch: unless the line has one itself, and what is no device is refused with what would be right."""
    line, device = (BODY % b"1")[:-1], b'{"os": "iOS", "os_version": "18.1"}'
    told = {b"": read_device(device).agent, b',"user_agent":"App/1"': b"App/1"}
    for more, agent in told.items():
        [(_, event, _)] = judged(line + more + b',"device":' + device + OWN).events
        assert (event.user_agent, event.body) == (agent, BODY % b"1")
    [(_, event, _)] = judged(line + b',"device":null' + OWN).events
    assert (event.user_agent, event.body) == (None, BODY % b"1")
    [refused] = judged(line + b',"device":{}' + OWN).refused
    assert (refused.refusal.reason, refused.refusal.detail[:21]) == ("invalid", "device: names no os: ")


def test_too_deep_is_refused() -> None:
    """The relay's own keys cannot be taken out of it, so it does not go out with them."""
    deep = b'{"a":' * 1_015 + b"1" + b"}" * 1_015
    for site, own in (("", OWN), ("b.example", b"}")):
        batch = judged((BODY % deep)[:-1] + own, site)
        assert [one.refusal.reason for one in batch.refused] == ["invalid"]
