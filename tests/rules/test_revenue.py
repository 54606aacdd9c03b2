"""Revenue: what Plausible books, and what strict mode says before Plausible would lose or cut it."""

from collections.abc import Callable
from typing import Any

import iso4217
import pytest

from relay.rules.currencies import CURRENCIES
from relay.rules.event import Event, Refused
from relay.rules.revenue import Revenue

Parse = Callable[..., Event | Refused]

EUR = {"currency": "EUR"}


def test_the_currencies_are_those_of_iso_4217() -> None:
    """Our list of currencies is the one of the standard, as the iso4217 package has it."""
    assert {currency.code for currency in iso4217.Currency} == CURRENCIES


@pytest.mark.parametrize(
    ("fields", "revenue"),
    [
        ({}, None),
        ({"revenue": None}, None),
        ({"revenue": False}, None),
        ({"revenue": "null"}, None),
        ({"revenue": {"amount": 19.9, **EUR}}, Revenue("19.9", "EUR")),
        ({"revenue": {"amount": 20, **EUR}}, Revenue("20", "EUR")),
        ({"revenue": {"amount": "1299.00", **EUR}}, Revenue("1299.00", "EUR")),
        ({"revenue": {"amount": "-5.00", **EUR}}, Revenue("-5.00", "EUR")),
        ({"revenue": {"amount": 0, **EUR}}, Revenue("0", "EUR")),
        ({"revenue": {"amount": "+.5", **EUR}}, Revenue("0.5", "EUR")),
        ({"revenue": {"amount": "1e2", **EUR}}, Revenue("100", "EUR")),
        ({"revenue": {"amount": 1e-7, **EUR}}, Revenue("0.0000001", "EUR")),
        ({"revenue": {"amount": "1e-9999999", **EUR}}, Revenue("0.000", "EUR")),
        ({"revenue": {"amount": "-1e-999999999999999999", **EUR}}, Revenue("-0.000", "EUR")),
        ({"revenue": {"amount": "0e999999999999999999", **EUR}}, Revenue("0", "EUR")),
        ({"revenue": {"amount": 999_999_999_999_999, **EUR}}, Revenue("999999999999999", "EUR")),
        ({"revenue": '{"amount": "19.90", "currency": "EUR"}'}, Revenue("19.90", "EUR")),
        ({"$": {"amount": 1, **EUR}}, Revenue("1", "EUR")),
        ({"revenue": {"amount": 1, **EUR}, "$": {"amount": 2, **EUR}}, Revenue("1", "EUR")),
    ],
)
def test_revenue_that_is_booked(
    strict: Parse, plausible: Parse, fields: dict[str, Any], revenue: Revenue | None
) -> None:
    """A plain number and an exact code are booked, refunds too; of two keys the long one wins."""
    for parse in (strict, plausible):
        event = parse(**fields)
        assert isinstance(event, Event)
        assert event.revenue == revenue


@pytest.mark.parametrize(
    ("revenue", "booked", "told"),
    [
        ("", None, "is not an object"),
        ("not json", None, "is not an object"),
        ("[1]", None, "is not an object"),
        (19.9, None, "is not an object"),
        ([], None, "is not an object"),
        ({}, None, "has no amount"),
        (EUR, None, "has no amount"),
        ({"amount": "", **EUR}, None, "has no amount"),
        ({"amount": True, **EUR}, None, "amount is no number"),
        ({"amount": [1], **EUR}, None, "amount is no number"),
        ({"amount": "1,299.00", **EUR}, "1", "send 1299.00"),
        ({"amount": "1.299,00", **EUR}, "1.299", "send 1299.00"),
        ({"amount": "1 299,00", **EUR}, "1", "send 1299.00"),
        ({"amount": "1,299,000", **EUR}, "1", "such as 1299.00"),
        ({"amount": "19,90", **EUR}, "19", "send 19.90"),
        ({"amount": "1299,5", **EUR}, "1299", "send 1299.5"),
        ({"amount": "1,299", **EUR}, "1", "such as 1299.00"),
        ({"amount": "19.90 ", **EUR}, "19.90", "send 19.90"),
        ({"amount": "1," + "1" * 99, **EUR}, "1", "such as 1299.00"),
        ({"amount": " 19.90", **EUR}, None, "send 19.90"),
        ({"amount": "$19.90", **EUR}, None, "Plausible would lose it"),
        ({"amount": "NaN", **EUR}, None, "Plausible would lose it"),
        ({"amount": "-inf", **EUR}, None, "Plausible would lose it"),
        ({"amount": "\uff11\uff19", **EUR}, None, "Plausible would lose it"),
        ({"amount": 10**15, **EUR}, None, "too much"),
        ({"amount": -1e15, **EUR}, None, "too much"),
        ({"amount": "1e999999999", **EUR}, None, "too much"),
        ({"amount": "1e99999999999999999999999", **EUR}, None, "too much"),
        ({"amount": 19.9}, None, "has no currency"),
        ({"amount": 19.9, "currency": 978}, None, "has no currency"),
        ({"amount": 19.9, "currency": "usd"}, None, "send USD"),
        ({"amount": 19.9, "currency": " EUR"}, None, "send EUR"),
        ({"amount": 19.9, "currency": "€"}, None, "ISO 4217"),
        ({"amount": "x", "currency": "x"}, None, "ISO 4217"),
    ],
)
def test_revenue_that_plausible_would_lose_or_cut(
    strict: Parse, plausible: Parse, revenue: object, booked: str | None, told: str
) -> None:
    """Strict mode refuses on `revenue` and says what would be right; plausible mode books what Plausible books."""
    refused = strict(revenue=revenue)
    assert isinstance(refused, Refused)
    assert list(refused.errors) == ["revenue"]
    assert told in refused.errors["revenue"][0]
    event = plausible(revenue=revenue)
    assert isinstance(event, Event)
    assert event.revenue == (Revenue(booked, "EUR") if booked else None)
