"""Addresses to listen on: free or not, known before anything is started, and as URLs.

Sockets are opened to find out and closed again; the children open their own.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import time
from typing import Final

from relay.settings import Address
from relay.up.faults import StartError

LISTENING_FAILED: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})
"""What the system says of an address; a library's own text for these repeats it."""


class AddressTakenError(StartError):
    """Somebody else listens there."""


def cannot_listen(address: Address, whose: str, setting: str, error: OSError) -> StartError:
    """Return what to raise when listening on the address failed; `whose` and `setting` are for the message."""
    if error.errno != errno.EADDRINUSE:
        reason = os.strerror(error.errno) if error.errno in LISTENING_FAILED else error.strerror or error
        return StartError(f"The {whose} cannot listen on {address}: {reason}.\nChoose another address with {setting}.")
    return AddressTakenError(
        f"The {whose} cannot listen on {address}: another process does.\n"
        f"Choose another address, for example {setting}={_elsewhere(address)}, or port 0 for any free one."
    )


def take_address(
    address: Address, whose: str, setting: str, *, beside: Address | None = None, grace_s: float = 0.0
) -> Address:
    """Return the address with its port known (port 0: a free one), once it is free; never the port of `beside`.

    `whose` and `setting` are for the message. A taken one is tried again for `grace_s` seconds.
    Raises AddressTakenError, or StartError if it cannot be used at all.
    """
    deadline_s = time.monotonic() + grace_s
    while True:
        try:
            return Address(address.host, _free_port(address, beside))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline_s:
                raise cannot_listen(address, whose, setting, error) from error
        time.sleep(0.2)


def reached_at(address: Address) -> str:
    """Return the host by which this machine reaches the address; a wildcard is reached by loopback."""
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(address.host)
        if ip.is_unspecified:
            return "127.0.0.1" if isinstance(ip, ipaddress.IPv4Address) else "::1"
    return address.host


def base_url(address: Address) -> str:
    """Return the URL under which this machine reaches the address."""
    return f"http://{Address(reached_at(address), address.port)}"


def _elsewhere(address: Address) -> Address:
    """Return an address to propose: in the door's neighbourhood, above the well-known ports and within all ports."""
    return Address(address.host, 8000 + (address.port + 10) % 1000)


def _free_port(address: Address, beside: Address | None) -> int:
    port = _bound_port(address)
    while beside is not None and port == beside.port:
        if address.port:
            raise OSError(errno.EADDRINUSE, "the door listens there")
        port = _bound_port(address)
    return port


def _bound_port(address: Address) -> int:
    """Bind every address that the host means, as a listening process does; returns the port. Raises OSError."""
    port = address.port
    found = socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as sockets:
        for family, kind, protocol, _, where in found:
            listener = sockets.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((where[0], port, *where[2:]))
            port = port or listener.getsockname()[1]
    return port
