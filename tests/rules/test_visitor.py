"""Who sent an event: which header is believed, from whom, and what can never get out of it."""

from ipaddress import ip_network

import pytest

from relay.rules.visitor import Visitor, address_in, visitor_of

PROXIES = [ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8"), ip_network("fd00::/8")]
CLIENT = "203.0.113.9"


def ip_of(*headers: tuple[str, str], peer: str = "10.0.0.1") -> str:
    """The visitor's address behind a trusted peer."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return visitor_of(peer, raw, PROXIES).ip


@pytest.mark.parametrize("name", ["X-Plausible-IP", "CF-Connecting-IP", "B-Forwarded-For", "X-Forwarded-For"])
def test_an_unknown_peer_is_not_believed(name: str) -> None:
    """Headers of a peer that is no trusted proxy are ignored, and so are all of them if none is trusted."""
    headers = [(name.encode(), b"198.51.100.1"), (b"Forwarded", b"for=198.51.100.1")]
    assert visitor_of(CLIENT, headers, PROXIES).ip == CLIENT
    assert visitor_of("10.0.0.1", headers, []).ip == "10.0.0.1"


def test_headers_are_asked_in_the_order_of_plausible() -> None:
    """x-plausible-ip, cf-connecting-ip, b-forwarded-for, x-forwarded-for, forwarded: the first valid one counts."""
    headers = [
        ("Forwarded", "for=198.51.100.5"),
        ("X-Forwarded-For", "198.51.100.4"),
        ("b-forwarded-for", "198.51.100.3"),
        ("CF-Connecting-IP", "198.51.100.2"),
        ("x-plausible-ip", "198.51.100.1"),
    ]
    while headers:
        assert ip_of(*headers) == f"198.51.100.{6 - len(headers)}"
        headers.pop()
    assert ip_of() == "10.0.0.1"


@pytest.mark.parametrize("name", ["x-plausible-ip", "cf-connecting-ip"])
@pytest.mark.parametrize("value", ["198.51.100.1, 198.51.100.2", "unknown", "", "198.51.100.1 198.51.100.2"])
def test_the_single_headers_are_not_split(name: str, value: str) -> None:
    """What is not one address in a single-valued header is passed over for the next header."""
    assert ip_of((name, value), ("X-Forwarded-For", CLIENT)) == CLIENT


def test_of_two_lines_of_a_single_header_the_first_counts() -> None:
    """As upstream, which takes the first."""
    assert ip_of(("x-plausible-ip", CLIENT), ("X-Plausible-IP", "198.51.100.1")) == CLIENT


@pytest.mark.parametrize(
    ("chain", "ip"),
    [
        ("203.0.113.9", CLIENT),
        ("203.0.113.9, 10.0.0.7", CLIENT),
        ("198.51.100.66, 203.0.113.9, 10.0.0.7, 127.0.0.1", CLIENT),
        ("10.0.0.5, 10.0.0.6", "10.0.0.5"),
        ("unknown, 203.0.113.9:4711", CLIENT),
        ("203.0.113.9, unknown", "10.0.0.1"),
        ("203.0.113.9, _hidden, 10.0.0.7", "10.0.0.7"),
        ("203.0.113.9,", "10.0.0.1"),
        (",203.0.113.9", CLIENT),
        ("", "10.0.0.1"),
        ("203.0.113.9, <script>", "10.0.0.1"),
        ("2001:DB8::0:1, fd00::7", "2001:db8::1"),
        ("::ffff:203.0.113.9", CLIENT),
        ("203.0.113.9, ::ffff:10.0.0.7", CLIENT),
        ("203.0.113.9\u00a0", CLIENT),
    ],
)
@pytest.mark.parametrize("name", ["X-Forwarded-For", "B-Forwarded-For"])
def test_the_rightmost_hop_that_is_no_proxy_is_the_client(name: str, chain: str, ip: str) -> None:
    """From the right, trusted hops are passed over; at garbage the last address seen stands."""
    assert ip_of((name, chain)) == ip


def test_several_lines_are_one_list() -> None:
    """Header lines of one name are read in their order, as one list."""
    assert ip_of(("X-Forwarded-For", f"198.51.100.1, {CLIENT}"), ("x-forwarded-for", "10.0.0.7")) == CLIENT


def test_a_header_that_yields_nothing_gives_way_to_the_next() -> None:
    """Garbage at the right end of one header leaves the word to the next one."""
    assert ip_of(("b-forwarded-for", "unknown"), ("X-Forwarded-For", CLIENT)) == CLIENT


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        ("for=203.0.113.9", CLIENT),
        ('For="203.0.113.9:4711";proto=https;by=10.0.0.1', CLIENT),
        ('proto=https; for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="[2001:db8::1]", for=10.0.0.7;by="a,b;c"', "2001:db8::1"),
        ("for=198.51.100.1, for=203.0.113.9, for=10.0.0.7", CLIENT),
        ('for="203\\.0.113.9"', CLIENT),
        ("for=203.0.113.9, for=_hidden", "10.0.0.1"),
        ("for=203.0.113.9, proto=https", "10.0.0.1"),
        ('by=",for=198.51.100.1,";for=203.0.113.9', CLIENT),
        ('by=";for=198.51.100.1;";for=203.0.113.9', CLIENT),
        ('for="203.0.113.9', "10.0.0.1"),
        ("for", "10.0.0.1"),
        ("for=unknown", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_writes_it(forwarded: str, ip: str) -> None:
    """Quotes, ports, brackets, other parameters and several elements of `Forwarded` are understood."""
    assert ip_of(("Forwarded", forwarded)) == ip


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        (" 1.2.3.4:55 ", "1.2.3.4"),
        ("[2001:db8::1]:55", "2001:db8::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:db8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:5", "1.2.3.4"),
    ],
)
def test_addresses_in_all_their_spellings(text: str, address: str) -> None:
    """Ports, brackets, zones and mapped IPv4 are taken off; the rest is canonical."""
    assert str(address_in(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "1.2.3",
        "1.2.3.4:x",
        "1.2.3.4:",
        "1.2.3.4:123456",
        "[::1",
        "[::1]x",
        "[]",
        "01.2.3.4",
        "1.2.3.4%e",
        "\uff11.2.3.4",
        "16909060",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    """Nothing that only resembles an address gets through."""
    assert address_in(text) is None


@pytest.mark.parametrize(
    ("peer", "ip"), [("::ffff:203.0.113.9", CLIENT), ("fe80::1%eth0", "fe80::1"), ("", "127.0.0.1")]
)
def test_peers_in_all_their_spellings(peer: str, ip: str) -> None:
    """A mapped or scoped peer is cleaned; a peer without an address (a unix socket) stands for 127.0.0.1."""
    assert visitor_of(peer, [], []) == Visitor(ip, None)


def test_a_unix_socket_is_trusted_if_this_machine_is() -> None:
    """Headers that come over a unix socket are believed if 127.0.0.1 is a trusted proxy."""
    headers = [(b"X-Forwarded-For", CLIENT.encode())]
    assert visitor_of("", headers, PROXIES).ip == CLIENT
    assert visitor_of("", headers, [ip_network("10.0.0.0/8")]).ip == "127.0.0.1"


def test_the_user_agent_is_kept_byte_for_byte() -> None:
    """The first User-Agent counts, not a byte of it changed; without one there is none."""
    headers = [(b"Accept", b"*/*"), (b"USER-AGENT", b" M\xf6zilla "), (b"User-Agent", b"second")]
    assert visitor_of(CLIENT, headers, []).user_agent == b" M\xf6zilla "
    assert visitor_of(CLIENT, [(b"User-Agent", b"")], []).user_agent == b""
    assert visitor_of(CLIENT, [], []).user_agent is None
