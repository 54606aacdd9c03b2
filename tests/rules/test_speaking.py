"""For whom a source speaks: the address that it names, and nobody else's word."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from relay.rules.admission import parse_sites
from relay.rules.source import Kind, Source
from relay.rules.speaking import spoken_for

SPEAKS = Source("shop", Kind.BACKEND, parse_sites(["*"]), speaks=True)
TRUSTED = [ip_network("10.0.0.0/8")]
BACKEND = "198.51.100.9"


def ip_of(source: Source, *headers: tuple[bytes, bytes], peer: str = BACKEND) -> str | None:
    """The visitor's address."""
    visitor = spoken_for(source, peer, headers, TRUSTED)
    return None if visitor is None else visitor.ip


@pytest.mark.parametrize(
    ("headers", "ip"),
    [
        ([(b"X-Forwarded-For", b"81.2.69.142")], "81.2.69.142"),
        ([(b"x-forwarded-for", b"[2001:DB8::17]:4711")], "2001:db8::17"),
        ([(b"X-Forwarded-For", b"81.2.69.142, 198.51.100.9")], "81.2.69.142"),
        ([(b"X-Forwarded-For", b"81.2.69.142"), (b"X-Forwarded-For", b"198.51.100.9")], "81.2.69.142"),
        ([(b"X-Forwarded-For", b"192.168.1.7, 81.2.69.142, 10.0.0.1")], "81.2.69.142"),
        ([(b"X-Forwarded-For", b"192.168.1.7")], "192.168.1.7"),
        ([(b"X-Forwarded-For", b"unknown, , 81.2.69.142")], "81.2.69.142"),
        ([(b"X-Forwarded-For", b"10.0.0.5")], None),
        ([(b"X-Forwarded-For", b"unknown")], None),
        ([(b"X-Forwarded-For", b"")], None),
        ([(b"X-Real-IP", b"81.2.69.142")], None),
        ([], None),
        ([(b"X-Plausible-IP", b"81.2.69.142"), (b"X-Forwarded-For", b"2.125.160.216")], "81.2.69.142"),
        ([(b"CF-Connecting-IP", BACKEND.encode()), (b"X-Forwarded-For", b"81.2.69.142")], "81.2.69.142"),
        ([(b"CF-Connecting-IP", b"81.2.69.142")], "81.2.69.142"),
        ([(b"Forwarded", b'for="[2001:db8::17]:80", for=10.0.0.7')], "2001:db8::17"),
        ([(b"X-Forwarded-For", b"\xff\xfe"), (b"B-Forwarded-For", b"81.2.69.142")], "81.2.69.142"),
    ],
    ids=repr,
)
def test_the_address_that_a_source_names(headers: list[tuple[bytes, bytes]], ip: str | None) -> None:
    """The leftmost that can be a visitor's, whether it comes straight or through a trusted proxy; else none."""
    assert ip_of(SPEAKS, *headers) == ip
    assert ip_of(SPEAKS, *headers, peer="10.0.0.1") == ip


def test_whoever_does_not_speak_is_believed_as_before() -> None:
    """Only a trusted proxy's word counts, from the right; a forged hop never."""
    silent = replace(SPEAKS, speaks=False)
    forged = (b"X-Forwarded-For", b"6.6.6.6, 81.2.69.142")
    assert ip_of(silent, forged) == BACKEND
    assert ip_of(silent, (b"X-Plausible-IP", b"6.6.6.6")) == BACKEND
    assert ip_of(silent, forged, peer="10.0.0.1") == "81.2.69.142"


def test_the_user_agent_is_the_requests() -> None:
    """The visitor's User-Agent is the header, byte for byte, or none."""
    named = (b"X-Forwarded-For", b"81.2.69.142")
    for agent in (b"Mozilla/5.0 K\xc3\xb6ln", b""):
        visitor = spoken_for(SPEAKS, BACKEND, [named, (b"User-Agent", agent)], [])
        assert visitor is not None
        assert visitor.user_agent == agent
    visitor = spoken_for(SPEAKS, BACKEND, [named], [])
    assert visitor is not None
    assert visitor.user_agent is None
