"""Who sent an event: the address and the User-Agent that make a visitor for Plausible.

Plausible believes everybody's headers and validates nothing (contract section 2). Here they count only if a trusted
proxy sent them, and what comes out is always one valid bare address, whatever came in.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from operator import itemgetter

import msgspec

from relay.rules.forwarded import comma_list, forwarded_for

Network = IPv4Network | IPv6Network
RawHeaders = Sequence[tuple[bytes, bytes]]
Address = IPv4Address | IPv6Address

# A peer without an address is a local process on a unix socket.
_LOCAL = IPv4Address("127.0.0.1")

# In Plausible's own order (`PlausibleWeb.RemoteIP`): how the hops are read out of a header's lines.
_HOPS_IN: dict[bytes, Callable[[list[str]], list[str]]] = {
    b"x-plausible-ip": lambda lines: lines[:1],
    b"cf-connecting-ip": lambda lines: lines[:1],
    b"b-forwarded-for": comma_list,
    b"x-forwarded-for": comma_list,
    b"forwarded": forwarded_for,
}
_name = itemgetter(0)
USUAL_NAMES = 1_000  # bytes of headers' names, of which something is remembered
_LONGEST_PORT = 5
_LONGEST_CHAIN = 100  # of what is remembered as it came
_LONGEST_ADDRESS = 45  # eight groups of which the last two are written as IPv4, RFC 4291 2.2


class Visitor(msgspec.Struct, frozen=True, gc=False):
    """`ip` is canonical text of an address; `user_agent` the header's bytes as they came, None if there was none."""

    ip: str
    user_agent: bytes | None


class Trusted(tuple[Network, ...]):
    """The networks of the trusted proxies. Part of caches' keys, so it is known by itself, and not by what is in it."""

    __slots__ = ()
    __hash__ = object.__hash__  # no method of ours: that would be called for each event
    __eq__ = object.__eq__


def visitor_of(peer: str, headers: RawHeaders, trusted: Sequence[Network], names: bytes | None = None) -> Visitor:
    """The visitor behind `peer`, the address of the connection. Never raises.

    `names`: `names_of` the headers, if known. A peer without an address (a unix socket) stands for 127.0.0.1, and is
    trusted if that is.
    """
    proxies = trusted if isinstance(trusted, Trusted) else Trusted(trusted)
    ip, believed = _told_by(peer, proxies)
    agent, lines, chain = told_in(headers, names)
    if believed and chain is not None:
        ip = _client_of(chain, proxies) or ip
    elif believed and lines:
        address = _forwarded(headers, proxies)
        ip = ip if address is None else str(address)
    return Visitor(ip, agent)


def told_in(headers: RawHeaders, names: bytes | None = None) -> tuple[bytes | None, int, bytes | None]:
    """The User-Agent, how many lines name hops, and X-Forwarded-For if it is the only one and not long."""
    if names is None:
        names = names_of(headers)
    agent_at, lines, chain_at = _known_places(names) if len(names) <= USUAL_NAMES else _places(names)
    chain = None if chain_at is None else headers[chain_at][1]
    if chain is not None and len(chain) > _LONGEST_CHAIN:
        chain = None
    return (None if agent_at is None else headers[agent_at][1]), lines, chain


def names_of(headers: RawHeaders) -> bytes:
    """The headers' names, a line each. A client sends the same ones again: what follows from them can be remembered."""
    return b"\n".join(map(_name, headers))


def _places(names: bytes) -> tuple[int | None, int, int | None]:
    """Among headers of these names: where User-Agent is, how many name hops, and where X-Forwarded-For is, if alone."""
    keys = names.lower().split(b"\n")
    hops = [place for place, key in enumerate(keys) if key in _HOPS_IN]
    agent_at = keys.index(b"user-agent") if b"user-agent" in keys else None
    chain_at = hops[0] if len(hops) == 1 and keys[hops[0]] == b"x-forwarded-for" else None
    return agent_at, len(hops), chain_at


_known_places = lru_cache(maxsize=256)(_places)


@lru_cache(maxsize=1_024)
def _told_by(peer: str, trusted: Trusted) -> tuple[str, bool]:
    """The address of a connection, and whether what it says of others is believed."""
    address = address_in(peer) or _LOCAL
    return str(address), is_in(trusted, address)


@lru_cache(maxsize=4_096)
def _client_of(chain: bytes, trusted: Trusted) -> str | None:
    """The client in an X-Forwarded-For of one line, which is the usual one; a visitor comes again with the same."""
    address = _client(comma_list([chain.decode("latin-1")]), trusted)
    return None if address is None else str(address)


def address_in(text: str) -> Address | None:
    """The address in `1.2.3.4:55`, `[v6]:55`, `v6%zone` and the like; None for all else. Mapped IPv4 becomes IPv4."""
    host = text.strip()
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _is_port(f":{port}"):
            return None
    if ":" in host:
        host = host.partition("%")[0]
    return _known(host) if len(host) <= _LONGEST_ADDRESS else None


def _read(host: str) -> Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


_known = lru_cache(maxsize=4_096)(_read)  # proxies are few, and visitors come again


def _is_port(text: str) -> bool:
    digits = text[1:]
    return text[0] == ":" and digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_PORT


def is_in(networks: Sequence[Network], address: Address) -> bool:
    """Whether one of the networks has the address."""
    return any(address in network for network in networks)


def hops_by_header(headers: RawHeaders) -> dict[bytes, list[str]]:
    """The hops as each header of Plausible's lists them, in Plausible's order of headers."""
    lines: dict[bytes, list[str]] = {}
    for name, value in headers:
        if (key := name.lower()) in _HOPS_IN:
            lines.setdefault(key, []).append(value.decode("latin-1"))
    return {key: hops_in(lines[key]) for key, hops_in in _HOPS_IN.items() if key in lines} if lines else {}


def _forwarded(headers: RawHeaders, trusted: Sequence[Network]) -> Address | None:
    """The first header in Plausible's order that yields an address."""
    for hops in hops_by_header(headers).values():
        if address := _client(hops, trusted):
            return address
    return None


def _client(hops: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """From the right, the first hop that is no trusted proxy; at garbage the last address seen stands."""
    seen = None
    for hop in reversed(hops):
        address = address_in(hop)
        if address is None:
            break
        seen = address
        if not is_in(trusted, address):
            break
    return seen
