"""Laws that hold for any input at all, tried with generated ones (Hypothesis, the profile of conftest.py)."""

from ipaddress import ip_address, ip_network
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.admission import Admitted, admit, parse_sites
from relay.rules.bots import looks_like_bot
from relay.rules.event import Event, Refused, Validation, parse_event
from relay.rules.source import Kind, Source
from relay.rules.speaking import spoken_for
from relay.rules.split import bodies_by_site
from relay.rules.visitor import Trusted, visitor_of

KEYS = [*"nudmprhieov$", "name", "url", "domain", "meta", "props", "revenue", "hashMode", "sd", "amount", "currency"]
TEXTS = st.sampled_from(
    [
        "",
        " ",
        "engagement",
        "a.com,b.com",
        "www.a.com",
        "http://a.com/",
        "data:",
        "1,299.00",
        "1e5",
        "EUR",
        "{}",
        "null",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXTS | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)
LEGAL = {"n": "x", "u": "http://a.com/"}
BACKEND = Source("shop", Kind.BACKEND, parse_sites(["*"]), speaks=True)
PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
NAMES = st.sampled_from(
    [b"x-plausible-ip", b"CF-Connecting-IP", b"b-forwarded-for", b"X-Forwarded-For", b"Forwarded", b"Accept"]
)
HOPS = st.sampled_from(
    ["unknown", "", "10.0.0.1", "1.2.3.4:5", '"[::1]:2"', "::ffff:10.1.1.1", "fe80::1%x", "for=1.1.1.1"]
)
LINES = st.binary(max_size=30) | st.lists(HOPS, max_size=4).map(lambda hops: ",".join(hops).encode())
HEADERS = st.lists(st.tuples(NAMES, LINES), max_size=5)
PEERS = st.text(max_size=20) | st.ip_addresses().map(str) | st.just("10.0.0.1")


def check_both_modes(body: bytes) -> None:
    """Parsing never raises, says why it refuses, and is never stricter in plausible mode."""
    strict, plausible = (parse_event(body, validation) for validation in Validation)
    for outcome in (strict, plausible):
        assert isinstance(outcome, Event) or (outcome.status == 400 and all(outcome.errors.values()) and outcome.errors)
    assert isinstance(plausible, Event) or isinstance(strict, Refused)
    if isinstance(plausible, Event):
        assert plausible.body is body
        assert len(plausible.props) <= 30
        assert plausible.sites


@given(st.binary(max_size=60))
def test_any_bytes_are_judged(body: bytes) -> None:
    """Whatever bytes come in, an Event or a Refused with reasons comes out."""
    check_both_modes(body)


@given(VALUES)
def test_any_json_is_judged(value: Any) -> None:
    """Whatever JSON comes in, an Event or a Refused with reasons comes out."""
    check_both_modes(orjson.dumps(value))


@given(FIELDS)
def test_any_fields_are_judged(fields: dict[str, Any]) -> None:
    """Whatever stands in the known fields, strict mode accepts nothing that plausible mode refuses."""
    check_both_modes(orjson.dumps(LEGAL | fields))


@given(FIELDS)
def test_messages_stay_short(fields: dict[str, Any]) -> None:
    """A refusal never echoes the input at length."""
    told = parse_event(orjson.dumps(fields | {"name": "x" * 5000, "revenue": "y" * 5000}), Validation.STRICT)
    assert isinstance(told, Refused)
    assert all(len(message) < 300 for messages in told.errors.values() for message in messages)


@given(FIELDS, st.lists(st.text(max_size=8).filter(lambda part: "," not in part), min_size=2, max_size=4))
def test_a_split_event_differs_only_in_its_site(fields: dict[str, Any], parts: list[str]) -> None:
    """Each body of a split event parses to one site, the one it was made for, and is otherwise the same event."""
    event = parse_event(orjson.dumps(fields | LEGAL | {"d": ",".join(parts)}), Validation.PLAUSIBLE)
    if isinstance(event, Refused):
        return
    bodies = bodies_by_site(event)
    assert tuple(site for site, _ in bodies) == event.sites
    before = orjson.loads(event.body)
    for site, body in bodies:
        alone = parse_event(body, Validation.PLAUSIBLE)
        assert isinstance(alone, Event)
        assert alone.sites == (site,)
        assert orjson.loads(body) | {"d": before["d"]} == before


@given(st.lists(st.sampled_from(["a.com", "b.com", "", "A.com"]), min_size=1), st.sets(st.sampled_from(["a.com", "*"])))
def test_admission_loses_no_site(named: list[str], served: set[str]) -> None:
    """In plausible mode every site of an event either stays or is unknown; strict mode admits all or nothing."""
    event = Event("x", tuple(named), "", {}, None, interactive=True, body=b"")
    sites = parse_sites(served)
    found = admit(event, sites, Validation.PLAUSIBLE)
    assert isinstance(found, Admitted)
    assert sorted(found.sites + found.unknown) == sorted(event.sites)
    assert isinstance(admit(event, sites, Validation.STRICT), Refused) == bool(found.unknown)


@given(PEERS, HEADERS)
def test_a_visitor_always_has_a_valid_address(peer: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever the peer and the headers say, the address is canonical and valid."""
    ip = visitor_of(peer, headers, PROXIES).ip
    assert str(ip_address(ip)) == ip


@given(st.ip_addresses().filter(lambda peer: not any(peer in network for network in PROXIES)), HEADERS)
def test_headers_of_an_unknown_peer_never_matter(peer: object, headers: list[tuple[bytes, bytes]]) -> None:
    """A peer that is no trusted proxy can claim nothing."""
    unmapped = visitor_of(str(peer), [], []).ip
    if any(ip_address(unmapped) in network for network in PROXIES):
        return
    assert visitor_of(str(peer), headers, PROXIES).ip == unmapped


@given(
    st.lists(st.ip_addresses(v=4).map(str), max_size=3),
    st.ip_addresses(v=4).filter(lambda address: address not in PROXIES[0]).map(str),
    st.lists(st.sampled_from(["10.0.0.2", "10.9.9.9:80", "fd00::7"]), max_size=3),
)
def test_what_stands_left_of_the_client_never_matters(claimed: list[str], client: str, proxies: list[str]) -> None:
    """The rightmost hop that is no trusted proxy is the client, whatever it claimed before itself."""
    chain = ", ".join([*claimed, client, *proxies]).encode()
    assert visitor_of("10.0.0.1", [(b"X-Forwarded-For", chain)], PROXIES).ip == client


@given(st.lists(HOPS | st.text(max_size=3) | st.ip_addresses().map(str), min_size=1, max_size=4))
def test_a_chain_of_one_line_is_read_as_one_of_several(hops: list[str]) -> None:
    """X-Forwarded-For may come in lines of any number; the usual one is remembered, and read no other way."""
    lines = [(b"User-Agent", b"x"), (b"Forwarded", b""), *((b"X-Forwarded-For", hop.encode()) for hop in hops)]
    whole = [(b"x-forwarded-for", b",".join(line for _, line in lines[2:])), lines[0]]
    for _ in range(2):
        assert visitor_of("10.0.0.1", whole, Trusted(PROXIES)) == visitor_of("10.0.0.1", lines, PROXIES)
        assert spoken_for(BACKEND, "1.1.1.1", whole, Trusted(PROXIES)) == spoken_for(BACKEND, "1.1.1.1", lines, PROXIES)
    assert visitor_of("10.0.0.1", whole, []).ip == "10.0.0.1"


@given(st.binary(max_size=40))
def test_any_user_agent_is_judged(agent: bytes) -> None:
    """No User-Agent upsets the list of bots."""
    assert looks_like_bot(agent) in {True, False}
