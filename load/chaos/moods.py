"""How the server in Plausible's place can answer, one name each, and what each means for the account."""

from __future__ import annotations

import time
from email.utils import formatdate
from enum import StrEnum
from typing import Final


class Mood(StrEnum):
    """How the sink answers."""

    FINE = "fine"
    UNAVAILABLE = "503"
    CRASHING = "500"
    BUSY = "429 with Retry-After in seconds"
    BUSY_UNTIL = "429 with Retry-After as a date"
    CLOSED = "401"
    NOT_FOUND = "404"
    REDIRECT = "302"
    SLOW = "slow"
    DEAF = "hangs and reads nothing"
    RESET_BEFORE = "resets before the request is whole"
    RESET_AFTER = "resets after the request"
    HANG = "never answers"
    HALF = "hangs in the middle of its answer"
    ENDLESS = "hangs after its answer's head"
    GARBAGE = "answers no HTTP"


NOT_READ: Final = frozenset({Mood.DEAF, Mood.RESET_BEFORE})
LEAVES_OPEN: Final = frozenset({Mood.RESET_AFTER, Mood.HANG, Mood.HALF, Mood.GARBAGE})
"""Whoever sent the event cannot know whether it was counted: its repetition is nobody's fault."""
MAY_SWAP: Final = frozenset({Mood.CRASHING, Mood.RESET_BEFORE, Mood.RESET_AFTER})
"""Could be the fault of one event. When it begins, an event may fail three times while others still pass."""
COUNTS: Final = LEAVES_OPEN | {Mood.FINE, Mood.SLOW, Mood.ENDLESS}

_ANSWERS: Final[dict[Mood, bytes]] = {
    Mood.FINE: b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
    Mood.SLOW: b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
    Mood.ENDLESS: b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\nok",
    Mood.HALF: b"HTTP/1.1 202 Acc",
    Mood.UNAVAILABLE: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    Mood.CRASHING: b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    Mood.BUSY: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    Mood.CLOSED: b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    Mood.NOT_FOUND: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    Mood.REDIRECT: b"HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n",
    Mood.GARBAGE: b"SSH-2.0-OpenSSH_9.9\r\n",
}


def answer_of(mood: Mood) -> bytes:
    """The bytes of such an answer, or of what is sent of it."""
    if mood is Mood.BUSY_UNTIL:
        until = formatdate(time.time() + 2, usegmt=True).encode()  # whole seconds: between one and two from now
        return b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + until + b"\r\nContent-Length: 0\r\n\r\n"
    return _ANSWERS[mood]
