"""Version 4 of the stored form: several events of one site and partition that are written together, in one entry.

They say nearly the same: together they take a part of the bytes, and cost door, server and worker less. Each is still
delivered, tried again, counted and given up by itself (parts.py). Written only where all workers read it (forms.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final

from relay.queue.compressed import MOST_BYTES, compress, decompress
from relay.queue.stored import (
    BUNDLE,
    HOUR_MS,
    MARK_BYTES,
    TIME_BYTES,
    StoredEvent,
    UnreadableError,
    mark_of,
    unpack,
)

MOST_EVENTS: Final = 64  # a read counts entries, and may find so many times the events that there is room for
_DAMAGED: Final = "a version 4 bundle is damaged"

# Version 4: its digit, six bytes by which its site is found, how many events, when the first was accepted, what else is
# told; of each visitor, who is one if that is told, his kind if that is told, and the addresses; of each event the
# length of its body, then what else is told: how many ms after the first it was accepted, flags, when it occurred. Last
# as a block the site, each visitor's User-Agent, a line each, and the bodies as they came.
COUNT_AT: Final = 1 + MARK_BYTES
_TIME_AT: Final = COUNT_AT + 1
_TOLD_AT: Final = _TIME_AT + TIME_BYTES
_LATER, _FLAGS, _OCCURRED, _ONE_VISITOR, _KINDS = 1, 2, 4, 8, 16  # what else is told
_KNOWN = 31
_IPV6, _NO_AGENT = 1, 2  # kinds of a visitor; nearly all have neither
_REVENUE, _ENGAGEMENT = 1, 2  # flags of an event
_NEVER = 2 ** (8 * TIME_BYTES) - 1  # when one occurred that does not say so
_NONE: Final = repeat(False)  # noqa: FBT003 - endless, as it has no state: of events without flags
_SIZES: Final = [struct.Struct(f">{n}H") for n in range(256)]  # of so many events the lengths


def pack_bundle(events: Sequence[StoredEvent]) -> bytes | None:
    """The events, MOST_EVENTS at most, as one form; None if that has no room, or they are not of one site and hour."""
    count = len(events)
    sites, ips, agents, bodies, times, sales, engagements, occurred = zip(*events, strict=True)
    told = 0
    names: Sequence[bytes] = agents
    lengths = list(map(len, bodies))
    if sum(lengths) > MOST_BYTES:  # known at once: of large events each half would be put together in vain
        return None
    first_ms = min(times)
    if sites.count(sites[0]) != count or first_ms // HOUR_MS != max(times) // HOUR_MS:
        return None
    try:
        sizes = _SIZES[count].pack(*lengths)
        if ips.count(ips[0]) == count and agents.count(agents[0]) == count:
            told |= _ONE_VISITOR
            ips, agents = ips[:1], agents[:1]
            names = agents
        if None in agents or ":" in "".join(ips):
            told |= _KINDS
            visitors, names = _odd_visitors(ips, agents)
        else:
            visitors = b"".join([inet_pton(AF_INET, ip) for ip in ips])
        if times[0] != first_ms or times.count(first_ms) != count:
            told |= _LATER
            sizes += _SIZES[count].pack(*[time_ms - first_ms for time_ms in times])
        if True in sales or True in engagements:
            told |= _FLAGS
            each = zip(sales, engagements, strict=True)
            sizes += bytes([(sale and _REVENUE) | (engaged and _ENGAGEMENT) for sale, engaged in each])
        if occurred.count(None) != count:
            told |= _OCCURRED
            sizes += b"".join([(_NEVER if ms is None else ms).to_bytes(TIME_BYTES, "big") for ms in occurred])
        begin = (BUNDLE, mark_of(sites[0]), bytes((count,)), first_ms.to_bytes(TIME_BYTES, "big"), bytes((told,)))
    except (OSError, OverflowError, struct.error):
        return None
    lines = b"\n".join((sites[0].encode(), *names, b""))
    if lines.count(b"\n") != len(names) + 1:
        return None
    block = compress(lines + b"".join(bodies))
    return None if block is None else b"".join((*begin, visitors, sizes, block))


def _odd_visitors(ips: Sequence[str], agents: Sequence[bytes | None]) -> tuple[bytes, list[bytes]]:
    """Kinds and addresses, and the User-Agents; raises OSError for an address that would come back in other words."""
    kinds = [(":" in ip and _IPV6) | (agent is None and _NO_AGENT) for ip, agent in zip(ips, agents, strict=True)]
    addresses = []
    for ip, kind in zip(ips, kinds, strict=True):
        family = AF_INET6 if kind & _IPV6 else AF_INET
        addresses.append(inet_pton(family, ip))
        if inet_ntop(family, addresses[-1]) != ip:
            raise OSError(ip)
    return bytes(kinds) + b"".join(addresses), [agent or b"" for agent in agents]


def count_in(form: bytes) -> int:
    """How many events the form of an entry has, by its head alone, as the scripts in keys.py count them."""
    return form[COUNT_AT] if form[:1] == BUNDLE and len(form) > COUNT_AT else 1


def events_in(form: bytes) -> list[StoredEvent]:
    """The events of any stored form, in their order; raises UnreadableError for anything else."""
    return _unpack_bundle(form) if form[:1] == BUNDLE else [unpack(form)]


def _unpack_bundle(form: bytes) -> list[StoredEvent]:
    try:
        count, told = form[COUNT_AT], form[_TOLD_AT]
        ips, agentless, at = _read_visitors(form, told, 1 if told & _ONE_VISITOR else count)
        lengths, at = _SIZES[count].unpack_from(form, at), at + 2 * count
        first_ms = int.from_bytes(form[_TIME_AT:_TOLD_AT], "big")
        times: Iterable[int] = repeat(first_ms)
        if told & _LATER:
            later, at = _SIZES[count].unpack_from(form, at), at + 2 * count
            times = [first_ms + ms for ms in later]
        sales: Iterable[bool] = _NONE
        engagements: Iterable[bool] = _NONE
        if told & _FLAGS:
            flags, at = form[at : at + count], at + count
            sales = [bool(flag & _REVENUE) for flag in flags]
            engagements = [bool(flag & _ENGAGEMENT) for flag in flags]
        occurred: Iterable[int | None] = repeat(None)
        if told & _OCCURRED:
            occurred, at = _read_times(form, at, count)
        site_bytes, *names, text = decompress(form[at:]).split(b"\n", len(ips) + 1)
        site = site_bytes.decode()
        if told > _KNOWN or mark_of(site) != form[1:COUNT_AT] or len(names) != len(ips):
            raise UnreadableError(_DAMAGED)
        agents: Sequence[bytes | None] = names
        if agentless:
            agents = [None if n in agentless else agent for n, agent in enumerate(names)]
        if told & _ONE_VISITOR:
            ips, agents = ips * count, [*agents] * count
        bodies = _bodies(text, lengths)
    except (ValueError, IndexError, struct.error) as error:  # an UnreadableError is a ValueError, too
        raise UnreadableError(_DAMAGED) from error
    return list(map(StoredEvent, repeat(site), ips, agents, bodies, times, sales, engagements, occurred))


def _read_visitors(form: bytes, told: int, count: int) -> tuple[list[str], set[int], int]:
    """Addresses, who has no User-Agent, and where that ends."""
    at = _TOLD_AT + 1
    if not told & _KINDS:
        end = at + 4 * count
        return [inet_ntop(AF_INET, form[n : n + 4]) for n in range(at, end, 4)], set(), end
    kinds, at = form[at : at + count], at + count
    ips = []
    for kind in kinds:
        end = at + (16 if kind & _IPV6 else 4)
        ips.append(inet_ntop(AF_INET6 if kind & _IPV6 else AF_INET, form[at:end]))
        at = end
    return ips, {n for n, kind in enumerate(kinds) if kind & _NO_AGENT}, at


def _read_times(form: bytes, at: int, count: int) -> tuple[list[int | None], int]:
    end = at + count * TIME_BYTES
    times = [int.from_bytes(form[n : n + TIME_BYTES], "big") for n in range(at, end, TIME_BYTES)]
    return [None if time_ms == _NEVER else time_ms for time_ms in times], end


def _bodies(text: bytes, lengths: Sequence[int]) -> list[bytes]:
    ends = list(accumulate(lengths))
    if ends[-1:] != [len(text)]:
        raise UnreadableError(_DAMAGED)
    return [text[end - length : end] for end, length in zip(ends, lengths, strict=True)]
