"""The stored form of an event: what one stream entry holds, and which partition it goes to.

It opens with the digit of its version. Version 1: a line of JSON with site, address, User-Agent, when it was accepted
and flags, then the body as it came. Version 2: the same, and when it occurred. Version 3 has the same in a third of the
bytes, compressed (compressed.py); what does not become shorter stays plain. Version 4 is several events in one entry
(bundle.py). Both are written only where all workers read them (forms.py). Nothing else of a request is kept.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple
from zlib import crc32

import msgspec
import orjson

from relay.queue.compressed import compress, decompress, text_of
from relay.queue.keys import OTHER_SITES

PLAIN: Final = b"1"
WITH_TIME: Final = b"2"
SMALL: Final = b"3"
BUNDLE: Final = b"4"
READS: Final = "1234"  # the versions that this relay reads
_HAS_JSON: Final = frozenset({PLAIN, WITH_TIME})
_HAS_MARK: Final = frozenset({SMALL, BUNDLE})

# Version 3: its digit, six bytes by which its site is found, flags, times in ms, address, block.
MARK_BYTES, TIME_BYTES = 6, 6
_REVENUE, _ENGAGEMENT, _AGENT, _OCCURRED, _IPV6 = 1, 2, 4, 8, 16
_KNOWN_FLAGS = 31
_FLAGS_AT = 1 + MARK_BYTES
_TIMES_AT = _FLAGS_AT + 1
HOUR_MS: Final = 3_600_000  # events are counted by the hour of their acceptance
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
        return str(self.accepted_ms // HOUR_MS), site


class Packed(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is written: where to, where it is counted beside the ledger, its stored form, how many events.

    A struct, as it is made in a quarter of a frozen dataclass's time.
    """

    partition: int
    tally: tuple[str, str]
    form: bytes
    events: int = 1


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


def pack_small(event: StoredEvent) -> bytes:
    """The stored form of version 3, or the plain one of an event that is not shorter so, or does not fit into it."""
    small = _small(event)
    return pack(event) if small is None else small


def _small(event: StoredEvent) -> bytes | None:
    site, ip, agent, body, accepted_ms, revenue, engagement, occurred_ms = event
    is_v6 = ":" in ip
    if "\n" in site or (agent is not None and b"\n" in agent):
        return None
    block = compress(text_of(site, agent, body))
    if block is None:
        return None
    flags = (revenue and _REVENUE) | (engagement and _ENGAGEMENT) | (agent is not None and _AGENT) | (is_v6 and _IPV6)
    try:
        times = accepted_ms.to_bytes(TIME_BYTES, "big")
        if occurred_ms is not None:
            flags |= _OCCURRED
            times += occurred_ms.to_bytes(TIME_BYTES, "big")
        address = inet_pton(AF_INET6 if is_v6 else AF_INET, ip)
    except (OSError, OverflowError):
        return None
    if is_v6 and inet_ntop(AF_INET6, address) != ip:  # the same address in other words, which a visitor is known by
        return None
    return b"".join((SMALL, mark_of(site), flags.to_bytes(1, "big"), times, address, block))


def head_of(site: str) -> bytes:
    """What the plain form of each event of that site has behind its version, and no other's."""
    return b"[%b," % orjson.dumps(site)


@lru_cache(maxsize=1_024)
def mark_of(site: str) -> bytes:
    """What the compressed form of each event of that site has there, and of one other in 10^14 sites."""
    return blake2b(site.encode(), digest_size=MARK_BYTES).digest()


def unpack(form: bytes) -> StoredEvent:
    """The event of a stored form; raises UnreadableError for anything else."""
    version = form[:1]
    if version == SMALL:
        return _unpack_small(form)
    head, newline, body = form.partition(b"\n")
    if version not in _HAS_JSON or not newline:
        raise UnreadableError(f"unknown form {version!r}; this relay reads versions 1 to 4")
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


def mark_in(form: bytes) -> bytes:
    """The mark of the form's site if it is of version 3 or 4, else nothing; what is behind it is not looked at."""
    return form[1:_FLAGS_AT] if form[:1] in _HAS_MARK else b""


def _opened(form: bytes) -> tuple[int, int, str, bytes, bytes]:
    """Of a form of version 3: flags, where its block begins, and what is in it: site, User-Agent, body."""
    try:
        flags = form[_FLAGS_AT]
        if flags & ~_KNOWN_FLAGS:
            raise UnreadableError(_DAMAGED_SMALL)
        block_at = _TIMES_AT + (16 if flags & _IPV6 else 4) + TIME_BYTES * (2 if flags & _OCCURRED else 1)
        site_bytes, agent, body = decompress(form[block_at:]).split(b"\n", 2)
        site = site_bytes.decode()
    except (ValueError, IndexError) as error:  # an UnreadableError is a ValueError, too
        raise UnreadableError(_DAMAGED_SMALL) from error
    if mark_of(site) != form[1:_FLAGS_AT]:
        raise UnreadableError(_DAMAGED_SMALL)
    return flags, block_at, site, agent, body


def _unpack_small(form: bytes) -> StoredEvent:
    flags, block_at, site, agent, body = _opened(form)
    at = _TIMES_AT + TIME_BYTES
    accepted_ms, occurred_ms = int.from_bytes(form[_TIMES_AT:at], "big"), None
    if flags & _OCCURRED:
        occurred_ms = int.from_bytes(form[at : at + TIME_BYTES], "big")
        at += TIME_BYTES
    ip = inet_ntop(AF_INET6 if flags & _IPV6 else AF_INET, form[at:block_at])
    user_agent = agent if flags & _AGENT else None
    is_sale, is_engagement = bool(flags & _REVENUE), bool(flags & _ENGAGEMENT)
    return StoredEvent(site, ip, user_agent, body, accepted_ms, is_sale, is_engagement, occurred_ms)


_DAMAGED_SMALL: Final = "a version 3 event is damaged"


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
