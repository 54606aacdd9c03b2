"""Custom properties: which survive, as what text, and which refuse the event (contract section 1, "Props")."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.rules.event import Event, Refused

Parse = Callable[..., Event | Refused]

TOO_LARGE = "keys should have at most 300 bytes and values 2000 bytes"


def numbered(count: int) -> dict[str, int]:
    """That many legal props, whose order in the body is not their key order."""
    return {f"p{number:03}": number for number in reversed(range(count))}


@pytest.mark.parametrize(
    ("fields", "props"),
    [
        ({}, {}),
        ({"props": {"a": "x"}}, {"a": "x"}),
        ({"props": '{"a": "x"}'}, {"a": "x"}),
        ({"m": {"k": "m"}, "meta": {"k": "meta"}, "p": {"k": "p"}, "props": {"k": "props"}}, {"k": "m"}),
        ({"m": None, "meta": False, "p": {"k": "p"}, "props": {"k": "props"}}, {"k": "p"}),
        ({"p": {}, "props": {"k": "does not fall through"}}, {}),
        ({"p": "", "props": {"k": "does not fall through"}}, {}),
        ({"props": "not json"}, {}),
        ({"props": '["a"]'}, {}),
        ({"props": "null"}, {}),
        ({"props": ["a"]}, {}),
        ({"props": 5}, {}),
        ({"props": True}, {}),
        ({"props": {"a": [1], "b": {"c": 1}, "d": None, "e": "", "f": " \u3000", "": "x", " ": "x"}}, {}),
        ({"props": {"a": False, "b": 1, "c": 1.5, " d ": " x "}}, {"a": "false", "b": "1", "c": "1.5", " d ": " x "}),
    ],
)
def test_props_that_survive(strict: Parse, plausible: Parse, fields: dict[str, Any], props: dict[str, str]) -> None:
    """Scalars survive as text, untrimmed; lists, objects, null and blanks go; what is no object counts as {}."""
    for parse in (strict, plausible):
        event = parse(**fields)
        assert isinstance(event, Event)
        assert event.props == props


def test_thirty_props_are_kept(strict: Parse) -> None:
    """Thirty props are no reason to refuse, nor is a 31st that is dropped anyway."""
    event = strict(props=numbered(30) | {"blank": " "})
    assert isinstance(event, Event)
    assert len(event.props) == 30


def test_the_31st_prop_is_refused_in_strict_mode_only(strict: Parse, plausible: Parse) -> None:
    """Plausible cuts the 31st prop silently; strict mode says how many there are and how many are kept."""
    told = strict(props=numbered(31))
    assert isinstance(told, Refused)
    assert "31" in told.errors["props"][0]
    assert "30" in told.errors["props"][0]
    event = plausible(props=numbered(31))
    assert isinstance(event, Event)
    assert list(event.props) == [f"p{number:03}" for number in range(30)]


def test_what_is_cut_is_not_measured(plausible: Parse) -> None:
    """In plausible mode a prop beyond the thirty kept ones may be of any size."""
    assert isinstance(plausible(props=numbered(30) | {"z": "x" * 5000}), Event)


@pytest.mark.parametrize(
    ("props", "legal"),
    [
        ({"é" * 150: "x"}, True),
        ({"é" * 150 + "x": "x"}, False),
        ({"k": "é" * 1000}, True),
        ({"k": "é" * 1000 + "x"}, False),
    ],
)
def test_sizes_are_counted_in_bytes(plausible: Parse, strict: Parse, props: dict[str, str], *, legal: bool) -> None:
    """A key over 300 bytes or a value over 2,000 refuses the whole event."""
    if legal:
        assert isinstance(strict(props=props), Event)
        return
    assert plausible(props=props) == Refused(400, {"props": [TOO_LARGE]})
    told = strict(props=props)
    assert isinstance(told, Refused)
    assert told.errors["props"][0].startswith(f"{TOO_LARGE}: ")
    assert len(told.errors["props"][0]) < 250
