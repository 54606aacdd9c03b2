"""Whose a hit is: the client's address and User-Agent as the relay may store and send them. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from relay.replay.outcomes import Reason, Refusal
from relay.rules.visitor import address_in

LONGEST_AGENT: Final = 8_190  # bytes; the door takes no longer header line either
_LONGEST_CACHED: Final = 512
_UNSAFE = re.compile(rb"[\x00-\x1f\x7f]")  # in a header line it could end the line


_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}")


def bare(ip: str) -> str:
    """The address alone, without port or zone; "" if it is none."""
    return ip if _IPV4.fullmatch(ip) else _address(ip)


@lru_cache(maxsize=16_384)
def _address(ip: str) -> str:
    address = address_in(ip)
    return "" if address is None else str(address)


def nobody(ip: str, user_agent: bytes | None) -> Refusal | None:
    """Why these make no visitor; `ip` as `bare` gave it. None if they do."""
    if not ip:
        return _NO_ADDRESS
    if user_agent is None or (_is_safe(user_agent) if len(user_agent) < _LONGEST_CACHED else _fits(user_agent)):
        return None
    return _BAD_AGENT


def _fits(user_agent: bytes) -> bool:
    return len(user_agent) <= LONGEST_AGENT and _UNSAFE.search(user_agent) is None


_is_safe = lru_cache(maxsize=16_384)(_fits)


_NO_ADDRESS: Final = Refusal(Reason.NO_ADDRESS, "the client's address is missing or none: its visitors would be one")
_BAD_AGENT: Final = Refusal(
    Reason.INVALID, f"the User-Agent has control characters or more than {LONGEST_AGENT:,} bytes"
)
