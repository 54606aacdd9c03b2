"""The table of contract section 1, row by row: body, name, url, hash mode, interactive, engagement.

Domain, props and revenue have files of their own; laws that hold for any bytes are in test_laws.py.
"""

from collections.abc import Callable
from typing import Any

import pytest

from relay.rules.event import Event, Refused, Validation, parse_event

Parse = Callable[..., Event | Refused]

NOT_JSON = "Unable to parse request body as json"
BLANK = "can't be blank"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"name=pageview",
        b"[]",
        b'"text"',
        b"null",
        b"1",
        b"true",
        b"{",
        b"{}x",
        b'{"n":NaN}',
        b'{"n":1e999}',
        b'{"n":"\xff"}',
        b'{"n":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"p":' + b"[" * 1100 + b"]" * 1100 + b"}",
        b'{"n":"' + b"x" * 1_000_000 + b'"}',
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_json_object_is_refused_on_request(body: bytes) -> None:
    """A body that is not one JSON object of at most 1,000,000 bytes is a 400 on `request`, in Plausible's words."""
    assert parse_event(body, Validation.PLAUSIBLE) == Refused(400, {"request": [NOT_JSON]})
    told = parse_event(body, Validation.STRICT)
    assert isinstance(told, Refused)
    assert told.errors["request"][0].startswith(f"{NOT_JSON}: ")


def test_strict_mode_says_where_json_ends() -> None:
    """Strict mode names the place where the body stops being JSON, and shows what would be right."""
    told = parse_event(b'{"name": pageview}', Validation.STRICT)
    assert isinstance(told, Refused)
    assert "column 10" in told.errors["request"][0]
    assert '{"name": "pageview"' in told.errors["request"][0]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "Signup"}, "Signup"),
        ({"n": "short", "name": "long"}, "short"),
        ({"n": None, "name": "long"}, "long"),
        ({"n": False, "name": "long"}, "long"),
        ({"name": 404}, "404"),
        ({"n": 0}, "0"),
        ({"name": -1}, "-1"),
        ({"name": " kept as it is "}, " kept as it is "),
        ({"name": "\x1c"}, "\x1c"),
        ({"name": "é" * 120}, "é" * 120),
        ({"name": "👩‍👩‍👧‍👦" * 120}, "👩‍👩‍👧‍👦" * 120),
    ],
)
def test_names_that_are_legal(strict: Parse, fields: dict[str, Any], name: str) -> None:
    """A name is text or an integer, at most 120 user-perceived characters, blank only by Unicode's white space."""
    event = strict(**fields)
    assert isinstance(event, Event)
    assert event.name == name


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ...}, BLANK),
        ({"name": None}, BLANK),
        ({"name": ""}, BLANK),
        ({"name": " \t\n\x0b\x0c\r\x85\xa0\u2003\u3000"}, BLANK),
        ({"n": "", "name": "does not fall through"}, BLANK),
        ({"n": {}, "name": "does not fall through"}, "is invalid"),
        ({"n": False, "name": ...}, BLANK),
        ({"name": False}, "is invalid"),
        ({"name": True}, "is invalid"),
        ({"name": 1.0}, "is invalid"),
        ({"name": ["a"]}, "is invalid"),
        ({"name": {"a": 1}}, "is invalid"),
        ({"name": "x" * 121}, "should be at most 120 character(s)"),
        ({"name": "👩‍👩‍👧‍👦" * 121}, "should be at most 120 character(s)"),
    ],
)
def test_names_that_are_not(plausible: Parse, strict: Parse, fields: dict[str, Any], words: str) -> None:
    """Any other name is refused in Plausible's words; strict mode begins with them and goes on."""
    assert plausible(**fields) == Refused(400, {"event_name": [words]})
    told = strict(**fields)
    assert isinstance(told, Refused)
    assert told.errors["event_name"][0].startswith(f"{words}: ")


def test_an_integer_of_any_size_is_a_name() -> None:
    """An integer beyond 64 bits becomes its own digits, not a rounded float."""
    event = parse_event(b'{"n":123456789012345678901234567890,"u":"http://a.com"}', Validation.STRICT)
    assert isinstance(event, Event)
    assert event.name == "123456789012345678901234567890"


def test_a_huge_float_stays_no_name() -> None:
    """A float is no name, however large."""
    assert parse_event(b'{"n":1e30,"u":"http://a.com"}', Validation.PLAUSIBLE) == Refused(
        400, {"event_name": ["is invalid"]}
    )


def test_depth_and_a_huge_integer_together_are_survived() -> None:
    """A body as deep as orjson reads and with an integer over 64 bits is judged, never an exception."""
    body = b'{"n":123456789012345678901234567890,"u":"http://a.com","x":' + b"[" * 1020 + b"]" * 1020 + b"}"
    assert isinstance(parse_event(body, Validation.STRICT), Event | Refused)


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "app://x/y", "about:blank", "/about", "free text", "", "datax:1", " data:x", "é" * 1000],
)
def test_urls_that_are_legal(strict: Parse, url: str) -> None:
    """Any text of at most 2,000 bytes is a URL to Plausible, unless its scheme is data."""
    event = strict(u=url)
    assert isinstance(event, Event)
    assert event.url == url


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": ...}, "is required"),
        ({"url": None}, "is required"),
        ({"u": False, "url": ...}, "is required"),
        ({"url": False}, "must be a valid url"),
        ({"u": 0, "url": "does not fall through"}, "must be a valid url"),
        ({"url": ["https://example.com"]}, "must be a valid url"),
        ({"url": "https://example.com/" + "a" * 1981}, "must be a valid url"),
        ({"url": "é" * 1001}, "must be a valid url"),
        ({"url": "data:text/html,x"}, "scheme is not allowed"),
        ({"url": "DaTa:x"}, "scheme is not allowed"),
    ],
)
def test_urls_that_are_not(plausible: Parse, strict: Parse, fields: dict[str, Any], words: str) -> None:
    """A URL that is missing, no text, over 2,000 bytes or of scheme data is refused."""
    assert plausible(**fields) == Refused(400, {"url": [words]})
    told = strict(**fields)
    assert isinstance(told, Refused)
    assert told.errors["url"][0].startswith(f"{words}: ")


@pytest.mark.parametrize("mode", [None, 0, 1, -7, "1", "+1", "-0", "", " ", 10**19])
def test_hash_modes_that_are_legal(strict: Parse, mode: object) -> None:
    """Hash mode is an integer or digit text with a sign or none; blank text is nothing."""
    assert isinstance(strict(h=mode), Event)


@pytest.mark.parametrize("mode", [True, "yes", "1 ", "1.0", 1.5, [], {}, "\uff11"])
def test_hash_modes_that_are_not(plausible: Parse, mode: object) -> None:
    """Any other hash mode is a 400 on `hash_mode`, as upstream."""
    assert plausible(hashMode=mode) == Refused(400, {"hash_mode": ["is invalid"]})


def test_false_falls_through_only_to_another_key(plausible: Parse) -> None:
    """`h` false means no hash mode, while `hashMode` false is the value itself and no integer: Elixir's `||`."""
    assert isinstance(plausible(h=False), Event)
    assert isinstance(plausible(hashMode=False), Refused)


@pytest.mark.parametrize(
    ("fields", "interactive"),
    [
        ({}, True),
        ({"i": True}, True),
        ({"i": False}, False),
        ({"interactive": False}, False),
        ({"interactive": "false"}, True),
        ({"i": None, "interactive": False}, False),
        ({"i": False, "interactive": True}, True),
        ({"i": 0, "interactive": False}, True),
    ],
)
def test_interactive_is_false_only_if_said_so(strict: Parse, fields: dict[str, Any], *, interactive: bool) -> None:
    """Only a JSON `false` makes an event non-interactive; whatever is no boolean is ignored."""
    event = strict(**fields)
    assert isinstance(event, Event)
    assert event.interactive is interactive


@pytest.mark.parametrize(
    "fields",
    [
        {"sd": 0},
        {"sd": 250},
        {"sd": "50"},
        {"sd": 10**30},
        {"e": 1},
        {"e": "+5"},
        {"e": 2_591_999_999},
        {"sd": "0" * 9999},
    ],
)
def test_engagements_that_are_legal(plausible: Parse, fields: dict[str, Any]) -> None:
    """An engagement needs a scroll depth of 0 or more, or a time above 0 and under 30 days."""
    sent = {key: value if value != 10**30 else str(value) for key, value in fields.items()}
    assert isinstance(plausible(name="engagement", **sent), Event)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sd": -1},
        {"e": 0},
        {"e": -1},
        {"e": 2_592_000_000},
        {"sd": 1.0},
        {"sd": True},
        {"e": "5 "},
        {"e": "9" * 9999},
    ],
)
def test_engagements_that_are_not(plausible: Parse, strict: Parse, fields: dict[str, Any]) -> None:
    """An engagement without either is a 400 on `event_name`; other events do not care."""
    words = "engagement event requires a valid integer value for at least one of 'sd' or 'e' fields"
    assert plausible(name="engagement", **fields) == Refused(400, {"event_name": [words]})
    assert isinstance(strict(name="engagement "), Event)
    assert isinstance(strict(name="pageview", **fields), Event)


def test_all_wrong_fields_are_told_at_once() -> None:
    """One refusal names every wrong field."""
    told = parse_event(b'{"h":"x","p":{"k":"%s"},"revenue":1}' % (b"v" * 2001), Validation.STRICT)
    assert isinstance(told, Refused)
    assert set(told.errors) == {"event_name", "url", "domain", "hash_mode", "props", "revenue"}


def test_keys_that_plausible_ignores_are_ignored(strict: Parse) -> None:
    """No other key is looked at, whatever is in it."""
    ignored = {"timestamp": "x", "ip": [], "user_agent": 1, "screen_width": {}, "w": True, "v": "x", "r": 5}
    assert isinstance(strict(**ignored), Event)


def test_the_body_is_kept_byte_for_byte() -> None:
    """An accepted event carries the very bytes that came."""
    body = b' { "n" : "caf\\u00e9" , "u":"http:\\/\\/a.com" }\n'
    event = parse_event(body, Validation.STRICT)
    assert isinstance(event, Event)
    assert event.body is body
    assert (event.name, event.sites) == ("café", ("a.com",))


@pytest.mark.parametrize("validation", Validation)
@pytest.mark.parametrize(
    "body",
    [
        b'{"n":"x","d":"theirs.com","d":"mine.com","u":"/"}',
        b'{"n":"x","d":"theirs.com","\\u0064":"mine.com","u":"/"}',
        b'{"n":"x","d":"mine.com","u":"/","p":{"d":"d"},"\\u006e":"y"}',
        b'{"d":"mine.com",' + b",".join(b'"k%d":1' % n for n in range(100)) + b',"n":"x","u":"/","d":"theirs.com"}',
        b'{"n":"x","d":"theirs.com","u":"/","x":' + b"[" * 1_020 + b"]" * 1_020 + b',"d":"mine.com"}',
        b'{"n":"x","d":"theirs.com","u":"/","x":0.%b,"d":"mine.com"}' % (b"0" * 5_000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_doubled_key_is_refused(body: bytes, validation: Validation) -> None:
    """No body means one site to us and another to Plausible, which takes the first of two equal keys."""
    refused = parse_event(body, validation)
    assert isinstance(refused, Refused)
    assert "stands there twice" in refused.errors["request"][0]


def test_a_value_like_a_key_is_no_doubled_key() -> None:
    """A key's name may stand in values and in inner objects as often as it likes."""
    body = b'{"n":"n","d":"d","u":"\\u002f","p":{"n":"n","d":"d","u":"u"}}'
    assert isinstance(parse_event(body, Validation.STRICT), Event)
