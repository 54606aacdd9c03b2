"""How a key is written, and whose keys may be alike."""

import pytest

from relay.rules.admission import parse_sites
from relay.rules.fault import Fault
from relay.rules.idempotency import MAX_CHARACTERS, key_of, read_key, scope_of
from relay.rules.source import Kind, Source, anybody, browsers_of, responsible

SITES = parse_sites(["a.example", "b.example"])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "is no text"),
        (None, "is no text"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("x" * (MAX_CHARACTERS + 1), "has 256 characters"),
        ("a\nb", '"a\\nb" has characters'),
        ("é", '"é" has characters'),
        ("\x7f", "has characters"),
    ],
)
def test_a_malformed_key_says_what_would_be_right(value: object, said: str) -> None:
    """The fault names the field that it came in, what is wrong and what would be right."""
    fault = read_key(value, "id")
    assert isinstance(fault, Fault)
    assert fault.field == "id"
    assert said in fault.message(strict=True)
    assert "1 to 255 printable ASCII characters" in fault.message(strict=True)


def test_a_key_is_taken_as_it_comes() -> None:
    """Every printable ASCII character counts, quotes too; the header's name is found in any case."""
    every = "".join(map(chr, range(0x20, 0x7F)))
    assert read_key(every) == every
    assert key_of([(b"IDEMPOTENCY-KEY", b'"a"')]) == '"a"'
    assert key_of([(b"Idempotency-Keys", b"a")]) is None


def test_only_a_source_that_showed_its_key_has_a_scope_of_its_own() -> None:
    """Strangers and the visitors of web pages share one: they could name any key."""
    web = [Source(name, Kind.WEB, SITES) for name in ("pages", "blog")]
    for keyless in (anybody(SITES), browsers_of(web), browsers_of(web[:1])):
        assert keyless is not None
        answers = responsible(keyless, ["a.example"])
        assert isinstance(answers, Source)
        assert scope_of(answers) == ""
    assert {scope_of(source) for source in web} == {"pages", "blog"}
