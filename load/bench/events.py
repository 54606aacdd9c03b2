"""The events that are measured with: built beforehand, so that a sender costs little; the same for every system.

Each has a number, which stands in its URL, and a visitor, who has an address and a User-Agent. As from a tracker: short
keys, text/plain, a proxy's X-Forwarded-For.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Build = Callable[[int, int], bytes]
"""A number and the door's port → the whole request."""

SITE: Final = "example.com"
VISITORS: Final = 1_000
BATCH: Final = 100  # events
MARK: Final = b"/e/"
DIGITS: Final = 9
_AGENT: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.{0}.{1} Safari/537.36"
)


def agent(visitor: int) -> str:
    """A visitor's User-Agent."""
    return _AGENT.format(visitor // 100, visitor % 100)


def address(visitor: int) -> str:
    """A visitor's address: public, so that nobody drops it for that."""
    return f"81.{2 + visitor // 65_536 % 200}.{visitor // 256 % 256}.{visitor % 256}"


def body(number: int) -> bytes:
    """An event as the tracker sends a pageview with props. The number has a fixed width."""
    return (
        b'{"n":"pageview","u":"https://example.com/e/%09d?utm_source=newsletter","d":"example.com",'
        b'"r":"https://search.example/","p":{"plan":"trial","lang":"en","signed_in":"false"}}' % number
    )


def request(number: int, port: int) -> bytes:
    """The whole request of one event."""
    return _posted(number, port, body(number), b"text/plain")


def number_of(told: bytes) -> int:
    """The number that an event's body carries, or -1."""
    place = told.find(MARK)
    digits = told[place + len(MARK) : place + len(MARK) + DIGITS]
    return int(digits) if place >= 0 and digits.isdigit() else -1


def server_request(number: int, port: int) -> bytes:
    """The same event as a server's library sends it: long keys, JSON, revenue."""
    told = (
        b'{"name":"Purchase","url":"https://example.com/e/%09d","domain":"example.com",'
        b'"props":{"plan":"trial","items":3},"revenue":{"amount":"19.90","currency":"EUR"}}' % number
    )
    return _posted(number, port, told, b"application/json")


def engagement_request(number: int, port: int) -> bytes:
    """How far a visitor read, as the tracker sends it when a page is hidden."""
    told = b'{"n":"engagement","u":"https://example.com/e/%09d","d":"example.com","sd":70,"e":5000,"v":3}' % number
    return _posted(number, port, told, b"text/plain")


def wrong_request(number: int, port: int) -> bytes:
    """An event that has to be refused: its revenue cannot be read."""
    told = (
        b'{"n":"Purchase","u":"https://example.com/e/%09d","d":"example.com",'
        b'"$":{"amount":"1,299.00","currency":"usd"}}' % number
    )
    return _posted(number, port, told, b"text/plain")


def batch_request(number: int, port: int) -> bytes:
    """A batch as an app sends it that was offline: one visitor, and the events in an array."""
    told = b"[" + b",".join(body(BATCH * number + n) for n in range(BATCH)) + b"]"
    return _posted(number, port, told, b"application/json", b"/api/events")


def _posted(number: int, port: int, told: bytes, kind: bytes, path: bytes = b"/api/event") -> bytes:
    visitor = number % VISITORS
    return (
        b"POST %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: %b\r\nX-Forwarded-For: %b\r\n"
        b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (path, port, agent(visitor).encode(), address(visitor).encode(), kind, len(told), told)
    )
