"""What docs/promises.md says of the two validations, held against the rules themselves.

The examples are the page's own; that each is told to the sender as it is refused here, the tests of the door say.
"""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.rules.admission import MAX_BYTES_OF_ALL, Admitted, admit, parse_sites
from relay.rules.document import MAX_BODY_BYTES
from relay.rules.domain import MAX_SITES
from relay.rules.event import Refused, Validation, parse_event
from relay.rules.props import MAX_PROPS

PAGE = Path(__file__).parents[2].joinpath("docs/promises.md").read_text(encoding="utf-8")
SITES = parse_sites(["a.com", "b.com"])
STRICTER: dict[str, list[dict[str, Any]]] = {
    "props": [{"props": {f"key{n}": "x" for n in range(MAX_PROPS + 1)}}],
    "revenue": [
        {"revenue": revenue}
        for revenue in (
            "none",
            [19.90],
            {"currency": "EUR"},
            {"amount": True, "currency": "EUR"},
            {"amount": "1,299.00", "currency": "EUR"},
            {"amount": "19,90", "currency": "EUR"},
            {"amount": 10**15, "currency": "EUR"},
            {"amount": 1},
            {"amount": 1, "currency": "usd"},
        )
    ],
    "domain": [{"domain": "a.com,c.com"}, {"domain": "a.com,,b.com"}],
}


def section(title: str) -> str:
    """The page from that heading to the next one."""
    found = PAGE.partition(f"\n### {title}\n")[2]
    assert found, title
    return re.split(r"^#", found, maxsplit=1, flags=re.MULTILINE)[0]


def judged(validation: Validation, body: bytes = b"", **fields: Any) -> Admitted | Refused:
    """What becomes of an event with these fields at a door for a.com and b.com."""
    legal = {"name": "pageview", "url": "https://a.com/", "domain": "a.com"}
    event = parse_event(body or orjson.dumps(legal | fields), validation)
    return event if isinstance(event, Refused) else admit(event, SITES, validation)


def test_the_table_of_strict_validation_is_whole() -> None:
    """Each field on which strict validation alone refuses has its row."""
    assert set(re.findall(r"^\| `(\w+)` \|", section("Strict validation"), re.MULTILINE)) == set(STRICTER)


@pytest.mark.parametrize(("field", "fields"), [(field, each) for field in STRICTER for each in STRICTER[field]])
def test_what_only_strict_validation_refuses(field: str, fields: dict[str, Any]) -> None:
    """What the table says is refused in strict validation, on its field, and taken in Plausible's."""
    refused = judged(Validation.STRICT, **fields)
    assert isinstance(refused, Refused)
    assert list(refused.errors) == [field]
    assert isinstance(judged(Validation.PLAUSIBLE, **fields), Admitted)


@pytest.mark.parametrize("revenue", [None, False])
def test_no_revenue_is_no_fault(revenue: object) -> None:
    """Null and false are no revenue."""
    assert isinstance(judged(Validation.STRICT, revenue=revenue), Admitted)


@pytest.mark.parametrize("validation", Validation)
def test_what_both_refuse_beyond_plausible(validation: Validation) -> None:
    """More than a hundred sites, too many for a large event, and a doubled key are refused whatever the validation."""
    many = judged(validation, domain=",".join(["a.com"] * (MAX_SITES + 1)))
    large = judged(validation, domain=",".join(["a.com"] * 5), other="x" * 900_000)
    doubled = judged(validation, b'{"name":"a","name":"b","url":"https://a.com/","domain":"a.com"}')
    assert [list(each.errors) for each in (many, large, doubled) if isinstance(each, Refused)] == [
        ["domain"],
        ["domain"],
        ["request"],
    ]


def test_an_unknown_site_and_an_empty_part_are_told_as_dropped() -> None:
    """In Plausible's validation the event is kept for the sites that are served, and the others count as dropped."""
    assert judged(Validation.PLAUSIBLE, domain="a.com,,c.com") == Admitted(("a.com",), ("", "c.com"))


def test_the_limits_are_those_of_the_code() -> None:
    """The page's numbers are the rules'."""
    assert f"more than {MAX_SITES} sites" in section("Refusals")
    assert f"more than {MAX_BYTES_OF_ALL:,} bytes" in section("Refusals")
    assert f"over {MAX_BODY_BYTES:,} bytes" in section("Refusals")
    assert f"Plausible keeps {MAX_PROPS}" in section("Strict validation")
