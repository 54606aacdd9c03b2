"""The stored form of an event: what one stream entry holds, and which partition it goes to.

The digit of its version, a line of JSON with what delivery needs beside the body, then the body as it came.
Version 1: site, address, User-Agent, when it was accepted, flags. Version 2: the same, and when it occurred; written
only if that is known, so a relay that knows version 1 alone reads all the others. Nothing else of a request is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, NamedTuple
from zlib import crc32

import orjson

from relay.queue.keys import OTHER_SITES

PLAIN: Final = b"1"
WITH_TIME: Final = b"2"
VERSIONS: Final = frozenset({PLAIN, WITH_TIME})
SITE_CHARACTERS: Final = 253  # the longest name in DNS; longer ones are made up, and not counted apart


class UnreadableError(ValueError):
    """The bytes are no stored event of a version that this relay knows."""


class StoredEvent(NamedTuple):
    """An accepted event of one site. Times are Unix time; `user_agent` is None if the request had none.

    `occurred_ms`: when it occurred, if its sender said so; else it is as old as its acceptance.
    A tuple, as a frozen dataclass takes three times as long to make, and each event is made twice on its way.
    """

    site: str
    ip: str
    user_agent: bytes | None
    body: bytes
    accepted_ms: int
    revenue: bool = False
    engagement: bool = False
    occurred_ms: int | None = None

    @property
    def began_ms(self) -> int:
        """From when on its age counts."""
        return self.accepted_ms if self.occurred_ms is None else self.occurred_ms

    @property
    def visitor(self) -> tuple[bytes | None, str, str]:
        """Plausible's own idea of a visitor (contract section 5): User-Agent, address, site."""
        return self.user_agent, self.ip, self.site

    @property
    def tally(self) -> tuple[str, str]:
        """Where the event is counted beside the ledger: hour of its acceptance (Unix time / 3,600), and site."""
        site = self.site if len(self.site) <= SITE_CHARACTERS else OTHER_SITES
        return str(self.accepted_ms // 3_600_000), site


@dataclass(frozen=True, slots=True)
class Packed:
    """An event as it is written: where to, where it is counted beside the ledger, and its stored form."""

    partition: int
    tally: tuple[str, str]
    form: bytes


def partition_of(event: StoredEvent, partitions: int) -> int:
    """The partition of the event's visitor, so that one worker sends all of a visitor's events."""
    return crc32(b"\n".join((event.user_agent or b"", event.ip.encode(), event.site.encode()))) % partitions


def pack(event: StoredEvent) -> bytes:
    """The stored form. The User-Agent's bytes go through latin-1, which maps every byte to one character."""
    agent = None if event.user_agent is None else event.user_agent.decode("latin-1")
    flags = ("r" if event.revenue else "") + ("e" if event.engagement else "")
    kept = [event.site, event.ip, agent, event.accepted_ms, flags]
    if event.occurred_ms is None:
        return b"".join((PLAIN, orjson.dumps(kept), b"\n", event.body))
    return b"".join((WITH_TIME, orjson.dumps([*kept, event.occurred_ms]), b"\n", event.body))


def head_of(site: str) -> bytes:
    """What the stored form of each event of that site has behind its version, and no other's."""
    return b"[%b," % orjson.dumps(site)


def unpack(form: bytes) -> StoredEvent:
    """The event of a stored form; raises UnreadableError for anything else."""
    head, newline, body = form.partition(b"\n")
    version = head[:1]
    if version not in VERSIONS or not newline:
        raise UnreadableError(f"unknown form {version!r}; this relay reads versions 1 and 2")
    try:
        site, ip, agent, accepted_ms, flags, *times = orjson.loads(head[1:])
        fits = type(site) is str and type(accepted_ms) is int and type(flags) is str and _is_address(ip)
    except (ValueError, TypeError) as error:
        raise UnreadableError(_damaged(version)) from error
    if not fits or [type(time_ms) for time_ms in times] != ([int] if version == WITH_TIME else []):
        raise UnreadableError(_damaged(version))
    occurred_ms = times[0] if times else None
    agent = _agent_bytes(agent, version)
    return StoredEvent(site, ip, agent, body, accepted_ms, "r" in flags, "e" in flags, occurred_ms)


def _damaged(version: bytes) -> str:
    return f"the head of a version {version.decode()} event is damaged"


def _is_address(ip: str) -> bool:
    """A bare address: what follows a `%`, the zone, could be any text, line breaks too, and is never stored.

    The system's own reading, as strict as `ipaddress` and fifteen times as fast. Raises TypeError for what is no text.
    """
    try:
        inet_pton(AF_INET6 if ":" in ip else AF_INET, ip)
    except (OSError, ValueError):
        return False
    return "%" not in ip


def _agent_bytes(agent: object, version: bytes) -> bytes | None:
    if agent is None:
        return None
    if type(agent) is not str:
        raise UnreadableError(_damaged(version))
    try:
        return agent.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnreadableError(_damaged(version)) from error
