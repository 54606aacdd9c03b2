"""Who may look at the relay's own state. Everything about the request is the sender's to choose, but its address."""

import base64

import pytest

from relay.rules.access import may_look

KEY = "a-key-of-the-operator"
LOCAL = (b"Host", b"localhost:8000")


def bearing(key: str, scheme: bytes = b"Bearer") -> tuple[bytes, bytes]:
    """The header that carries a key."""
    return b"Authorization", scheme + b" " + key.encode()


def basic(user: str, password: str) -> tuple[bytes, bytes]:
    """The header that a browser sends when it has asked for a password."""
    return b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", [b"localhost", b"localhost:8000", b"127.0.0.1:8000", b"[::1]:8000"])
@pytest.mark.parametrize("key", [None, KEY])
def test_whoever_sits_at_the_machine_may(peer: str, host: bytes, key: str | None) -> None:
    """On loopback no key is needed, whether there is one or not."""
    assert may_look(peer, [(b"Host", host)], key)


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "", "localhost", "unix"])
def test_other_machines_may_not(peer: str) -> None:
    """No address but loopback will do, whatever the request claims."""
    assert not may_look(peer, [LOCAL], None)
    assert not may_look(peer, [LOCAL, (b"X-Forwarded-For", b"127.0.0.1")], KEY)


@pytest.mark.parametrize(
    "added",
    [
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"x-real-ip", b"127.0.0.1"),
        (b"FORWARDED", b"for=127.0.0.1"),
        (b"Via", b"1.1 a"),
        (b"CF-Connecting-IP", b"127.0.0.1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"Origin", b"https://evil.example"),
        (b"Origin", b"null"),
        (b"Origin", b"http://localhost:8000.evil.example"),
        (b"Origin", b"http://[::1"),
    ],
)
def test_loopback_speaks_for_nobody_else(added: tuple[bytes, bytes]) -> None:
    """What a proxy on this machine passes on comes from elsewhere; so does what another site's page asks for."""
    assert not may_look("127.0.0.1", [LOCAL, added], None)
    assert may_look("127.0.0.1", [LOCAL, added, bearing(KEY)], KEY)


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"192.0.2.7", b"", b"[::1", b"\xff"])
def test_a_foreign_name_that_leads_to_loopback_is_foreign(host: bytes) -> None:
    """A site's own name may be pointed to 127.0.0.1: its page would be of the same origin."""
    assert not may_look("127.0.0.1", [(b"Host", host)], None)


@pytest.mark.parametrize("header", [bearing(KEY), bearing(KEY, b"bearer"), bearing(f" {KEY} "), basic("me", KEY)])
def test_the_key_opens_from_anywhere(header: tuple[bytes, bytes]) -> None:
    """As a token or as a password, of any user."""
    assert may_look("192.0.2.7", [(b"Host", b"relay.example"), header], KEY)


@pytest.mark.parametrize(
    "header",
    [
        bearing("another-key-entirely"),
        bearing(KEY[:-1]),
        bearing(KEY.upper()),
        bearing(""),
        bearing("\xff\udcff".encode("utf-8", "surrogatepass").decode("latin-1")),
        bearing(KEY, b"Digest"),
        basic(KEY, "wrong"),
        basic("me", ""),
        (b"Authorization", b"Basic !!!"),
        (b"Authorization", b"Basic"),
        (b"Authorization", KEY.encode()),
        (b"X-Key", KEY.encode()),
    ],
)
@pytest.mark.parametrize("key", [None, KEY])
def test_nothing_else_opens(header: tuple[bytes, bytes], key: str | None) -> None:
    """A wrong key, half a key, a key in the wrong place, or one where none is set."""
    assert not may_look("192.0.2.7", [LOCAL, header], key)
