"""For whom a source speaks: the visitor's address as a backend names it. Plausible itself believes everybody.

Only for sources that may; everybody else's visitor is `visitor_of`. The headers and how they are written are
Plausible's (contract section 2), their order is not quite: what a proxy in front of the relay adds comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from relay.rules.source import Source
from relay.rules.visitor import (
    Address,
    Network,
    RawHeaders,
    Trusted,
    Visitor,
    address_in,
    hops_by_header,
    is_in,
    told_in,
    visitor_of,
)

# A Cloudflare in front of the relay writes the backend's own address into its header, and appends to X-Forwarded-For.
_ORDER = (b"x-plausible-ip", b"x-forwarded-for", b"b-forwarded-for", b"forwarded", b"cf-connecting-ip")


def spoken_for(
    source: Source, peer: str, headers: RawHeaders, trusted: Sequence[Network], names: bytes | None = None
) -> Visitor | None:
    """The visitor of a request by `source`; None if it speaks for others and names nobody. Never raises.

    `names`: `names_of` the headers, if known.
    It names the leftmost address of the first header that has one, as for Plausible, but a public one before a private
    one, and never a trusted proxy: what one of those appended is no visitor.
    """
    if not source.speaks:
        return visitor_of(peer, headers, trusted, names)
    agent, lines, chain = told_in(headers, names)
    if chain is not None:
        ip = _named_in_chain(chain, trusted if isinstance(trusted, Trusted) else Trusted(trusted))
    else:
        named = named_in(headers, trusted) if lines else None
        ip = None if named is None else str(named)
    return None if ip is None else Visitor(ip, agent)


@lru_cache(maxsize=4_096)
def _named_in_chain(chain: bytes, trusted: Trusted) -> str | None:
    """The visitor in an X-Forwarded-For of one line, which is how most servers name him; he comes again."""
    named = named_in([(b"x-forwarded-for", chain)], trusted)
    return None if named is None else str(named)


def named_in(headers: RawHeaders, trusted: Sequence[Network]) -> Address | None:
    """The visitor's address in what a source that speaks has sent; None if there is none."""
    found = hops_by_header(headers)
    for name in _ORDER:
        hops = [address for hop in found.get(name, ()) if (address := address_in(hop)) and not is_in(trusted, address)]
        if hops:
            return next((address for address in hops if address.is_global), hops[0])
    return None
