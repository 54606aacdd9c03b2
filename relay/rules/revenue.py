"""The money of an event: what Plausible would book, and what to say where it would lose or cut it silently.

Rules: contract section 1, "Revenue". Plausible never refuses an event for its revenue; strict mode does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from relay.rules.currencies import CURRENCIES
from relay.rules.document import object_in_text
from relay.rules.fault import Fault
from relay.rules.fields import either
from relay.rules.text import shown, trim

# The column is a Decimal64 with three places, which leaves fifteen digits before the point.
_TOO_MUCH = Decimal(10**15)
_FINEST = Decimal("0.001")
_FINEST_KEPT = -15

# What Elixir's `Decimal.parse` reads from the start of a text; infinity and NaN are no money.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:([.,' _])[0-9]{3}(?:\1[0-9]{3})*)?(?:([.,])([0-9]+))?")
_LONGEST_GROUPED = 40

_WANTED = 'send {"amount": 19.90, "currency": "EUR"}, or no revenue'


@dataclass(frozen=True, slots=True)
class Revenue:
    """`amount` is plain decimal text, negative for a refund; `currency` a code of ISO 4217."""

    amount: str
    currency: str


def read_revenue(fields: Mapping[str, Any], *, strict: bool) -> Revenue | Fault | None:
    """What Plausible would book; None if there is none. What it would lose or cut is a fault if `strict`."""
    source = either(fields.get("revenue"), fields.get("$"))  # here the long key wins
    if source is None or source is False:
        return None
    try:
        source = object_in_text(source)
    except orjson.JSONDecodeError:
        source = ""
    if source is None:
        return None
    found = _revenue(source, whole=strict)
    return found if strict or isinstance(found, Revenue) else None


def _revenue(source: object, *, whole: bool) -> Revenue | Fault:
    if not isinstance(source, dict):
        return Fault("revenue", f"is not an object: {_WANTED}")
    amount = _amount(source.get("amount"), whole=whole)
    currency = _currency(source.get("currency"))
    if isinstance(amount, Fault) and isinstance(currency, Fault):
        return Fault("revenue", f"{amount.words}; {currency.words}")
    if isinstance(amount, Fault):
        return amount
    return currency if isinstance(currency, Fault) else Revenue(_plain(amount), currency)


def _amount(value: object, *, whole: bool) -> Decimal | Fault:
    """A number; of a text the number it begins with, or nothing less than all of it if `whole`."""
    text = value if isinstance(value, str) else ""
    if type(value) in {int, float}:
        text = str(value)
    elif not trim(text):
        return Fault(
            "revenue", f"has no amount: {_WANTED}" if value in (None, "") else f"amount is no number: {_WANTED}"
        )
    number = _NUMBER.match(text)
    if number is None or (whole and number[0] != text):
        return _unread(text, number)
    try:
        amount = Decimal(number[0])
    except InvalidOperation:  # an exponent beyond all reason
        amount = _TOO_MUCH
    if amount.copy_abs() >= _TOO_MUCH:  # abs() would round, and overflow
        return Fault("revenue", f"amount {shown(value)} is too much: Plausible stores less than 10^15")
    return amount


def _unread(text: str, number: re.Match[str] | None) -> Fault:
    counted = f"Plausible would book {shown(number[0])}" if number else "Plausible would lose it"
    wanted = _suggested(text) or "a plain decimal number such as 1299.00"
    return Fault("revenue", f"amount {shown(text)} is not a plain number, {counted}: send {wanted}")


def _suggested(text: str) -> str | None:
    """The number that somebody who wrote `1,299.00` or `19,90` meant; None where that is a guess (`1,299`)."""
    if len(text) > _LONGEST_GROUPED:
        return None
    grouped = _GROUPED.fullmatch(trim(text))
    if grouped is None:
        with_point = _NUMBER.fullmatch(trim(text).replace(",", ".", 1))
        return with_point[0] if with_point else None
    separator, point, cents = grouped.groups()
    if separator == point or (separator in {".", ","} and not point):
        return None
    whole = grouped[0][: grouped.start(2)] if point else grouped[0]
    digits = whole.replace(separator, "") if separator else whole
    return f"{digits}.{cents}" if point else digits


def _currency(value: object) -> str | Fault:
    if isinstance(value, str):
        if value in CURRENCIES:
            return value
        code = trim(value).upper()
        wanted = f"send {code}" if code in CURRENCIES else "send a code of ISO 4217 such as EUR"
        return Fault("revenue", f"currency {shown(value)} is unknown: {wanted}")
    return Fault("revenue", "has no currency: send a code of ISO 4217 such as EUR")


def _plain(amount: Decimal) -> str:
    """Without an exponent, and cut to the column's places where the text would grow long (`1e-9999`)."""
    exponent = amount.as_tuple().exponent
    return format(amount if isinstance(exponent, int) and exponent >= _FINEST_KEPT else amount.quantize(_FINEST), "f")
