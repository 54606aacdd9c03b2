"""Who may look at the relay's own state: whoever sits at the machine, and whoever has the key.

Not for events, which anybody may send. Health checks that tell no more than yes or no need none of this.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

# What a proxy on the same machine adds: with one of these, the peer's address says nothing of who asks.
_BY_PROXY = frozenset(
    b"via forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip b-forwarded-for cf-connecting-ip "
    b"x-plausible-ip true-client-ip".split()
)

RawHeaders = Sequence[tuple[bytes, bytes]]


def may_look(peer: str, headers: RawHeaders, key: str | None) -> bool:
    """Whether the request from `peer` may see what is meant for the operator. Without `key`, only from this machine.

    The key comes as `Authorization: Bearer <key>`, or as the password of `Basic`, which browsers can ask for.
    """
    found = {name.lower(): value for name, value in headers}
    if key is not None and hmac.compare_digest(_key_in(found.get(b"authorization", b"")), key.encode()):
        return True
    return _is_local(peer) and not _BY_PROXY & found.keys() and _is_own_page(found)


def _key_in(authorization: bytes) -> bytes:
    scheme, _, rest = authorization.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return rest.strip()
        case b"basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
            except binascii.Error:
                return b""
        case _:
            return b""


def _is_own_page(found: dict[bytes, bytes]) -> bool:
    """Not another site's page in a browser on this machine: neither by its script nor by a name that leads here."""
    host = found.get(b"host", b"").decode("latin-1")
    try:
        origin = urlsplit(found.get(b"origin", b"//" + found.get(b"host", b"")).decode("latin-1")).netloc
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return origin == host and (name == "localhost" or _is_local(name))


def _is_local(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
