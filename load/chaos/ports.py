"""Ports on loopback that stay ours while nobody listens on them."""

from __future__ import annotations

import random
import socket
from typing import Final

BELOW_PASSING: Final = range(20_000, 32_000)
"""Below those that Linux gives to connections: such a one may not take a port whose process is being started again."""


def free_port() -> int:
    """A port that was free a moment ago."""
    while True:
        port = random.choice(BELOW_PASSING)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
