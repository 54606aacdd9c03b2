"""Which sites are served here, and what is said about the others."""

import pytest

from relay.rules.admission import Admitted, Sites, admit, parse_sites
from relay.rules.event import Event, Refused, Validation

SERVED = parse_sites(["example.com", "Blog.example.com"])
EVERY = parse_sites(["*"])


def event_for(*sites: str, body: bytes = b"") -> Event:
    """An event for these sites."""
    return Event("pageview", sites, "", {}, None, interactive=True, body=body)


def test_the_setting_is_read_as_events_are() -> None:
    """Names of the setting lose spaces and one `www.`, blanks go, and `*` is every site."""
    assert parse_sites([" www.a.com ", "", "B.com"]) == Sites(frozenset({"a.com", "B.com"}), every=False)
    assert parse_sites(["*", "a.com"]) == Sites(frozenset({"a.com"}), every=True)


@pytest.mark.parametrize("validation", Validation)
@pytest.mark.parametrize("sites", [SERVED, EVERY], ids=["named", "every"])
def test_known_sites_are_admitted(sites: Sites, validation: Validation) -> None:
    """Sites that are served pass in both modes, doubled ones too."""
    event = event_for("example.com", "Blog.example.com", "example.com")
    assert admit(event, sites, validation) == Admitted(event.sites, ())


@pytest.mark.parametrize(
    ("site", "told"),
    [
        ("other.com", "RELAY_SITES"),
        ("Example.com", 'has to be written "example.com"'),
        ("www.example.com", 'has to be written "example.com"'),
        ("blog.example.com", 'has to be written "Blog.example.com"'),
        ("", "has an empty part"),
        ("x" * 5000, "…"),
    ],
)
def test_strict_mode_refuses_an_unknown_site(site: str, told: str) -> None:
    """One unknown site refuses the whole event, names it, and says how to write it if only the spelling differs."""
    refused = admit(event_for("example.com", site), SERVED, Validation.STRICT)
    assert isinstance(refused, Refused)
    assert refused.status == 400
    assert told in refused.errors["domain"][0]
    assert len(refused.errors["domain"][0]) < 200


def test_plausible_mode_counts_unknown_sites() -> None:
    """Plausible drops unknown sites and keeps the others, so plausible mode says which stay and which do not."""
    event = event_for("other.com", "example.com", "", "other.com")
    assert admit(event, SERVED, Validation.PLAUSIBLE) == Admitted(("example.com",), ("other.com", "", "other.com"))


def test_an_empty_part_is_unknown_even_where_every_site_is_known() -> None:
    """`*` does not make a site of nothing."""
    assert admit(event_for("a.com", ""), EVERY, Validation.PLAUSIBLE) == Admitted(("a.com",), ("",))
    assert isinstance(admit(event_for("a.com", ""), EVERY, Validation.STRICT), Refused)


@pytest.mark.parametrize("validation", Validation)
def test_a_huge_event_is_not_multiplied(validation: Validation) -> None:
    """A megabyte for a hundred sites would be a write of 100 MB, which all others wait for: refused in both modes."""
    huge = event_for(*["a.com"] * 5, body=b" " * 1_000_000)
    refused = admit(huge, EVERY, validation)
    assert isinstance(refused, Refused)
    assert "at most 4 at once" in refused.errors["domain"][0]
    assert isinstance(admit(event_for(*["a.com"] * 4, body=huge.body), EVERY, validation), Admitted)
    assert isinstance(admit(event_for("a.com", body=huge.body), EVERY, validation), Admitted)
